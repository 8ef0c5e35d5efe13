"""What a server asks for in the middle of a call is a question in the thread, which waits as long as it takes."""

from __future__ import annotations

import asyncio
import json
import os
import signal
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from pydantic import SecretStr

from bot.sdk import Session, connect
from supervisor.core.elicitation.request import InputAction
from supervisor.core.errors import ToolError
from supervisor.core.events import InputGiven, InputRequested, ToolStarted
from supervisor.core.state import Session as State
from supervisor.tools.contract import ToolContext, Toolset
from supervisor.tools.inputs import Continued, InputAnswer, InputNeeded
from tests.cli.served import Cli, environment
from tests.mcp.conftest import Open
from tests.mcp.hosted import HOSTILE, Hosted, described
from tests.support.api import Client
from tests.support.editing import recorded
from tests.support.flagman import Flagman
from tests.support.scenario import APPROVE, Director, Scene
from tests.support.scripted import calls, in_turn, results, says
from tests.support.slack import ADA, OPS, buttons, texts, wait_for

KEY = "all-key-0123456789abcdef"
ANSWER, FORM, DECLINE = "question_answer", "question_form", "question_decline"
PERSONA: dict[str, Any] = {"tools": ["host__*"], "mcp_servers": ["host"]}
ASKS = in_turn(calls(("host__asks", {"to": "x"})), says("Done."))
NAMED: dict[str, Any] = {"requestedSchema": {"type": "object", "properties": {"name": {"type": "string"}}}}
RELEASE: dict[str, Any] = {
    "type": "object",
    "properties": {
        "version": {"type": "string", "title": "Version", "minLength": 3},
        "count": {"type": "integer", "minimum": 1, "maximum": 9, "default": 2},
        "zone": {
            "type": "string",
            "oneOf": [{"const": "eu", "title": "Europe"}, {"const": "us", "title": "US"}],
        },
        "tests": {"type": "array", "items": {"type": "string", "enum": ["unit", "load"]}},
        "notify": {"type": "boolean", "default": True},
        "mail": {"type": "string", "format": "email"},
    },
    "required": ["version", "zone"],
}


async def begun(scenario: Director, hosted: Hosted, wanted: Any = None, **more: Any) -> tuple[Scene, State]:
    """A call of the tool that asks, approved, as its server asks."""
    hosted.offers(described("asks"))
    if wanted is not None:
        hosted.asks(wanted)
    scene = await scenario(ASKS, persona=PERSONA, mcp=hosted.file(), **more)
    return scene, await approved(scene)


async def approved(scene: Scene) -> State:
    session = await scene.launch()
    (ask,) = await scene.asked(session)
    assert (await scene.slack.click(ADA, OPS, ask["ts"], APPROVE))["ok"]
    return await scene.flagman.session(lambda s: s.calls_in("asking"), session.id)


async def question(scene: Scene, session: State, words: str = "", button: str = DECLINE) -> Any:
    """The message of an open question, once it is there."""
    card = await scene.card(session)

    async def look() -> Any:
        rows = await scene.slack.messages(OPS, card["ts"])
        return next((row for row in rows if words in texts(row) and button in buttons(row)), None)

    return await wait_for(look)


async def told(scene: Scene, session: State) -> str:
    await scene.ended(session)
    return results(scene.model.requests[-1])[0]


