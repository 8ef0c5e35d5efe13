"""Reminders: set, fired once, put away and snoozed, each with its refusals."""

from __future__ import annotations

from datetime import timedelta

import pytest

from supervisor.core.commands.approvals import Seen, decide
from supervisor.core.commands.reminders import MAX_REMINDERS, drop_timer, fire_timer, remind, snooze
from supervisor.core.errors import IllegalEvent, InvalidInput
from supervisor.core.events import Cancelled, Event, TimerDropped, TimerFired, TimerSet
from supervisor.core.reducer import fold
from supervisor.core.state import Session
from tests.core.build import AT, BOB, PIPELINE, SID, awaiting, by, launched

DUE = AT + timedelta(hours=1)
START = fold(SID, [launched()])


def after(session: Session, events: list[Event]) -> Session:
    return fold(SID, events, session)


def reminded(about: str = "", session: Session = START) -> Session:
    return after(session, remind(session, DUE, BOB, AT, text="Look", about=about))


def test_a_reminder_has_a_number_of_its_own() -> None:
    events = remind(START, DUE, BOB, AT, text=" Look ", about="r2")
    assert events == [TimerSet(**by(BOB), timer_id="t1", due=DUE, text="Look", about="r2")]
    (second,) = remind(reminded(), DUE, BOB, AT)
    assert isinstance(second, TimerSet)
    assert (second.timer_id, second.text, second.about) == ("t2", "", "")


def test_a_number_is_never_used_again() -> None:
    session = reminded()
    session = after(session, drop_timer(session, "t1", BOB, AT))
    (again,) = remind(session, DUE, BOB, AT)
    assert isinstance(again, TimerSet)
    assert again.timer_id == "t2"


def test_the_most_at_once_counts_those_that_are_set() -> None:
    session = START
    for _ in range(MAX_REMINDERS):
        session = reminded(session=session)
    with pytest.raises(IllegalEvent, match="at most 20 reminders"):
        remind(session, DUE, BOB, AT)
    for events in (drop_timer(session, "t3", BOB, AT), fire_timer(session, "t3", BOB, AT)):
        assert remind(after(session, events), DUE, BOB, AT)
    with pytest.raises(InvalidInput, match="The reminder is too long"):
        remind(START, DUE, BOB, AT, text="x" * 20_001)


def test_a_reminder_fires_once() -> None:
    session = reminded()
    events = fire_timer(session, "t1", PIPELINE, DUE)
    assert events == [TimerFired(**by(PIPELINE, DUE), timer_id="t1")]
    assert fire_timer(after(session, events), "t1", PIPELINE, DUE) == []


def test_what_is_not_set_does_not_fire() -> None:
    session = reminded()
    dropped = after(session, drop_timer(session, "t1", BOB, AT))
    ended = after(session, [Cancelled(**by(BOB))])
    for state, timer in ((START, "t1"), (session, "t2"), (dropped, "t1"), (ended, "t1")):
        assert fire_timer(state, timer, PIPELINE, DUE) == []


def test_one_about_a_request_fires_while_it_is_asked_and_is_dropped_afterwards() -> None:
    session = reminded("r2", awaiting())
    assert fire_timer(session, "t1", PIPELINE, DUE) == [TimerFired(**by(PIPELINE, DUE), timer_id="t1")]
    decided = after(session, decide(session, "1.1", "deny", BOB, AT, seen=Seen.of(session.call("1.1"))))
    assert fire_timer(decided, "t1", PIPELINE, DUE) == [TimerDropped(**by(PIPELINE, DUE), timer_id="t1")]
    other = reminded("r9", awaiting())
    assert fire_timer(other, "t1", PIPELINE, DUE) == [TimerDropped(**by(PIPELINE, DUE), timer_id="t1")]


def test_one_is_put_away_before_or_after_it_fired() -> None:
    session = reminded()
    fired = after(session, fire_timer(session, "t1", PIPELINE, DUE))
    for state in (session, fired):
        events = drop_timer(state, "t1", BOB, DUE)
        assert events == [TimerDropped(**by(BOB, DUE), timer_id="t1")]
        assert after(state, events).timers[0].state == "dropped"


def test_a_reminder_cannot_be_put_away_twice() -> None:
    session = reminded()
    dropped = after(session, drop_timer(session, "t1", BOB, AT))
    with pytest.raises(IllegalEvent):
        after(dropped, drop_timer(dropped, "t1", BOB, AT))


def test_snoozing_sets_the_same_anew() -> None:
    session = reminded("r2", awaiting())
    later = DUE + timedelta(hours=1)
    events = snooze(session, "t1", later, PIPELINE, DUE)
    assert events == [
        TimerDropped(**by(PIPELINE, DUE), timer_id="t1"),
        TimerSet(**by(PIPELINE, DUE), timer_id="t2", due=later, text="Look", about="r2"),
    ]
    snoozed = after(session, events)
    assert [(t.id, t.state) for t in snoozed.timers] == [("t1", "dropped"), ("t2", "set")]
    assert fire_timer(snoozed, "t1", PIPELINE, later) == []
    with pytest.raises(IllegalEvent, match="already dismissed"):
        snooze(snoozed, "t1", later, BOB, DUE)


def test_an_unknown_one_is_told_with_those_that_there_are() -> None:
    three = reminded()
    for _ in range(2):
        three = after(three, remind(three, DUE, BOB, AT))
    left = after(three, drop_timer(three, "t2", BOB, AT))
    none = after(reminded(), drop_timer(reminded(), "t1", BOB, AT))
    for session, said in ((left, "choose from `t1`, `t3`"), (none, "none is set")):
        for unknown in (
            lambda: after(session, drop_timer(session, "t9", BOB, AT)),  # noqa: B023  called at once
            lambda: snooze(session, "t9", DUE, BOB, AT),  # noqa: B023
        ):
            with pytest.raises(IllegalEvent, match=f"There is no reminder `t9` here; {said}"):
                unknown()


def test_the_log_says_who_ended_a_reminder_and_when() -> None:
    later = DUE + timedelta(minutes=3)
    session = reminded()
    fired = after(session, fire_timer(session, "t1", PIPELINE, later)).timers[0]
    assert (fired.state, fired.ended_by, fired.ended_at) == ("fired", PIPELINE.id, later)
