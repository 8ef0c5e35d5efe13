"""Schedules and reminders of who has lost the right to them do not launch, and that is told and recorded."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest
from pydantic import SecretStr

from bot.compose import now
from handlers.announcements import Announcements
from storage.api_keys import ApiKeyStore
from storage.keys import TimerKey
from supervisor.api_keys import LOCAL, ApiKeys, parse_keys
from supervisor.contract.creators import Creators
from supervisor.core.events import ActionRefused, Actor
from supervisor.schedules import OWNER, Schedule
from tests.support.scenario import Director, Scene, write_persona
from tests.support.scripted import calls, in_turn, says
from tests.support.seen import recent_sessions
from tests.support.slack import ADA, BOT, GRACE, KEN, LINUS, OPS, Json, texts, wait_for

ONE = in_turn(calls(("deploy", {"service": "shop"})), says("Done."))
OPERATORS = {"operators": {"groups": ["sre"]}}


async def scheduled(scene: Scene, user: str = GRACE, channel: str = OPS) -> Schedule:
    """A schedule of this person that is due."""
    answer = await scene.slack.command(user, channel, 'schedule "0 9 * * MON" launch ops "weekly"')
    assert "Scheduled as" in str(answer), answer
    (made,) = await scene.flagman.core.schedules.list()
    return await overdue(scene, made)


async def overdue(scene: Scene, schedule: Schedule) -> Schedule:
    row = schedule.model_copy(update={"due": now()})
    await scene.flagman.core.schedules._store(row)
    return row


async def fire(scene: Scene, schedule: Schedule) -> Schedule:
    """The schedule after its time has come."""
    await scene.flagman.core.creators().fire(TimerKey(OWNER, schedule.id))
    return await scene.flagman.core.schedules.get(schedule.id)


async def told(scene: Scene, channel: str = OPS, user: str = ADA) -> list[Json]:
    rows = await scene.slack.messages(channel, user=user)
    return [row for row in rows if "is paused" in texts(row) and "schedule" in texts(row)]


async def lose_account(scene: Scene) -> None:
    await scene.slack.person(id=GRACE, deleted=True)


async def become_guest(scene: Scene) -> None:
    await scene.slack.person(id=GRACE, is_restricted=True)


async def leave_group(scene: Scene) -> None:
    groups = scene.slack.playground.workspace.groups
    group = next(g for g in groups.values() if g.handle == "sre")
    groups[group.id] = type(group)(group.id, group.handle, group.name, (ADA,))


async def lose_group(scene: Scene) -> None:
    groups = scene.slack.playground.workspace.groups
    for ident in [group.id for group in groups.values() if group.handle == "sre"]:
        del groups[ident]


def forget(scene: Scene) -> None:
    """As after a minute."""
    for core in scene.flagman.cores:
        if core.directory.home._people:
            core.directory.home._people._users._rows.clear()
        core.directory.home._channels._rows.clear()


@pytest.mark.parametrize("lose", [lose_account, become_guest, leave_group, lose_group])
async def test_a_schedule_whose_maker_has_no_right_any_more_is_paused(scenario: Director, lose: Any) -> None:
    scene = await scenario(ONE, persona=OPERATORS)
    schedule = await scheduled(scene)
    await lose(scene)
    forget(scene)
    after = await fire(scene, schedule)
    assert (after.due, after.untold) == (None, False)
    assert "may not launch it any more" in after.last_problem
    assert not await recent_sessions(scene.flagman.core)
    (message,) = await told(scene)
    assert f"`{schedule.id}` of <@{GRACE}>" in texts(message)
    await scene.flagman.core.creators().tell()
    assert len(await told(scene)) == 1


async def test_a_schedule_whose_maker_left_its_channel_is_paused(scenario: Director) -> None:
    scene = await scenario(ONE)
    private = await scene.slack.channel("private", name="secret-ops", members=[ADA, GRACE, BOT])
    schedule = await scheduled(scene, channel=private)
    scene.slack.playground.workspace.store.leave(private, GRACE)
    forget(scene)
    assert (await fire(scene, schedule)).due is None
    assert await told(scene, private)


async def test_a_schedule_of_who_has_the_right_launches(scenario: Director) -> None:
    scene = await scenario(ONE, persona=OPERATORS)
    after = await fire(scene, await scheduled(scene))
    assert after.due
    assert (after.last_problem, after.untold) == ("", False)
    assert [s.launched_by for s in await recent_sessions(scene.flagman.core)] == [f"slack:{GRACE}"]


async def test_where_slack_does_not_say_who_it_is_the_schedule_waits(scenario: Director) -> None:
    scene = await scenario(ONE)
    schedule = await scheduled(scene)
    forget(scene)
    await scene.slack.fault("users.info", status=503, times=100)
    after = await fire(scene, schedule)
    assert after.due == schedule.due
    assert not await recent_sessions(scene.flagman.core)
    await scene.slack.no_faults()
    assert (await fire(scene, after)).last_session
    assert not await told(scene)


async def test_a_pause_that_could_not_be_told_is_told_later(scenario: Director) -> None:
    scene = await scenario(ONE)
    schedule = await scheduled(scene)
    await lose_account(scene)
    forget(scene)
    await scene.slack.fault("chat.postMessage", status=503, times=1)
    assert (await fire(scene, schedule)).untold
    await scene.flagman.core.creators().tell()
    assert len(await told(scene)) == 1


async def test_only_who_may_steer_schedules(scenario: Director, caplog: pytest.LogCaptureFixture) -> None:
    scene = await scenario(ONE, persona=OPERATORS)
    answer = await scene.slack.command(KEN, OPS, 'schedule "0 9 * * MON" launch ops "weekly"')
    assert "You may not steer" in str(answer)
    schedule = await scheduled(scene)
    assert "You may not steer" in str(await scene.slack.command(KEN, OPS, f"schedule delete {schedule.id}"))
    refused = [record.message for record in caplog.records if record.name == "flagman.access"]
    assert any(f"slack:{KEN} was refused to schedule ops" in message for message in refused)
    assert any(f"slack:{KEN} was refused to steer schedule {schedule.id}" in message for message in refused)


@pytest.mark.parametrize("lose", [lose_account, leave_group])
async def test_a_reminder_whose_maker_has_no_right_any_more_does_not_fire(
    scenario: Director, lose: Any
) -> None:
    scene = await scenario(ONE, persona=OPERATORS)
    session = await scene.waiting(await scene.launch(user=LINUS))
    await scene.flagman.core.supervisor.remind(session.id, now(), Actor(id=f"slack:{GRACE}"), text="look")
    await lose(scene)
    forget(scene)
    await scene.flagman.core.creators().fire(TimerKey(session.id, "t1"))
    after = await scene.flagman.core.supervisor.get(session.id)
    assert (after.timers[0].state, after.timers[0].ended_by) == ("dropped", "system")
    events = await scene.flagman.core.supervisor.sessions.events(session.id)
    (refused,) = [event for event in events if isinstance(event, ActionRefused)]
    assert (refused.by, refused.attempt) == (f"slack:{GRACE}", "remind")


async def test_a_schedule_of_a_revoked_key_is_paused(scenario: Director) -> None:
    scene = await scenario(ONE)
    parts = scene.flagman.core
    made, _ = await parts.api_keys().create("ci", ["launch"], "api:boss", owner=GRACE)
    origin = parts.channels.origin_of(OPS)
    schedule = await parts.schedules.add("0 9 * * MON", "ops", "weekly", made.actor, origin=origin)
    assert (await fire(scene, await overdue(scene, schedule))).last_session
    await parts.api_keys().revoke(made.id)
    after = await fire(scene, await overdue(scene, await parts.schedules.get(schedule.id)))
    assert after.due is None
    assert "The API key ci was revoked" in after.last_problem
    assert await told(scene)


async def test_a_schedule_of_a_key_of_this_machine_that_is_gone_is_paused(scenario: Director) -> None:
    scene = await scenario(ONE)
    parts = scene.flagman.core
    made, _ = await parts.api_keys().create("ada", ["launch"], LOCAL)
    origin = parts.channels.origin_of(OPS)
    schedule = await parts.schedules.add("0 9 * * MON", "ops", "weekly", made.actor, origin=origin)
    await parts.api_keys().revoke(made.id)
    assert (await fire(scene, await overdue(scene, schedule))).due is None
    assert "The API key ada was revoked" in texts((await told(scene))[0])
    again, _ = await parts.api_keys().create("ada", ["launch"], LOCAL)
    resumed = await parts.schedules.resume(schedule.id)
    assert (await fire(scene, await overdue(scene, resumed))).last_session
    assert again.id != made.id


async def test_a_key_that_was_given_an_owner_launches_as_that_person(scenario: Director) -> None:
    ci = "ci:launch:0123456789abcdef"
    scene = await scenario(ONE, api_keys=SecretStr(ci))
    core = scene.flagman.core
    schedule = await core.schedules.add(
        "0 9 * * MON", "ops", "weekly", (await core.api_keys().recognise(ci.split(":")[2])).actor
    )
    await overdue(scene, schedule)
    keys = [key for key, _ in parse_keys(ci.replace("ci:", f"ci@{GRACE}:"))]
    given = ApiKeys(ApiKeyStore(core.redis), keys, now)
    announcements = Announcements(core.directory, core.mask, "/agent")
    creators = Creators(core, given, core.deliveries, announcements.schedule_problem)
    await creators.fire(TimerKey(OWNER, schedule.id))
    (session,) = await recent_sessions(core)
    assert session.requesters == {"api:ci", f"slack:{GRACE}"}


async def lose_persona(scene: Scene) -> None:
    core = scene.flagman.core
    assert core.settings.personas
    (core.settings.personas / "ops.md").unlink()
    await wait_for(lambda: [persona.name for persona in core.personas.all()] == ["other"])


async def lose_approver(scene: Scene) -> None:
    await scene.slack.person(id=LINUS, deleted=True)


@pytest.mark.parametrize("lose", [lose_persona, lose_approver])
async def test_a_schedule_whose_persona_cannot_be_launched_is_told_once(
    scenario: Director, lose: Any
) -> None:
    rule = [{"tool": "deploy", "mode": "ask", "approvers": {"users": [LINUS, KEN]}}]
    write_persona(scenario.personas, "other")
    scene = await scenario(ONE, persona={"approvals": rule, "operators": {"users": [GRACE]}})
    schedule = await scheduled(scene)
    await lose(scene)
    scene.flagman.core.names._found.clear()
    for _ in range(2):
        after = await fire(scene, await overdue(scene, await scene.flagman.core.schedules.get(schedule.id)))
        assert after.due
        assert after.last_problem
    rows = await scene.slack.messages(OPS)
    (message,) = [row for row in rows if "could not launch" in texts(row)]
    assert f"The schedule `{schedule.id}` of <@{GRACE}>" in texts(message)
    assert "It is tried again at its next time" in texts(message)


async def test_two_clocks_tell_once(scenario: Director) -> None:
    scene = await scenario(ONE, webs=2)
    schedule = await scheduled(scene)
    await lose_account(scene)
    forget(scene)
    await scene.flagman.core.schedules.suspend(schedule, "They may not launch it any more.")
    await asyncio.gather(*(core.creators().tell() for core in scene.flagman.cores for _ in range(2)))
    assert len(await told(scene)) == 1


async def test_no_change_of_a_schedule_is_lost_to_another(scenario: Director) -> None:
    scene = await scenario(ONE, webs=2)
    schedule = await scheduled(scene)

    def more(standing: Schedule) -> Schedule:
        return standing.model_copy(update={"task": f"{standing.task}!"})

    schedules = [core.schedules for core in scene.flagman.cores]
    await asyncio.gather(*(one._change(schedule.id, more) for one in schedules for _ in range(5)))
    assert (await schedules[0].get(schedule.id)).task == f"weekly{'!' * 5 * len(schedules)}"


async def test_each_of_many_schedules_is_told_once(scenario: Director) -> None:
    scene = await scenario(ONE, persona=OPERATORS)
    core = scene.flagman.core
    for number in range(3):
        await scene.slack.command(GRACE, OPS, f'schedule "0 9 * * MON" launch ops "weekly {number}"')
    await lose_account(scene)
    forget(scene)
    made = [await overdue(scene, schedule) for schedule in await core.schedules.list()]
    creators = core.creators()
    await asyncio.gather(*(creators.fire(TimerKey(OWNER, schedule.id)) for schedule in made))
    assert len(await told(scene)) == len(made) == 3


async def test_what_is_deleted_while_slack_is_asked_stays_deleted(scenario: Director) -> None:
    scene = await scenario(ONE)
    core = scene.flagman.core
    gone = await scheduled(scene)
    await core.schedules.delete(gone.id)
    await core.schedules.postpone(gone, "Slack does not say who you are right now.")
    await core.schedules.suspend(gone, "They may not launch it any more.")
    assert not await core.schedules.list()