async def test_its_fields_are_a_form_and_the_call_goes_on_after_a_restart(
    scenario: Director, hosted: Hosted
) -> None:
    scene, session = await begun(
        scenario, hosted, {"r": {"message": "Which <!channel> release?", "requestedSchema": RELEASE}}
    )
    assert session.status == "paused"
    assert session.waiting_for == "human_input_required"
    asked = await question(scene, session)
    assert "The server `host` asks" in texts(asked)
    assert "Which <!channel> release?" in texts(asked), "as plain text, in which nothing is interpreted"
    os.kill(hosted.calls[0]["pid"], signal.SIGKILL)
    old = scene.flagman
    await old.__aexit__(None, None, None)
    async with Flagman(old.config, scene.model, tools=old._tools) as scene.flagman:
        assert (await scene.slack.click(ADA, OPS, asked["ts"], FORM))["ok"]
        view = await scene.slack.view(ADA)
        wrong = await scene.slack.submit(ADA, view, _form(version="1", count="12", zone="0", mail="nobody"))
        said = str(wrong)
        assert "It has at least 3 characters." in said
        assert "It is at most 9." in said
        assert "It is an email address." in said
        done = await scene.slack.submit(
            ADA, view, _form(version="1.2", count="3", zone="0", tests=["1"], notify="1")
        )
        assert done["ok"], done
        given = {"version": "1.2", "count": 3, "zone": "eu", "tests": ["load"], "notify": False}
        assert await told(scene, session) == _json({"r": ["accept", given]})
        assert [call["name"] for call in hosted.calls] == ["asks", "asks"]
        keys = {call["meta"]["flagman/idempotencyKey"] for call in hosted.calls}
        assert keys == {f"{session.id}:1.1"}, "it is one call, which was approved once"
        starts = await recorded(scene, session, ToolStarted)
        assert len({start.digest for start in starts}) == 1
        assert "zone: Europe" in texts(await _row(scene, session))
    assert await scene.refused() == []


async def _row(scene: Scene, session: State) -> Any:
    card = await scene.card(session)

    async def look() -> Any:
        rows = await scene.slack.messages(OPS, card["ts"])
        return next((row for row in rows if "Answer:" in texts(row)), None)

    return await wait_for(look)


def _json(value: Any) -> str:
    return json.dumps(value, sort_keys=True)


def _form(**values: Any) -> dict[str, Any]:
    """The state of the form by the names of its fields, in the order of the schema."""
    state: dict[str, Any] = {}
    for n, name in enumerate(RELEASE["properties"]):
        if name not in values:
            continue
        value, element = values[name], dict[str, Any]()
        if name == "tests":
            element = {"type": "multi_static_select", "selected_options": [{"value": v} for v in value]}
        elif name in ("zone", "notify"):
            element = {"type": "static_select", "selected_option": {"value": value}}
        else:
            element = {"type": "number_input" if name == "count" else "plain_text_input", "value": value}
        state[f"in:{n}"] = {"value": element}
    return state


async def test_words_in_the_thread_answer_a_single_field(scenario: Director, hosted: Hosted) -> None:
    scene, session = await begun(scenario, hosted)
    await question(scene, session)
    card = await scene.card(session)
    await scene.slack.post(ADA, OPS, "Grace Hopper", thread_ts=card["ts"])
    assert await told(scene, session) == _json({"who": ["accept", {"name": "Grace Hopper"}]})


async def test_programs_and_the_command_line_answer_and_what_does_not_fit_is_one_sentence(
    scenario: Director, hosted: Hosted, tmp_path: Path
) -> None:
    asked: list[Any] = [
        {"r": {"message": "Which?", "requestedSchema": RELEASE}},
        {"s": {"message": "Sure?", **NAMED}},
    ]
    scene, session = await begun(scenario, hosted, asked, api_keys=SecretStr(f"boss:admin:{KEY}"))
    url = await scene.flagman.add_api()
    path = f"/v1/sessions/{session.id}/answer"
    async with Client(url, KEY) as api:
        (waiting,) = (await api.get(f"/v1/sessions/{session.id}"))["calls"]
        assert waiting["input"]["server"] == "host"
        assert waiting["input"]["form"] == RELEASE
        wrong = await api.post(path, {"content": {"version": "1.2", "zone": "mars"}})
        assert wrong["detail"] == "That does not fit what `host` asks for: `zone` is one of “Europe”, “US”."
        wrong = await api.post(path, {"answer": "1.2"})
        assert "please use the form, or answer with JSON" in wrong["detail"]
        assert (await scene.flagman.session(lambda s: True, session.id)).calls_in("asking")
    cli = Cli(tmp_path, environment(FLAGMAN_URL=url, FLAGMAN_API_KEY=KEY))
    shown = (await asyncio.to_thread(cli, "show", session.id)).stdout
    for field in ("version (string, needed)", "zone (eu | us, needed)", "tests (unit | load, several)"):
        assert f"field {field}" in shown
    async with connect(url, api_key=KEY):
        found = await Session.load(session.id)
        await found.answer({"version": "1.2", "zone": "us"})
    await scene.flagman.session(lambda s: s.calls_in("asking") and len(hosted.calls) == 2, session.id)
    shown = (await asyncio.to_thread(cli, "show", session.id)).stdout
    assert "asked by the server host, in its call of host__asks" in shown
    declined = await asyncio.to_thread(cli, "answer", session.id, "--decline")
    assert declined.stdout == f"The question of {session.id} was declined.\n"
    assert await told(scene, session) == _json({"s": ["decline", None]})
    late = await asyncio.to_thread(cli, "answer", session.id, "Grace", "--call", "1.1", code=1)
    assert late.stderr == "That question was already answered.\n"


