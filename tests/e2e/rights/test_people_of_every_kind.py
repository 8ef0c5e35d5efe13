"""People of every kind click, write and read: each gets what the rules say, and the log has what was refused."""

from __future__ import annotations

from typing import Any

import pytest

from supervisor.contract.requests import AnswerRequest
from supervisor.contract.service import SessionService
from supervisor.core.errors import NotAllowed, SessionNotFound
from supervisor.core.events import ActionRefused, Actor
from supervisor.core.state import Session
from tests.support.scenario import APPROVE, Director, Scene
from tests.support.scripted import calls, in_turn, says
from tests.support.seen import recent_sessions
from tests.support.slack import ADA, ADA_DM, BOT, GRACE, KEN, LINUS, OPS, OTHER_TEAM, Json, texts, wait_for

ONE = in_turn(calls(("deploy", {"service": "shop"})), says("Done."))
KINDS: dict[str, dict[str, Any]] = {
    "guest": {"name": "gus", "is_restricted": True},
    "single-channel guest": {"name": "gia", "is_ultra_restricted": True},
    "of another workspace": {"name": "vera", "team_id": OTHER_TEAM},
}
RULE = [{"tool": "deploy", "mode": "ask"}]


async def refusals(scene: Scene, session: Session) -> list[ActionRefused]:
    events = await scene.flagman.core.supervisor.sessions.events(session.id)
    return [event for event in events if isinstance(event, ActionRefused)]


async def newcomer(scene: Scene, kind: str) -> tuple[str, str]:
    """A person of this kind, and a channel with them, ADA and the bot."""
    about = KINDS[kind]
    person = str((await scene.slack.person(**about))["id"])
    teams = [about["team_id"]] if "team_id" in about else []
    return person, await scene.slack.channel(
        name=f"with-{about['name']}", members=[ADA, person, BOT], teams=teams
    )


@pytest.mark.parametrize("kind", KINDS)
async def test_outsiders_see_the_message_and_may_nothing(scenario: Director, kind: str) -> None:
    scene = await scenario(ONE, persona={"approvals": RULE})
    person, channel = await newcomer(scene, kind)
    session = await scene.waiting(await scene.launch(channel=channel))
    (message,) = await scene.asked(session, channel=channel)
    await scene.slack.click(person, channel, message["ts"], APPROVE)
    await scene.slack.message(channel, lambda m: "no rights here" in texts(m), message["thread_ts"], person)
    assert not scene.runs()
    (refused,) = await refusals(scene, session)
    assert (refused.by, refused.attempt, refused.about) == (f"slack:{person}", "approve", "1.1")
    await scene.slack.post(person, channel, f"<@{BOT}> cancel", message["thread_ts"])
    await scene.slack.wait_for(lambda: _attempts(scene, session, 2))
    assert (await scene.flagman.core.supervisor.get(session.id)).status == "paused"
    await scene.slack.click(ADA, channel, message["ts"], APPROVE)
    await scene.ended(session)


async def _attempts(scene: Scene, session: Session, count: int) -> bool:
    return len(await refusals(scene, session)) >= count


async def test_a_rule_that_names_guests_lets_them(scenario: Director) -> None:
    rule = [{"tool": "deploy", "mode": "ask", "approvers": {"guests": True}}]
    scene = await scenario(ONE, persona={"approvals": rule})
    person, channel = await newcomer(scene, "guest")
    session = await scene.waiting(await scene.launch(channel=channel))
    (message,) = await scene.asked(session, channel=channel)
    await scene.slack.click(person, channel, message["ts"], APPROVE)
    assert (await scene.ended(session)).call("1.1").decisions[0].by == f"slack:{person}"


async def test_admitted_teams_count_as_members(scenario: Director) -> None:
    scene = await scenario(ONE, persona={"approvals": RULE}, teams=OTHER_TEAM)
    person, channel = await newcomer(scene, "of another workspace")
    session = await scene.waiting(await scene.launch(channel=channel))
    (message,) = await scene.asked(session, channel=channel)
    await scene.slack.click(person, channel, message["ts"], APPROVE)
    await scene.ended(session)


async def test_a_guest_launches_nothing(scenario: Director) -> None:
    scene = await scenario(ONE, persona={"approvals": RULE})
    person, channel = await newcomer(scene, "guest")
    answer = await scene.slack.command(person, channel, "launch ops ship it")
    assert "Guests have no rights here" in str(answer)
    assert not await recent_sessions(scene.flagman.core)


