"""A question, a stop or a failure where nobody may act who sees it is shown to somebody who may."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

import pytest

import handlers.projection.message_poster
import handlers.projection.refusals
from supervisor.contract.requests import LaunchRequest
from supervisor.contract.service import SessionService
from supervisor.core.commands.base import stamp
from supervisor.core.events import ApprovalDecided, Event, OutcomeLost, ToolStarted
from supervisor.core.messages import ModelReply, ModelRequest
from supervisor.core.reducer import fold
from tests.core.build import AT, BOB, by
from tests.e2e.rights.test_who_may_decide_is_asked import direct, ruled
from tests.support.scenario import APPROVE, Director, Scene
from tests.support.scripted import Behaviour, calls, in_turn, says, told
from tests.support.slack import ADA, BOT, GRACE, KEN, LINUS, OPS, OTHER_TEAM, Json, Slack, buttons, texts
from tests.support.subagents import CHILD_RETRY, CHILD_SKIP, coordinated, plan, subtask

ASKS = in_turn(calls(("ask_human", {"question": "Which one?", "options": ["red", "blue"]})), says("Thanks."))
DEPLOYS = in_turn(calls(("deploy", {"service": "shop"})), says("Done."))
LOOKS: Behaviour = lambda _: calls(("note", {"words": "look"}))  # noqa: E731
FAILS: Behaviour = lambda _: calls(("deploy", {"nonsense": 1}))  # noqa: E731
OPERATORS = {"operators": {"users": [GRACE]}}
RESUME, WITH = "session_resume", "session_resume_with"


@pytest.fixture(autouse=True)
def _soon(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(handlers.projection.refusals, "RETRY_SECONDS", 0.05)
    monkeypatch.setattr(handlers.projection.message_poster, "MOVE_SECONDS", 0.05)


async def private(scene: Scene) -> str:
    """A channel that GRACE does not see."""
    return await scene.slack.channel("private", name="secret-ops", members=[ADA, KEN, BOT])


async def shown(scene: Scene, action: str, user: str = GRACE) -> tuple[str, Json]:
    """The request with this button as it stands in the direct conversation with this person."""
    channel = await direct(scene, user)
    return channel, await scene.slack.message(channel, lambda m: action in buttons(m), user=user)


def once(given: asyncio.Event, behave: Behaviour) -> Behaviour:
    """The same behaviour, from when the event is set."""

    async def wait(request: ModelRequest) -> ModelReply:
        await given.wait()
        reply = behave(request)
        assert isinstance(reply, ModelReply)
        return reply

    return wait


async def nothing_is_said_to(scene: Scene, *people: str) -> None:
    for person in people:
        assert not await scene.slack.messages(await direct(scene, person), user=person)


async def test_a_question_is_answered_by_an_operator_who_does_not_see_its_place(scenario: Director) -> None:
    scene = await scenario(ASKS, persona=OPERATORS)
    place = await private(scene)
    session = await scene.launch(channel=place)
    channel, ask = await shown(scene, "question_form")
    card = await scene.card(session, place)
    there = await scene.slack.message(place, lambda m: f"Asked: <@{GRACE}>" in texts(m), card["ts"])
    assert "Nobody who sees this conversation may decide on it" in texts(there)
    assert not buttons(there)
    assert "There is no session" in str(await scene.slack.command(GRACE, OPS, f"status {session.id}"))
    assert "There is no session" in str(await scene.slack.command(LINUS, OPS, f"cancel {session.id}"))
    assert (await scene.slack.click(GRACE, channel, ask["ts"], "question_form"))["ok"]
    await scene.slack.submit(GRACE, await scene.slack.view(GRACE), {"value": "green"})
    assert (await scene.ended(session)).call("1.1").content == "green"
    await scene.slack.message(channel, lambda m: "Answer: green" in texts(m) and not buttons(m), user=GRACE)


async def test_what_is_replied_to_the_copy_of_a_question_is_its_answer(scenario: Director) -> None:
    scene = await scenario(ASKS, persona=OPERATORS)
    session = await scene.launch(channel=await direct(scene, ADA))
    channel, ask = await shown(scene, "question_form")
    await scene.slack.post(GRACE, channel, "the red one", ask["ts"])
    assert (await scene.ended(session)).call("1.1").content == "the red one"


@pytest.mark.parametrize("where", ["direct", "private"])
async def test_a_budget_is_raised_by_who_may_approve_its_cost(scenario: Director, where: str) -> None:
    rule = ruled(users=[ADA, GRACE], exclude_requester=True)
    scene = await scenario(LOOKS, persona={**rule, "budgets": {"max_steps": 1}})
    place = await private(scene) if where == "private" else await direct(scene, ADA)
    session = await scene.launch(channel=place)
    channel, ask = await shown(scene, WITH)
    assert (await scene.slack.click(GRACE, channel, ask["ts"], WITH))["ok"]
    await scene.slack.submit(GRACE, await scene.slack.view(GRACE), {"value": "look again"})
    await scene.flagman.session(lambda s: s.budgets.max_steps == 2 and len(s.steps) == 2, session.id)
    assert "look again" in told(scene.model.requests[-1])[-1]


async def test_a_stop_after_errors_is_shown_to_an_operator(scenario: Director) -> None:
    scene = await scenario(FAILS, persona=OPERATORS)
    session = await scene.launch(channel=await private(scene))
    channel, ask = await shown(scene, RESUME)
    assert "consecutive errors" in texts(ask)
    assert (await scene.slack.click(GRACE, channel, ask["ts"], RESUME))["ok"]
    await scene.flagman.session(lambda s: len(s.halts) == 2, session.id)
    again = await scene.slack.message(
        channel, lambda m: RESUME in buttons(m) and m["ts"] != ask["ts"], user=GRACE
    )
    assert (await scene.slack.cancel(GRACE, channel, again))["ok"]
    assert (await scene.ended(session)).lifecycle == "cancelled"


async def test_a_failed_sub_agent_is_shown_alone_to_an_operator(scenario: Director, tmp_path: Path) -> None:
    two = plan(subtask("look"), subtask("other"), on_failure="ask")
    parts = {"look": lambda _: calls(("give_up", {"reason": "No host."})), "other": ASKS}
    scene = await coordinated(scenario, tmp_path, two, parts, persona=OPERATORS)
    place = await private(scene)
    session = await scene.launch(channel=place)
    channel, ask = await shown(scene, CHILD_SKIP)
    assert "No host." in texts(ask)
    assert "Which one?" not in texts(ask)
    card = await scene.card(session, place)
    there = await scene.slack.message(
        place, lambda m: "No host." in texts(m) and f"<@{GRACE}>" in texts(m), card["ts"]
    )
    assert CHILD_RETRY not in buttons(there)
    assert (await scene.slack.click(GRACE, channel, ask["ts"], CHILD_SKIP))["ok"]
    _, question = await shown(scene, "question_form")
    assert (await scene.slack.click(GRACE, channel, question["ts"], "question_answer:0"))["ok"]
    await scene.ended(session)
    await scene.slack.message(channel, lambda m: "Left out by" in texts(m), user=GRACE)


async def test_an_approval_of_a_sub_agent_is_asked_for_once(scenario: Director, tmp_path: Path) -> None:
    parts = {"shop": DEPLOYS}
    scene = await coordinated(scenario, tmp_path, plan(subtask("shop")), parts, worker=ruled(users=[GRACE]))
    session = await scene.launch(channel=await direct(scene, ADA))
    channel, ask = await shown(scene, APPROVE)
    assert (await scene.slack.click(GRACE, channel, ask["ts"], APPROVE))["ok"]
    await scene.ended(session)
    assert len(await scene.slack.messages(channel, user=GRACE)) == 1


async def test_a_call_that_was_cut_off_is_shown_to_an_operator(scenario: Director) -> None:
    scene = await scenario(DEPLOYS, persona=OPERATORS)
    before = await scene.waiting(await scene.launch(channel=await private(scene)))
    (call,) = before.calls_in("awaiting")
    about = {"call_id": call.call_id, "digest": call.call.digest}
    events: list[Event] = [
        ApprovalDecided(**stamp(BOB, AT), **about, verdict="approve"),
        ToolStarted(**by(), **about, attempt=1, idempotency_key="k"),
        OutcomeLost(**by(), call_id=call.call_id, attempt=1),
    ]
    await scene.flagman.core.sessions.append(before, fold(before.id, events, before), events)
    channel, ask = await shown(scene, "outcome_done")
    assert (await scene.slack.click(GRACE, channel, ask["ts"], "outcome_done"))["ok"]
    await scene.slack.submit(GRACE, await scene.slack.view(GRACE), {"value": "deployed by hand"})
    assert (await scene.ended(before)).call("1.1").content == "deployed by hand"


async def test_where_somebody_who_may_act_sees_it_nobody_else_is_told(scenario: Director) -> None:
    scene = await scenario(ASKS, persona=ruled(users=[GRACE]), admins=KEN)
    place = await direct(scene, ADA)
    session = await scene.launch(channel=place)
    card = await scene.card(session, place)
    ask = await scene.slack.message(place, lambda m: "question_form" in buttons(m), card["ts"])
    await scene.slack.click(ADA, place, ask["ts"], "question_answer:1")
    await scene.ended(session)
    await nothing_is_said_to(scene, GRACE, KEN)


async def test_an_admin_is_asked_where_no_operator_is_left(scenario: Director) -> None:
    given = asyncio.Event()
    scene = await scenario(once(given, ASKS), persona={"operators": {"users": [LINUS]}}, admins=KEN)
    session = await scene.launch(channel=await direct(scene, ADA))
    await scene.slack.person(id=LINUS, deleted=True)
    given.set()
    channel, ask = await shown(scene, "question_form", KEN)
    assert (await scene.slack.click(KEN, channel, ask["ts"], "question_answer:0"))["ok"]
    await scene.ended(session)


async def test_an_admin_is_asked_where_no_approver_is_left(scenario: Director) -> None:
    given = asyncio.Event()
    rule = ruled(users=[GRACE, LINUS], quorum=2)
    scene = await scenario(once(given, DEPLOYS), persona=rule, admins=KEN)
    await scene.launch(channel=await direct(scene, ADA))
    await scene.slack.person(id=LINUS, deleted=True)
    given.set()
    for who in (GRACE, KEN):
        channel, ask = await shown(scene, APPROVE, who)
        assert (await scene.slack.click(who, channel, ask["ts"], APPROVE))["ok"]
    await scene.flagman.session(lambda s: s.ended)


async def test_where_nobody_may_act_it_says_so(scenario: Director) -> None:
    given = asyncio.Event()
    scene = await scenario(once(given, ASKS), persona={"operators": {"users": [LINUS]}})
    session = await scene.launch(channel=await direct(scene, ADA))
    await scene.slack.person(id=LINUS, deleted=True)
    given.set()
    place = await direct(scene, ADA)
    card = await scene.card(session, place)
    await scene.slack.message(place, lambda m: "Name an admin in FLAGMAN_ADMINS" in texts(m), card["ts"])


async def test_who_launched_by_a_key_into_the_conversation_of_another_is_asked(scenario: Director) -> None:
    scene = await scenario(ASKS, admins=KEN)
    core = scene.flagman.core
    key, _ = await core.api_keys().create("ci", ["launch", "admin"], "api:boss", owner=KEN)
    request = LaunchRequest.of(persona="ops", task="ship it", channel=await direct(scene, ADA))
    view = await SessionService(core.services(), key.actor).launch(request)
    channel, ask = await shown(scene, "question_form", KEN)
    assert (await scene.slack.click(KEN, channel, ask["ts"], "question_answer:0"))["ok"]
    await core.supervisor.get(view.id)
    await scene.flagman.session(lambda s: s.ended, view.id)


@pytest.mark.parametrize("about", [{"is_restricted": True}, {"team_id": OTHER_TEAM}])
@pytest.mark.parametrize("asks", ["approval", "question"])
async def test_who_is_no_full_member_is_asked_about_a_public_channel(
    scenario: Director, slack: Slack, about: dict[str, Any], asks: str
) -> None:
    guest = "U0GUEST01"
    await slack.person(id=guest, name="gus", **about)
    await slack.channel(name="with-gus", members=[ADA, guest, BOT], teams=[OTHER_TEAM])
    persona = {"operators": {"users": [guest]}, **ruled(users=[guest])}
    scene = await scenario(ASKS if asks == "question" else DEPLOYS, persona=persona)
    await scene.launch()
    channel, ask = await shown(scene, APPROVE if asks == "approval" else "question_form", guest)
    action = APPROVE if asks == "approval" else "question_answer:0"
    assert (await scene.slack.click(guest, channel, ask["ts"], action))["ok"]
    await scene.flagman.session(lambda s: s.ended)


@pytest.mark.parametrize("asks", ["approval", "question"])
async def test_a_group_that_is_gone_is_told_with_the_request(scenario: Director, asks: str) -> None:
    given = asyncio.Event()
    persona = {"operators": {"users": [ADA], "groups": ["sre"]}, **ruled(users=[ADA], groups=["sre"])}
    scene = await scenario(once(given, ASKS if asks == "question" else DEPLOYS), persona=persona)
    session = await scene.launch()
    groups = scene.slack.playground.workspace.groups
    for ident in [g.id for g in groups.values() if g.handle == "sre"]:
        del groups[ident]
    given.set()
    card = await scene.card(session)
    await scene.slack.message(OPS, lambda m: "Slack knows no user group sre" in texts(m), card["ts"])