async def test_who_declines_declines_all_that_it_asked_at_once(scenario: Director, hosted: Hosted) -> None:
    schema = {"type": "object", "properties": {"sure": {"type": "boolean"}}}
    one = {"message": "Sure?", "requestedSchema": schema}
    scene, session = await begun(scenario, hosted, {"a": one, "b": {**one, "message": "Quite sure?"}})
    asked = await question(scene, session, "Sure?")
    assert {"question_answer:0", "question_answer:1"} <= set(buttons(asked))
    assert (await scene.slack.click(ADA, OPS, asked["ts"], "question_answer:0"))["ok"]
    then = await question(scene, session, "Quite sure?")
    await scene.slack.click_stale(ADA, OPS, asked, "question_answer:1")
    (refused,) = await scene.whispers(ADA, thread_ts=(await scene.card(session))["ts"])
    assert "That question was already answered." in texts(refused), "a click answers no other question"
    assert (await scene.slack.click(ADA, OPS, then["ts"], DECLINE))["ok"]
    assert await told(scene, session) == _json({"a": ["accept", {"sure": True}], "b": ["decline", None]})


async def test_an_address_is_shown_with_its_host_and_not_opened(scenario: Director, hosted: Hosted) -> None:
    address = "https://sign.example.com/in?next=%2F"
    wanted = {"u": {"mode": "url", "message": "Sign in.", "url": address}}
    scene, session = await begun(scenario, hosted, wanted)
    asked = await question(scene, session)
    assert address in texts(asked)
    assert "at `sign.example.com`" in texts(asked)
    assert FORM not in buttons(asked)
    assert (await scene.slack.click(ADA, OPS, asked["ts"], "question_answer:0"))["ok"]
    assert await told(scene, session) == _json({"u": ["accept", None]})


@pytest.mark.parametrize(
    ("wanted", "why"),
    [
        ({"password": {"type": "string"}}, "looks like a secret"),
        ({"deep": {"type": "object", "properties": {}}}, "is no text, number, choice, or yes or no"),
        ({"odd": {"type": [{}]}}, "is no text, number, choice, or yes or no"),
    ],
)
async def test_what_people_cannot_be_asked_is_declined_and_told(
    scenario: Director, hosted: Hosted, wanted: Any, why: str
) -> None:
    schema = {"type": "object", "properties": wanted}
    hosted.offers(described("asks"))
    hosted.asks({"x": {"message": "Tell me.", "requestedSchema": schema}})
    scene = await scenario(ASKS, persona=PERSONA, mcp=hosted.file())
    session = await scene.launch()
    (ask,) = await scene.asked(session)
    await scene.slack.click(ADA, OPS, ask["ts"], APPROVE)
    said = await told(scene, session)
    assert said.startswith(_json({"x": ["decline", None]}))
    assert why in said


async def test_a_server_that_dies_as_it_is_answered_leaves_the_outcome_to_a_person(
    scenario: Director, hosted: Hosted
) -> None:
    scene, session = await begun(scenario, hosted)
    (hosted.folder / "die-at-answer").touch()
    await scene.flagman.core.supervisor.get(session.id)
    card = await scene.card(session)
    await scene.slack.post(ADA, OPS, "Grace", thread_ts=card["ts"])
    await scene.flagman.session(lambda s: s.waiting_for == "outcome_unknown", session.id)
    assert len(hosted.calls) == 2, "it is not continued twice by itself"