@pytest.mark.parametrize("kind", ["guest", "single-channel guest"])
async def test_outsiders_wake_nobody(scenario: Director, kind: str) -> None:
    scene = await scenario(ONE, persona={"approvals": RULE})
    person, channel = await newcomer(scene, kind)
    session = await scene.waiting(await scene.launch())
    await scene.slack.command(ADA, OPS, f"pause {session.id} until event: go.live")
    assert "no rights here" in str(await scene.slack.command(person, channel, "event go.live"))
    assert (await scene.flagman.core.supervisor.get(session.id)).pause
    assert "It resumed" in str(await scene.slack.command(GRACE, OPS, "event go.live"))


async def test_a_private_channel_is_read_and_steered_by_its_members(scenario: Director) -> None:
    scene = await scenario(ONE, persona={"approvals": RULE})
    private = await scene.slack.channel("private", name="secret-ops", members=[ADA, GRACE, BOT])
    session = await scene.waiting(await scene.launch("the secret thing", channel=private))
    for verb in ("status", "log", "files", "pause", "resume", "cancel", "fork", "remind"):
        more = " in 5m look" if verb == "remind" else ""
        answer = await scene.slack.command(KEN, OPS, f"{verb} {session.id}{more}")
        assert "There is no session" in str(answer), (verb, answer)
    assert "the secret thing" not in str(await scene.slack.command(KEN, OPS, "list"))
    assert "the secret thing" not in str(await scene.slack.home(KEN))
    assert "the secret thing" in str(await scene.slack.command(GRACE, OPS, "list"))
    assert "the secret thing" in str(await scene.slack.command(GRACE, OPS, f"status {session.id}"))
    assert "is cancelled" in str(await scene.slack.command(GRACE, OPS, f"cancel {session.id}"))


async def test_only_operators_steer_where_the_persona_names_approvers(scenario: Director) -> None:
    rule = [{"tool": "deploy", "mode": "ask", "approvers": {"groups": ["sre"]}}]
    scene = await scenario(ONE, persona={"approvals": rule})
    session = await scene.waiting(await scene.launch(user=LINUS))
    answer = str(await scene.slack.command(KEN, OPS, f"cancel {session.id}"))
    assert "You may not steer this session" in answer
    assert "a member of sre" in answer
    (refused,) = await refusals(scene, session)
    assert (refused.by, refused.attempt) == (f"slack:{KEN}", "cancel")
    assert session.id in str(await scene.slack.command(KEN, OPS, f"status {session.id}"))
    assert "is cancelled" in str(await scene.slack.command(GRACE, OPS, f"cancel {session.id}"))


async def test_who_left_the_group_has_lost_the_right_at_the_click(scenario: Director) -> None:
    rule = [{"tool": "deploy", "mode": "ask", "approvers": {"groups": ["sre"]}}]
    two = in_turn(calls(("deploy", {"service": "a"})), calls(("deploy", {"service": "b"})), says("Done."))
    scene = await scenario(two, persona={"approvals": rule})
    session = await scene.waiting(await scene.launch(user=LINUS))
    (first,) = await scene.asked(session)
    await scene.slack.click(GRACE, OPS, first["ts"], APPROVE)
    session = await scene.flagman.session(lambda s: s.calls_in("awaiting") and len(s.steps) == 2, session.id)

    async def asked_again() -> Json | None:
        return next((row for row in await scene.asked(session) if row["ts"] != first["ts"]), None)

    second = await wait_for(asked_again)
    workspace = scene.slack.playground.workspace
    group = next(g for g in workspace.groups.values() if g.handle == "sre")
    workspace.groups[group.id] = type(group)(group.id, group.handle, group.name, (ADA,))
    await scene.slack.click(GRACE, OPS, second["ts"], APPROVE)
    await scene.slack.wait_for(lambda: _attempts(scene, session, 1))
    assert len(scene.runs()) == 1
    assert "deploy" in texts(second)


async def test_an_admin_decides_only_where_nobody_else_can(scenario: Director) -> None:
    alone = [{"tool": "deploy", "mode": "ask", "approvers": {"users": [LINUS], "exclude_requester": True}}]
    scene = await scenario(ONE, persona={"approvals": alone}, admins=KEN)
    stuck = await scene.waiting(await scene.launch(user=LINUS))
    (message,) = await scene.asked(stuck)
    await scene.slack.click(KEN, OPS, message["ts"], APPROVE)
    assert (await scene.ended(stuck)).call("1.1").decisions[0].via == "admin"
    other = await scene.waiting(await scene.launch(user=ADA))
    (message,) = await scene.asked(other)
    await scene.slack.click(KEN, OPS, message["ts"], APPROVE)
    await scene.slack.wait_for(lambda: _attempts(scene, other, 1))
    assert len(scene.runs()) == 1


