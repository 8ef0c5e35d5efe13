"""A tool of an MCP server is proposed, changed, approved and run as any other, as it was when people were asked."""

from __future__ import annotations

import os
import signal
from typing import Any

import pytest

from supervisor.core.events import ToolRedefined
from supervisor.mcp import connection, servers
from tests.mcp.hosted import Hosted, described
from tests.support.editing import EDIT, block_of, recorded, save
from tests.support.scenario import APPROVE, VIEW, Director, Scene
from tests.support.scripted import calls, in_turn, results, says, told
from tests.support.slack import ADA, OPS, buttons, texts, wait_for

FAILED = "outcome_failed"
SAY = in_turn(calls(("host__say", {"to": "Linus", "text": "hello"})), says("Done."))
PERSONA: dict[str, Any] = {"tools": ["host__*"], "mcp_servers": ["host"]}


async def test_it_is_asked_for_changed_approved_and_run(scenario: Director, hosted: Hosted) -> None:
    hosted.more = {"provide": {"say": {"text": "given"}}}
    hosted.offers(described("say", annotations={"readOnlyHint": True, "destructiveHint": True}))
    script = in_turn(calls(("host__say", {"to": "Linus"})), says("Done."))
    scene = await scenario(script, persona=PERSONA, mcp=hosted.file())
    session = await scene.launch()
    (ask,) = await scene.asked(session)
    shown = texts(ask).replace("\\u2060", "").replace("\u2060", "")
    assert "host__say" in shown
    assert "destructive by its server's own word" in shown
    assert "given" in shown, "what the app gives is what runs"
    assert "The app gives text; the agent did not choose that." in shown
    (offered,) = [tool for tool in scene.model.requests[0].tools if tool.name == "host__say"]
    assert set(offered.schema_["properties"]) == {"to"}, "and the model does not choose it"
    assert hosted.calls == []
    await scene.slack.click(ADA, OPS, ask["ts"], VIEW)
    assert "Does say." in texts(await scene.slack.view(ADA))
    await scene.slack.click(ADA, OPS, ask["ts"], EDIT)
    view = (await scene.slack.views(ADA))[-1]
    assert block_of(view, "to")["element"]["initial_value"] == "Linus"
    assert "stays as it is: the app gives it" in texts(view)
    assert (await save(scene, view, to="Grace"))["ok"]
    await scene.ended(session)
    (call,) = hosted.calls
    assert call["arguments"] == {"to": "Grace", "text": "given"}
    assert call["meta"]["flagman/idempotencyKey"] == f"{session.id}:1.1"
    assert results(scene.model.requests[-1])[0].endswith('say {"text": "given", "to": "Grace"}')
    assert await scene.refused() == []


async def test_a_changed_tool_is_asked_about_anew_with_its_difference(
    scenario: Director, hosted: Hosted
) -> None:
    scene = await scenario(SAY, persona=PERSONA, mcp=hosted.file())
    session = await scene.launch()
    (ask,) = await scene.asked(session)
    hosted.offers(described("say", "Says it to everybody, too."))
    assert (await scene.slack.click(ADA, OPS, ask["ts"], APPROVE))["ok"]
    again = await wait_for(lambda: _below(scene, ask, "The tool has changed", APPROVE))
    assert "may change things, not known to be safe to repeat" in texts(again), (
        "its server says nothing of it"
    )
    assert "-Does say." in texts(again)
    assert "+Says it to everybody, too." in texts(again)
    assert hosted.calls == []
    assert len(await recorded(scene, session, ToolRedefined)) == 1
    assert (await scene.slack.click(ADA, OPS, again["ts"], APPROVE))["ok"]
    await scene.ended(session)
    assert len(hosted.calls) == 1


async def test_a_tool_that_is_gone_does_not_run_and_its_new_name_is_told(
    scenario: Director, hosted: Hosted
) -> None:
    scene = await scenario(SAY, persona=PERSONA, mcp=hosted.file())
    session = await scene.launch()
    (ask,) = await scene.asked(session)
    hosted.offers(described("speak", "Does say."))
    await scene.slack.click(ADA, OPS, ask["ts"], APPROVE)
    await scene.ended(session)
    assert hosted.calls == []
    (told,) = results(scene.model.requests[-1])
    assert "has no tool `say` any more" in told
    assert "`host__speak`" in told


async def test_a_server_that_died_between_approval_and_run_is_started_again(
    scenario: Director, hosted: Hosted
) -> None:
    hosted.offers(described("say"), described("pid"))
    script = in_turn(calls(("host__pid", {"to": "x"})), calls(("host__say", {"to": "Linus"})), says("Done."))
    allowed = {**PERSONA, "approvals": [{"tool": "host__pid", "mode": "allow"}]}
    scene = await scenario(script, persona=allowed, mcp=hosted.file())
    session = await scene.launch()
    (ask,) = await scene.asked(session)
    os.kill(hosted.calls[0]["pid"], signal.SIGKILL)
    await scene.slack.click(ADA, OPS, ask["ts"], APPROVE)
    await scene.ended(session)
    assert [call["name"] for call in hosted.calls] == ["pid", "say"]
    assert hosted.calls[0]["pid"] != hosted.calls[1]["pid"]