def old(hosted: Hosted, how: str = "asks", **more: Any) -> Path:
    """The file of a server that asks while its call is held open."""
    return hosted.file(
        command="/usr/bin/env",
        args=["python3", str(HOSTILE), how, str(hosted.folder)],
        sandbox=False,
        **more,
    )


async def held(scenario: Director, hosted: Hosted, **more: Any) -> tuple[Scene, State]:
    script = in_turn(calls(("host__t", {})), says("Done."))
    scene = await scenario(script, persona=PERSONA, mcp=old(hosted, **more))
    return scene, await approved(scene)


async def test_an_older_server_is_answered_while_its_call_is_held(scenario: Director, hosted: Hosted) -> None:
    scene, session = await held(scenario, hosted, timeout=1)
    asked = await question(scene, session, "Who are you?")
    assert "The call is held open until" in texts(asked)
    await scene.slack.post(ADA, OPS, "Grace", thread_ts=(await scene.card(session))["ts"])
    said = await told(scene, session)
    assert '"action": "accept"' in said
    assert '{"name": "Grace"}' in said
    assert len(await recorded(scene, session, ToolStarted)) == 1


async def test_an_older_server_that_nobody_answers_is_told_cancel(scenario: Director, hosted: Hosted) -> None:
    scene, session = await held(scenario, hosted, answer_within=1)
    said = await told(scene, session)
    assert '"action": "cancel"' in said
    assert "nobody answered within 1.0 s" in said
    (given,) = await recorded(scene, session, InputGiven)
    assert given.answer == "Nobody answered within 1.0 s, so the server was told `cancel`."


async def test_a_held_call_ends_with_its_session(scenario: Director, hosted: Hosted) -> None:
    scene, session = await held(scenario, hosted)
    await scene.slack.cancel(ADA, OPS, await scene.card(session))
    ended = await scene.ended(session)
    assert ended.lifecycle == "cancelled"
    await scene.flagman.session(lambda s: s.call("1.1").settled, session.id)


async def test_a_held_call_whose_worker_stops_is_told_cancel(scenario: Director, hosted: Hosted) -> None:
    scene, session = await held(scenario, hosted)
    await question(scene, session)
    requested = await recorded(scene, session, InputRequested)
    assert requested[0].until is not None
    old_flagman = scene.flagman
    await old_flagman.__aexit__(None, None, None)
    async with Flagman(old_flagman.config, scene.model, tools=old_flagman._tools) as scene.flagman:
        assert '"action": "cancel"' in await told(scene, session)


async def test_of_two_answers_at_once_one_counts(scenario: Director, hosted: Hosted) -> None:
    scene, session = await begun(scenario, hosted, api_keys=SecretStr(f"boss:admin:{KEY}"))
    path = f"/v1/sessions/{session.id}/answer"
    async with Client(await scene.flagman.add_api(), KEY) as api:
        replies = await asyncio.gather(
            *(api.post(path, {"answer": name, "call_id": "1.1"}) for name in ("A", "B"))
        )
    assert sorted(reply.status for reply in replies) == [200, 409]
    await told(scene, session)
    assert len(await recorded(scene, session, InputGiven)) == 1
    assert len(hosted.calls) == 2


async def test_an_older_server_can_want_an_address_opened_before_the_call(
    hosted: Hosted, connect: Open, tools: Toolset, context: ToolContext
) -> None:
    await connect(old(hosted, "needs-address")).ready(["host"])
    run = tools["host__t"].run
    with pytest.raises(InputNeeded) as needed:
        await run({}, context)
    (request,) = needed.value.requests
    assert (request.url, request.message) == ("https://sign.example.com/in", "Sign in.")

    def answered(action: InputAction) -> ToolContext:
        given = Continued({request.key: InputAnswer(action)}, None, 1)
        return replace(context, attempt=2, continued=given)

    with pytest.raises(ToolError, match="which was declined; the call did not run"):
        await run({}, answered("decline"))
    (hosted.folder / "opened").touch()
    assert (await run({}, answered("accept"))).content == "done"