async def test_a_copy_stays_where_its_session_is_and_obeys_the_persona_of_today(scenario: Director) -> None:
    scene = await scenario(ONE, persona={"approvals": RULE})
    private = await scene.slack.channel("private", name="secret-ops", members=[ADA, GRACE, BOT])
    session = await scene.waiting(await scene.launch(channel=private))
    answer = str(await scene.slack.command(GRACE, OPS, f"fork {session.id} at 0 again"))
    assert "Copied" in answer
    copy = await scene.flagman.session(lambda s: s.forked is not None)
    assert copy.origin["slack"]["channel"] == private


async def test_a_group_that_is_gone_locks_nobody_out_who_needs_it_not(scenario: Director) -> None:
    rule = [{"tool": "deploy", "mode": "ask", "approvers": {"users": [GRACE], "groups": ["sre"]}}]
    scene = await scenario(ONE, persona={"approvals": rule}, admins=KEN)
    session = await scene.waiting(await scene.launch(user=LINUS))
    (message,) = await scene.asked(session)
    groups = scene.slack.playground.workspace.groups
    for ident in [g.id for g in groups.values() if g.handle == "sre"]:
        del groups[ident]
    for person in (LINUS, KEN):
        assert "Waiting for an approval" in str(
            await scene.slack.command(person, OPS, f"status {session.id}")
        ).replace("waiting", "Waiting")
    await scene.slack.click(GRACE, OPS, message["ts"], APPROVE)
    await scene.ended(session)


async def test_an_approver_who_was_deactivated_is_no_dead_end(scenario: Director) -> None:
    rule = [{"tool": "deploy", "mode": "ask", "approvers": {"users": [GRACE]}}]
    scene = await scenario(ONE, persona={"approvals": rule}, admins=KEN)
    session = await scene.waiting(await scene.launch(user=LINUS))
    (message,) = await scene.asked(session)
    await scene.slack.person(id=GRACE, deleted=True)
    await scene.slack.click(KEN, OPS, message["ts"], APPROVE)
    assert (await scene.ended(session)).call("1.1").decisions[0].via == "admin"


async def test_lists_use_up_no_readings_that_decisions_need(scenario: Director) -> None:
    rule = [{"tool": "deploy", "mode": "ask", "approvers": {"groups": ["sre"]}}]
    scene = await scenario(ONE, persona={"approvals": rule})
    for _ in range(4):
        await scene.waiting(await scene.launch())
    before = len(await scene.slack.calls("usergroups.users.list"))
    for _ in range(3):
        assert str(await scene.slack.command(GRACE, OPS, "list")).count("ship it") == 4
    assert len(await scene.slack.calls("usergroups.users.list")) <= before + 1


async def test_who_a_person_is_and_when_it_is_for_them_is_asked_once(scenario: Director) -> None:
    scene = await scenario(ONE, persona={"approvals": RULE})
    session = await scene.waiting(await scene.launch(user=KEN))
    answer = await scene.slack.command(KEN, OPS, f"remind {session.id} tomorrow 09:00 look")
    assert "eminder" in str(answer)
    asked = [call for call in await scene.slack.calls("users.info") if KEN in str(call)]
    assert len(asked) == 1


async def test_an_operator_finds_and_answers_a_session_in_the_direct_message_of_another(
    scenario: Director,
) -> None:
    asks = in_turn(calls(("ask_human", {"question": "Which one?"})), says("Thanks."))
    scene = await scenario(asks, persona={"operators": {"users": [GRACE]}})
    session = await scene.launch(user=ADA, channel=ADA_DM)
    await scene.flagman.session(lambda s: s.calls_in("asking"), session.id)
    services = scene.flagman.core.services()
    answer = AnswerRequest.of(call_id="1.1", answer="the first")
    with pytest.raises(NotAllowed):
        await SessionService(services, Actor(id=f"slack:{ADA}")).answer(session.id, answer)
    with pytest.raises(SessionNotFound):
        await SessionService(services, Actor(id=f"slack:{KEN}")).load(session.id)
    grace = SessionService(services, Actor(id=f"slack:{GRACE}"))
    assert [found.id for found in await grace.recent()] == [session.id]
    await grace.answer(session.id, answer)
    await scene.ended(session)