async def test_a_server_that_dies_in_a_call_leaves_its_outcome_to_a_person(
    scenario: Director, hosted: Hosted
) -> None:
    hosted.offers(described("die"))
    script = in_turn(calls(("host__die", {"to": "x"})), says("Done."))
    scene = await scenario(script, persona=PERSONA, mcp=hosted.file())
    session = await scene.launch()
    (ask,) = await scene.asked(session)
    await scene.slack.click(ADA, OPS, ask["ts"], APPROVE)
    lost = await wait_for(lambda: _below(scene, ask, "Outcome unknown", FAILED))
    assert "was lost (the connection ended before an answer)" in texts(lost)
    await scene.slack.click(ADA, OPS, lost["ts"], FAILED)
    form = await scene.slack.view(ADA)
    await scene.slack.submit(ADA, form, {"value": "it did not"})
    await scene.ended(session)
    assert len(hosted.calls) == 1, "it is not run again by itself"


async def test_a_call_that_its_server_can_tell_by_its_key_runs_again_by_itself(
    scenario: Director, hosted: Hosted
) -> None:
    once = described("die-once", annotations={"idempotentHint": True}, _meta={"flagman/idempotencyKey": True})
    hinted = described("die-too", annotations={"idempotentHint": True})
    hosted.offers(once, hinted)
    script = in_turn(calls(("host__die-once", {"to": "x"})), says("Done."))
    scene = await scenario(script, persona=PERSONA, mcp=hosted.file())
    session = await scene.launch()
    (ask,) = await scene.asked(session)
    assert "safe to repeat" in texts(ask)
    await scene.slack.click(ADA, OPS, ask["ts"], APPROVE)
    ended = await scene.ended(session)
    assert ended.call("1.1").ok
    assert [call["meta"]["flagman/idempotencyKey"] for call in hosted.calls] == [f"{session.id}:1.1"] * 2
    assert not scene.flagman.cores[-1].tools["host__die-too"].idempotent, "a hint alone loosens nothing"


async def _below(scene: Scene, ask: Any, words: str, button: str) -> Any:
    """The message in the thread with these words and a button."""
    rows = await scene.slack.messages(OPS, ask["thread_ts"])
    return next((row for row in rows if words in texts(row) and (not button or button in buttons(row))), None)


async def test_a_rule_that_protects_nothing_pauses_before_the_model_is_asked(
    scenario: Director, hosted: Hosted
) -> None:
    misspelt = [{"tool": "host__say", "when": {"too": "Linus"}, "mode": "deny"}]
    scene = await scenario(SAY, persona={**PERSONA, "approvals": misspelt}, mcp=hosted.file())
    session = await scene.launch()
    paused = await scene.flagman.session(lambda s: s.pause, session.id)
    assert "`host__say` has no argument `too`" in paused.halts[-1].detail
    assert scene.model.requests == []


async def test_a_server_that_is_away_pauses_until_somebody_resumes(
    scenario: Director, hosted: Hosted, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(servers, "PATIENCE", 0.0)
    monkeypatch.setattr(connection, "LIST_SECONDS", 0.3)
    (hosted.folder / "hang-list").touch()
    scene = await scenario(SAY, persona=PERSONA, mcp=hosted.file())
    session = await scene.launch()
    paused = await scene.flagman.session(lambda s: s.pause, session.id)
    assert "did not list its tools within 0.3 s" in paused.halts[-1].detail
    (hosted.folder / "hang-list").unlink()
    monkeypatch.setattr(connection, "LIST_SECONDS", 30.0)
    await scene.slack.command(ADA, OPS, f"resume {session.id}")
    await scene.waiting(session)


async def test_without_a_server_that_is_away_a_session_goes_on_with_its_other_tools(
    scenario: Director, hosted: Hosted, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(servers, "PATIENCE", 0.0)
    monkeypatch.setattr(servers, "AWAY_SECONDS", 0.0)
    monkeypatch.setattr(connection, "LIST_SECONDS", 0.3)
    (hosted.folder / "hang-list").touch()
    script = in_turn(
        calls(("note", {"words": "one"})),
        calls(("deploy", {"service": "shop"})),
        calls(("host__say", {"to": "x"})),
    )
    rules = {"approvals": [{"tool": "note", "mode": "allow"}], "tools": ["note", "deploy", "host__*"]}
    scene = await scenario(script, persona={**PERSONA, **rules}, mcp=hosted.file())
    session = await scene.launch()
    (ask,) = await scene.asked(session)
    said = [text for text in told(scene.model.requests[-1]) if "MCP server" in text]
    assert len(said) == 1, "once, not at each step"
    assert "The MCP server `host` cannot be used: it did not list its tools within 0.3 s." in said[0]
    assert await wait_for(lambda: _below(scene, ask, "cannot be used", ""))
    monkeypatch.setattr(connection, "LIST_SECONDS", 30.0)
    (hosted.folder / "hang-list").unlink()
    await scene.slack.click(ADA, OPS, ask["ts"], APPROVE)
    await scene.flagman.session(
        lambda s: [call.call.tool for call in s.calls_in("awaiting")] == ["host__say"], session.id
    )
    assert "can be reached again" in told(scene.model.requests[-1])[-1]
