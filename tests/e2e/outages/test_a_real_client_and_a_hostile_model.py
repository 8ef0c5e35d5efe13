"""The provider's own client over HTTP: wrong calls go back to the model, and hostile text stays text."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from dataclasses import replace

import pytest

from supervisor.core.events import ModelResponded
from supervisor.models import ProviderGateway
from tests.support.providers.openai_server import OpenAIServer, calls, text
from tests.support.scenario import ALL, APPROVE, Director, Scene, live_markup
from tests.support.seen import recent_sessions
from tests.support.slack import ADA, OPS, Json

HOSTILE = (
    "<!channel> <@U0GRACE01> <https://evil.example|ok> "
    "*b* _i_ ~s~ `c` ```x``` &amp; \u202e\u200b\x00\x1b[2J \ud83d 🙂"
)


@pytest.fixture
async def model(monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[OpenAIServer]:
    async with OpenAIServer() as server:
        monkeypatch.setenv("OPENAI_BASE_URL", server.url)
        monkeypatch.setenv("OPENAI_API_KEY", "sk-test")
        yield server


async def approve_all(scene: Scene, thread: str) -> Json:
    ask = await scene.slack.message(OPS, lambda m: ALL in json.dumps(m) or APPROVE in json.dumps(m), thread)
    action = ALL if ALL in json.dumps(ask) else APPROVE
    assert (await scene.slack.click(ADA, OPS, ask["ts"], action))["ok"]
    return ask


async def test_wrong_calls_go_back_and_right_ones_run(scenario: Director, model: OpenAIServer) -> None:
    model.script(
        [
            calls(
                ("deploy", "{not json"), ("deploy", {"servce": "shop"}), ("frobnicate", {}), text="Trying."
            ),
            calls(("deploy", {"service": "shop"}), ("deploy", {"service": "bank"}), ("note", {"words": "x"})),
            text("All *done*."),
        ]
    )
    scene = await scenario(ProviderGateway("openai-chat:test"), persona={"budgets": {"error_threshold": 9}})
    session = await scene.launch()
    await scene.waiting(session)
    card = await scene.card(session)
    await approve_all(scene, card["ts"])
    ended = await scene.ended(session)
    assert ended.lifecycle == "completed"
    assert ended.ending == "All *done*."
    refusals = [said.text for said in model.requests[1].conversation() if said.role == "result"]
    assert "must be one valid JSON object" in refusals[0]
    assert "`servce`: there is no such argument" in refusals[1]
    assert "There is no such tool" in refusals[2]
    answers = [said.text for said in model.requests[2].conversation() if said.role == "result"]
    assert answers[3:] == ["deployed shop", "deployed bank", "noted x"]
    assert sorted(row[0] for row in scene.runs()) == ["deploy", "deploy", "note"]
    assert await scene.refused() == []


@pytest.mark.parametrize("size", [1, 40], ids=["short", "long"])
async def test_hostile_text_is_only_text(scenario: Director, model: OpenAIServer, size: int) -> None:
    # Half a character makes arguments unreadable, and the model is told so; in plain text it is replaced.
    words, halves = HOSTILE.replace("\ud83d", "") * size, HOSTILE * size
    question = {"question": words[:2900], "options": [words[:70], "b"]}
    model.script(
        [
            calls(("deploy", {"service": words, "notes": words}), (words[:60], {words: words}), text=halves),
            calls(("ask_human", question), ("deploy", {"service": halves}), text=halves),
            text(halves),
        ]
    )
    scene = await scenario(ProviderGateway("openai-chat:test"), persona={"budgets": {"error_threshold": 9}})
    task = words * 4
    session = await scene.launch(task)
    await scene.waiting(session)
    card = await scene.card(session)
    await approve_all(scene, card["ts"])
    asking = await scene.flagman.session(lambda s: s.waiting_for == "human_input_required", session.id)
    assert asking.calls_in("asking")
    await scene.slack.post(ADA, OPS, task[:3000], card["ts"])
    await scene.ended(session)
    rows = await scene.settled(session)
    await scene.slack.message(OPS, lambda m: "Completed" in m.get("text", ""), card["ts"])
    for row in [*rows, *await scene.slack.messages(OPS, card["ts"])]:
        if row["user"] != ADA:
            assert live_markup(row) <= {f"<@{ADA}>"}, row
            shown = json.dumps(row, ensure_ascii=False)
            assert not {"\u202e", "\u200b", "\x00", "\x1b"} & set(shown)
    assert len(scene.runs("deploy")) == 1
    assert await scene.refused() == []


async def test_an_empty_answer_ends_the_session_in_words(scenario: Director, model: OpenAIServer) -> None:
    model.script([text("")])
    scene = await scenario(ProviderGateway("openai-chat:test"))
    session = await scene.launch()
    found = await scene.flagman.session(lambda s: s.ended or s.pause, session.id)
    assert found.status in ("completed", "paused")
    assert await scene.refused() == []


async def test_calls_of_odd_shapes_go_back_and_the_session_goes_on(
    scenario: Director, model: OpenAIServer
) -> None:
    names = ["", "   ", "n" * 200, "деплой ☃", "functions.deploy", "de\nploy"]
    odd = calls(
        *((name, {"service": "x"}) for name in names), ids=("a" * 300, "same", "same", "", "☃", "b|c")
    )
    model.script([odd, calls(("deploy", {"service": "shop"})), text("All done.")])
    scene = await scenario(ProviderGateway("openai-chat:test"), persona={"budgets": {"error_threshold": 9}})
    session = await scene.launch()
    await scene.waiting(session)
    card = await scene.card(session)
    await approve_all(scene, card["ts"])
    assert (await scene.ended(session)).ending == "All done."
    refusals = [said.text for said in model.requests[1].conversation() if said.role == "result"]
    assert len(refusals) == 6
    assert all("There is no such tool" in words for words in refusals)
    assert [row[0] for row in scene.runs()] == ["deploy"]
    answer = await scene.slack.command(ADA, OPS, f"log {session.id}")
    assert "functions.deploy" in json.dumps(answer["response"])
    await scene.settled(session)
    assert await scene.refused() == []


async def test_a_cut_answer_pauses_the_session_and_the_log_names_why(
    scenario: Director, model: OpenAIServer
) -> None:
    cut = replace(calls(("deploy", {"service": "shop"}), text="Half a sen"), finish="length")
    model.script([cut, text("All well.")])
    scene = await scenario(ProviderGateway("openai-chat:test"))
    session = await scene.launch()
    paused = await scene.flagman.session(lambda s: s.pause is not None, session.id)
    assert paused.pause
    assert "(stop reason: length)" in paused.pause.detail
    assert scene.runs() == []
    card = await scene.card(session)
    await scene.slack.message(OPS, lambda m: "stop reason: length" in json.dumps(m), card["ts"])
    assert (await scene.slack.command(ADA, OPS, f"resume {session.id}"))["ok"]
    await scene.ended(session)
    events = await scene.flagman.core.supervisor.sessions.events(session.id)
    assert [event.stop_reason for event in events if isinstance(event, ModelResponded)] == ["stop"]


async def test_two_workers_and_twenty_sessions(scenario: Director, model: OpenAIServer) -> None:
    def behave(request: object) -> object:
        said = [s for s in request.conversation() if s.role == "result"]  # type: ignore[attr-defined]
        task = next(s.text for s in request.conversation() if s.role == "user")  # type: ignore[attr-defined]
        return (
            text(f"done {task}") if said else calls(("deploy", {"service": task}), ("note", {"words": task}))
        )

    model.behaviour = behave  # type: ignore[assignment]
    rules = {"approvals": [{"tool": "*", "mode": "allow"}]}
    scene = await scenario(ProviderGateway("openai-chat:test"), persona=rules, webs=2, hands=2)
    for n in range(20):
        assert (await scene.slack.command(ADA, OPS, f"launch ops s{n:02}"))["ok"]
    sessions = await recent_sessions(scene.flagman.core, limit=50)
    assert len(sessions) == 20
    for session in sessions:
        ended = await scene.ended(session)
        assert ended.ending == f"done {ended.task}"
    assert sorted(row[3]["service"] for row in scene.runs("deploy")) == [f"s{n:02}" for n in range(20)]
    assert len(scene.runs("note")) == 20
    for session in sessions:
        await scene.slack.message(OPS, lambda m, s=session: s.id in str(m) and "Done" in str(m))  # type: ignore[misc]
    cards = [m for m in await scene.slack.messages(OPS) if "card:" in str(m)]
    assert len(cards) == 20
    assert await scene.refused() == []
