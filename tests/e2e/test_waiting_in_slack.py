"""Pausing until something happens, timed resumes, reminders, snoozing and schedules, as people use them in Slack."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from bot.clock import Clock
from supervisor.core.conditions import At
from supervisor.core.events import SYSTEM, Actor
from supervisor.core.state import Session
from tests.support.flagman import Flagman
from tests.support.slack import ADA, GRACE, OPS, Slack, buttons, texts, wait_for

pytestmark = pytest.mark.usefixtures("partitions")


@pytest.fixture
async def clock(flagman: Flagman) -> AsyncIterator[Clock]:
    async with Clock(flagman.core) as ticking:
        yield ticking


async def _waiting(slack: Slack, flagman: Flagman) -> Session:
    await slack.command(ADA, OPS, 'launch sre "report on the disk"')
    return await flagman.session(lambda s: s.waiting_for == "human_approval_required")


async def _said(slack: Slack, text: str, user: str = ADA) -> str:
    answer = await slack.command(user, OPS, text)
    assert answer["ok"], answer
    return str(answer["response"]["text"])


async def test_a_pause_until_a_webhook_shows_what_it_waits_for_and_ends_with_it(
    slack: Slack, flagman: Flagman
) -> None:
    session = await _waiting(slack, flagman)
    said = await _said(slack, f"pause {session.id} until webhook: redis_ready or in 2h because of the move")
    assert "webhook: redis_ready" in said
    assert "can come: set a secret for it" in said
    paused = await flagman.session(lambda s: s.pause is not None)
    assert [c.type for _, c in paused.waits] == ["webhook", "at"]
    card = await slack.message(OPS, lambda m: "Waiting for an external event" in texts(m))
    note = await slack.message(OPS, lambda m: "Resumes:" in texts(m), card["ts"])
    assert "redis_ready" in texts(note)
    await flagman.core.deliveries.deliver(
        "webhook", "redis_ready", "1", {"url": "x"}, Actor(id="webhook:redis_ready")
    )
    await slack.message(OPS, lambda m: m["ts"] == note["ts"] and "Resumed by" in texts(m), card["ts"])


async def test_what_is_added_to_a_pause_may_have_come_before(slack: Slack, flagman: Flagman) -> None:
    session = await _waiting(slack, flagman)
    await _said(slack, f"pause {session.id}")
    assert "it is kept for a while" in await _said(slack, 'event go.live {"env": "prod"}')
    await _said(slack, f"pause {session.id} until event: go.live")
    woken = await flagman.session(lambda s: s.pause is None and s.halts, session.id)
    assert "prod" in woken.inbox[-1].text
    await _said(slack, f"pause {session.id}")
    await _said(slack, f"pause {session.id} until children")
    await flagman.session(lambda s: s.pause is None, session.id)


async def test_a_timed_resume_goes_on_by_itself(slack: Slack, flagman: Flagman, clock: Clock) -> None:
    session = await _waiting(slack, flagman)
    await _said(slack, f"pause {session.id}")
    assert "resumes" in await _said(slack, f"resume {session.id} in 1s")
    resumed = await flagman.session(lambda s: s.pause is None and s.halts)
    assert {h.trigger for h in resumed.halts} == {"clock"}
    assert await flagman.core.timers().count() == 0


@pytest.mark.parametrize(
    "when", ["09:00", "tomorrow 09:00", "monday 09:00", "at noon", "in half an hour", "9am", "2h"]
)
async def test_a_resume_at_a_time_waits_for_it_and_keeps_the_words(
    slack: Slack, flagman: Flagman, when: str
) -> None:
    session = await _waiting(slack, flagman)
    await _said(slack, f"pause {session.id}")
    assert "reads your message first" in await _said(
        slack, f"resume {session.id} {when} look at the canary first"
    )
    paused = await flagman.session(lambda s: s.pause is not None and s.waits)
    [due] = [c.due for _, c in paused.waits if isinstance(c, At)]
    assert due > paused.changed_at
    assert [item.text for item in paused.inbox][-1:] == ["look at the canary first"]
    # One append: a process that dies leaves both the time and the words, or neither.
    timed, words = (await flagman.core.supervisor.sessions.events(session.id))[-2:]
    assert (timed.type, words.type) == ("Paused", "ContextAdded")
    assert timed.at == words.at


@pytest.mark.parametrize(
    "when", ["in -5s", "25:00", "tomorrow", "at 9", "next monday", "in 3 moons", "09:00 UTC"]
)
async def test_a_resume_at_a_time_that_cannot_be_read_resumes_nothing(
    slack: Slack, flagman: Flagman, when: str
) -> None:
    session = await _waiting(slack, flagman)
    await _said(slack, f"pause {session.id}")
    assert "in half an hour" in await _said(slack, f"resume {session.id} {when}")
    assert (await flagman.session(lambda s: True, session.id)).pause is not None
    assert "resumes." in await _said(slack, f'resume {session.id} "{when}"')


async def test_a_pause_for_a_reason_is_not_taken_for_a_time(slack: Slack, flagman: Flagman) -> None:
    session = await _waiting(slack, flagman)
    await _said(slack, f"pause {session.id} for lunch")
    paused = await flagman.session(lambda s: s.pause is not None)
    assert (paused.halts[0].detail, paused.waits) == ("for lunch", ())


async def test_nine_o_clock_is_the_speakers_own(slack: Slack, flagman: Flagman) -> None:
    session = await _waiting(slack, flagman)
    await _said(slack, f"pause {session.id}")
    await _said(slack, f"resume {session.id} at 09:00", ADA)
    await _said(slack, f"resume {session.id} at 09:00", GRACE)
    paused = await flagman.session(lambda s: len(s.waits) == 2)
    berlin, new_york = (c.due for _, c in paused.waits if isinstance(c, At))
    assert (new_york - berlin).total_seconds() % 86400 in (5 * 3600, 6 * 3600, 7 * 3600)


async def test_a_reminder_comes_in_the_thread_and_can_be_snoozed_and_dismissed(
    slack: Slack, flagman: Flagman, clock: Clock
) -> None:
    session = await _waiting(slack, flagman)
    assert "reminder is set" in await _said(slack, f'remind {session.id} in 1s "look at the graph"')
    card = await slack.message(OPS, lambda m: "Waiting for an approval" in texts(m))
    note = await slack.message(OPS, lambda m: "look at the graph" in texts(m), card["ts"])
    assert set(buttons(note)) == {"snooze_hour", "snooze_morning", "reminder_dismiss"}
    await slack.click(ADA, OPS, note["ts"], "snooze_hour")
    again = await flagman.session(lambda s: [t for t in s.timers if t.state == "set"])
    assert [t.text for t in again.timers] == ["look at the graph"] * 2
    gone = await slack.message(
        OPS, lambda m: m["ts"] == note["ts"] and f"Snoozed by <@{ADA}>" in texts(m), card["ts"]
    )
    assert not buttons(gone)


async def test_an_approval_can_be_put_off_and_still_be_given(slack: Slack, flagman: Flagman) -> None:
    session = await _waiting(slack, flagman)
    card = await slack.message(OPS, lambda m: "Waiting for an approval" in texts(m))
    ask = await slack.message(OPS, lambda m: "Approval needed" in texts(m), card["ts"])
    await slack.choose(GRACE, OPS, ask, "snooze_morning")
    await slack.choose(ADA, OPS, ask, "snooze_hour")
    await slack.choose(ADA, OPS, ask, "snooze_hour")
    ask = await slack.message(
        OPS, lambda m: m["ts"] == ask["ts"] and f"<@{ADA}> <!date" in texts(m), card["ts"]
    )
    assert f"Will be reminded: <@{GRACE}> <!date" in texts(ask)
    assert [
        t.by for t in (await flagman.session(lambda s: s.timers, session.id)).timers if t.state == "set"
    ] == [
        f"slack:{GRACE}",
        f"slack:{ADA}",
    ]
    await flagman.core.supervisor.fire_timer(session.id, "t3", SYSTEM)
    note = await slack.message(OPS, lambda m: "An approval above still waits" in texts(m), card["ts"])
    await slack.click(ADA, OPS, ask["ts"], "call_approve_all")
    note = await slack.message(
        OPS, lambda m: m["ts"] == note["ts"] and "No longer needed" in texts(m), card["ts"]
    )
    assert not buttons(note)
    done = await flagman.session(lambda s: s.lifecycle == "completed", session.id)
    assert await flagman.core.timers().count() == 0
    assert done.timers[0].state == "set"


async def test_a_schedule_is_made_listed_run_paused_and_deleted(
    slack: Slack, flagman: Flagman, tmp_path: Path
) -> None:
    said = await slack.command(ADA, OPS, 'schedule "0 9 * * MON" launch sre "weekly report"')
    assert "Europe/Berlin" in texts(said["response"])
    assert texts(said["response"]).count("<!date^") == 3
    [schedule] = await flagman.core.schedules.list()
    assert schedule.due is not None
    assert schedule.id in texts((await slack.command(ADA, OPS, "schedule list"))["response"])
    await slack.command(ADA, OPS, f"schedule run {schedule.id}")
    launched = await flagman.session(lambda s: s.task == "weekly report")

    async def recorded() -> bool:
        return (await flagman.core.schedules.get(schedule.id)).last_session == launched.id

    # The session is there a moment before the schedule's row names it.
    await wait_for(recorded)
    await slack.command(ADA, OPS, f"schedule pause {schedule.id}")
    assert (await flagman.core.schedules.get(schedule.id)).due is None
    await slack.command(ADA, OPS, f"schedule delete {schedule.id}")
    assert await flagman.core.schedules.list() == []


WRONG = [
    ("pause {id} until tea time", "is no time that can be read"),
    ("pause {id} until webhook: a b", "is no webhook name"),
    ("pause {id} for 3 moons", "is no time that can be read"),
    ("remind {id} soon", "is no time that can be read"),
    ("remind {id} look at it", "When? Write"),
    ("remind {id}", "When? Write"),
    ("schedule every day", "Write `"),
    ('schedule "61 * * * *" launch sre x', "no cron expression"),
    ('schedule "0 0 31 2 *" launch sre x', "“0 0 31 2 *” never comes"),
    ('schedule "0 9 * * MON tail" launch sre x', "no cron expression"),
    ("pause {id} until cron: 0 0 31 4,6 *", "“0 0 31 4,6 *” never comes"),
    ("pause {id} until cron: 0 9 * * MON tail", "no cron expression"),
    ('schedule "* * * * *" launch nobody x', "no persona"),
    ("schedule pause 123456", "There is no schedule"),
    ("resume {id} in 2h", "waits for an approval"),
]


async def test_a_wrong_time_or_condition_gets_one_sentence(slack: Slack, flagman: Flagman) -> None:
    session = await _waiting(slack, flagman)
    for text, hint in WRONG:
        said = await _said(slack, text.format(id=session.id))
        assert hint in said, text
        assert "Traceback" not in said
