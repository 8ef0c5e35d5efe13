"""A request that nobody decides on reminds, escalates and expires as its rules say, and never by itself otherwise."""

from __future__ import annotations

from datetime import datetime, timedelta

import pytest

from supervisor.core.audit.rows import LogReading
from supervisor.core.commands.approvals import Seen, Verdict, decide, edit, withdraw
from supervisor.core.commands.control import pause, resume
from supervisor.core.commands.deadlines import MOST_REMINDERS, deadlines, pass_deadlines
from supervisor.core.conditions import Manual
from supervisor.core.control import CallModel, Wait, next_action
from supervisor.core.errors import AlreadyEnded, IllegalEvent, InvalidInput, NotAllowed
from supervisor.core.events import Actor, ApprovalOverdue, ApprovalRequested, Event, ToolCall
from supervisor.core.messages import Json
from supervisor.core.persona import Approvers, Escalation
from supervisor.core.prompt import result_text
from supervisor.core.reducer import fold
from supervisor.core.state import Session
from tests.core.build import ALICE, AT, BOB, CAROL, SID, awaiting, by, launched, responded, tool_call

CLOCK = Actor(id="clock")
HOUR = timedelta(hours=1)
STRICT = Approvers(users=(BOB.id,), remind=HOUR, expire=4 * HOUR)


def passed(session: Session, at: datetime) -> tuple[Session, list[Event]]:
    """The session after its next deadline, and the events of that."""
    (first, *_) = deadlines(session)
    events = pass_deadlines(session, first.name, CLOCK, at)
    return fold(SID, events, session), events


def test_without_a_rule_a_request_waits_for_ever() -> None:
    assert not list(deadlines(awaiting(Approvers(users=(BOB.id,)))))
    assert not list(deadlines(awaiting()))


def test_it_reminds_at_each_interval_and_then_expires() -> None:
    session = awaiting(STRICT)
    for hour in (1, 2, 3):
        (deadline,) = deadlines(session)
        assert (deadline.due, deadline.step) == (AT + hour * HOUR, "remind")
        assert not pass_deadlines(session, deadline.name, CLOCK, deadline.due - timedelta(seconds=1))
        session, _ = passed(session, deadline.due)
        assert session.call("1.1").reminded == hour
        assert not pass_deadlines(session, deadline.name, CLOCK, deadline.due), "fired twice"
    session, _ = passed(session, AT + 4 * HOUR)
    call = session.call("1.1")
    assert call.phase == "expired"
    assert not list(deadlines(session))
    assert "Nobody denied it" in result_text(call)
    assert isinstance(next_action(session, AT), CallModel)
    with pytest.raises(AlreadyEnded, match="expired"):
        decide(session, "1.1", "approve", BOB, AT, seen=Seen.of(call))


def test_reminders_stop_at_a_number() -> None:
    session = awaiting(Approvers(remind=HOUR))
    for hour in range(1, MOST_REMINDERS + 1):
        session, _ = passed(session, AT + hour * HOUR)
    assert not list(deadlines(session))
    assert session.call("1.1").phase == "awaiting"


def test_an_escalation_lets_more_people_decide_and_nobody_fewer() -> None:
    rule = Approvers(users=(BOB.id,), escalate=Escalation(after=HOUR, users=(CAROL.id,)))
    session = awaiting(rule)
    seen = Seen.of(session.call("1.1"))
    with pytest.raises(NotAllowed):
        decide(session, "1.1", "approve", CAROL, AT, seen=seen)
    session, _ = passed(session, AT + HOUR)
    for person in (BOB, CAROL):
        assert decide(session, "1.1", "approve", person, AT, seen=seen)
    with pytest.raises(NotAllowed):
        decide(session, "1.1", "approve", ALICE, AT, seen=seen)


def test_an_escalation_of_a_rule_for_everybody_narrows_nothing() -> None:
    session = awaiting(Approvers(escalate=Escalation(after=HOUR, users=(CAROL.id,))))
    session, _ = passed(session, AT + HOUR)
    assert decide(session, "1.1", "approve", BOB, AT, seen=Seen.of(session.call("1.1")))


def test_an_approval_that_is_not_enough_stops_no_deadline_and_one_that_is_stops_all() -> None:
    session = awaiting(Approvers(quorum=2, expire=HOUR))
    seen = Seen.of(session.call("1.1"))
    session = fold(SID, decide(session, "1.1", "approve", BOB, AT, seen=seen), session)
    assert [deadline.step for deadline in deadlines(session)] == ["expire"]
    session = fold(SID, decide(session, "1.1", "approve", CAROL, AT, seen=seen), session)
    assert not list(deadlines(session))


def test_a_changed_call_waits_as_long_as_a_new_one() -> None:
    session = awaiting(Approvers(quorum=2, remind=HOUR, expire=3 * HOUR))
    session, _ = passed(session, AT + HOUR)

    def rejudge(call: ToolCall, arguments: Json) -> ToolCall:
        return tool_call(arguments=arguments, approvers=call.approvers, ref=call.ref)

    later = AT + 2 * HOUR
    seen = Seen.of(session.call("1.1"))
    events = edit(session, "1.1", {"command": "pwd"}, BOB, later, rejudge=rejudge, seen=seen)
    (deadline,) = deadlines(fold(SID, events, session))
    assert (deadline.due, deadline.step) == (later + HOUR, "remind")


def test_a_response_is_read_in_place_of_a_result() -> None:
    session = awaiting(Approvers(users=(BOB.id,)))
    seen = Seen.of(session.call("1.1"))
    with pytest.raises(NotAllowed):
        decide(session, "1.1", "respond", CAROL, AT, seen=seen, reason="42")
    with pytest.raises(InvalidInput, match="answer is empty"):
        decide(session, "1.1", "respond", BOB, AT, seen=seen)
    session = fold(SID, decide(session, "1.1", "respond", BOB, AT, seen=seen, reason="42"), session)
    call = session.call("1.1")
    assert (call.phase, call.attempt, call.ok) == ("answered", 0, True)
    assert result_text(call).endswith("it did not run. Answer: 42")
    assert BOB.id in session.steered_by
    assert not session.denials(call.call.digest)


def test_one_response_is_enough_whatever_the_quorum() -> None:
    session = awaiting(Approvers(quorum=2))
    seen = Seen.of(session.call("1.1"))
    session = fold(SID, decide(session, "1.1", "approve", CAROL, AT, seen=seen), session)
    session = fold(SID, decide(session, "1.1", "respond", BOB, AT, seen=seen, reason="Later"), session)
    assert session.call("1.1").phase == "answered"


def test_who_withdraws_a_request_denies_nothing_and_steers_the_agent() -> None:
    session = awaiting(Approvers(users=(BOB.id,), exclude_requester=True))
    with pytest.raises(InvalidInput):
        withdraw(session, ["1.1"], " ", ALICE, AT)
    with pytest.raises(IllegalEvent):
        withdraw(session, ["9.9"], "Look first", ALICE, AT)
    session = fold(SID, withdraw(session, [], "Look first", CAROL, AT), session)
    call = session.call("1.1")
    assert call.phase == "superseded"
    assert "Do this instead: Look first" in result_text(call)
    assert CAROL.id in session.steered_by
    assert not session.denials(call.call.digest)
    assert not isinstance(next_action(session, AT), Wait)
    with pytest.raises(IllegalEvent):
        withdraw(session, [], "Look first", ALICE, AT)
    with pytest.raises(AlreadyEnded, match="withdrawn by"):
        decide(session, "1.1", "approve", BOB, AT, seen=Seen.of(call))


def test_each_rule_escalates_at_its_own_time() -> None:
    soon = Approvers(users=(BOB.id,), escalate=Escalation(after=HOUR, users=("slack:U8",)))
    late = Approvers(users=(ALICE.id,), escalate=Escalation(after=24 * HOUR, users=("slack:U9",)))
    session = awaiting(soon, also=(late,))
    session, _ = passed(session, AT + HOUR)
    assert [rule.users for rule in session.call("1.1").call.rules] == [(BOB.id, "slack:U8"), (ALICE.id,)]
    session, _ = passed(session, AT + 24 * HOUR)
    assert session.call("1.1").call.rules[1].users == (ALICE.id, "slack:U9")
    assert not list(deadlines(session))


def test_reminders_that_were_missed_are_made_up_for_by_one() -> None:
    session, _ = passed(awaiting(Approvers(remind=HOUR)), AT + 6 * HOUR)
    (deadline,) = deadlines(session)
    assert deadline.due == AT + 7 * HOUR


@pytest.mark.parametrize("verdict", ["approve", "deny", "respond"])
def test_an_expired_request_is_not_decided_though_no_clock_has_closed_it(verdict: Verdict) -> None:
    session = awaiting(Approvers(users=(BOB.id,), expire=HOUR))
    seen = Seen.of(session.call("1.1"))
    just_before = AT + HOUR - timedelta(seconds=1)
    assert decide(session, "1.1", verdict, BOB, just_before, seen=seen, reason="So")
    with pytest.raises(AlreadyEnded, match="expired"):
        decide(session, "1.1", verdict, BOB, AT + HOUR, seen=seen, reason="So")


def test_the_audit_has_a_row_for_each_call_of_one_event() -> None:
    rule = Approvers(users=(BOB.id,), escalate=Escalation(after=HOUR, users=(CAROL.id,)), expire=4 * HOUR)
    calls = [tool_call(f"1.{n}", approvers=rule) for n in (1, 2)]
    log: list[Event] = [
        launched(),
        responded(*calls),
        ApprovalRequested(**by(), request_id="r2", call_ids=("1.1", "1.2")),
        ApprovalOverdue(**by(CLOCK, AT + HOUR), call_ids=("1.1", "1.2"), step="escalate"),
        ApprovalOverdue(**by(CLOCK, AT + 4 * HOUR), call_ids=("1.1", "1.2"), step="expire"),
    ]
    reading = LogReading(SID)
    for event in log:
        reading.read(event)
    assert [row.kind for row in reading.rows] == ["escalate", "escalate", "expire", "expire"]
    assert len({row.key for row in reading.rows}) == 4
    assert all(CAROL.id in row.rules[0].users for row in reading.rows[2:])


def test_a_pause_reminds_and_escalates_but_never_expires() -> None:
    rule = Approvers(
        users=(BOB.id,), remind=HOUR, expire=HOUR, escalate=Escalation(after=2 * HOUR, users=("U9",))
    )
    start = fold(SID, [launched()])
    waits = pause(start, BOB, AT, conditions=[Manual(type="approval")], approvers=[rule])
    session, steps = fold(SID, waits, start), []
    for hour in (1, 2, 3):
        session, events = passed(session, AT + hour * HOUR)
        steps += [
            (event.type, event.call_ids, event.step) for event in events if isinstance(event, ApprovalOverdue)
        ]
    assert steps == [("ApprovalOverdue", ("p1",), step) for step in ("remind", "escalate", "remind")]
    assert session.approval
    assert (session.approval.reminded, session.approval.call.rules[0].users) == (2, (BOB.id, "U9"))
    assert not list(deadlines(fold(SID, resume(session, BOB, AT), session)))


def test_of_deadlines_at_one_time_escalation_comes_before_reminding() -> None:
    """Calls that pass one together are in one event, and a pause beside them is in one of its own."""
    rule = Approvers(remind=HOUR, escalate=Escalation(after=HOUR, users=("U9",)))
    calls = [tool_call(f"1.{n}", approvers=one) for n, one in enumerate((rule, STRICT, rule, rule), start=1)]
    asked = ApprovalRequested(**by(), request_id="r1", call_ids=tuple(call.call_id for call in calls))
    session = fold(SID, [launched(), responded(*calls), asked])
    waits = pause(session, BOB, AT, conditions=[Manual(type="approval")], approvers=[rule])
    session = fold(SID, waits, session)
    assert len({deadline.name for deadline in deadlines(session)}) == 5
    session, events = passed(session, AT + HOUR)
    assert [(event.step, event.call_ids) for event in events if isinstance(event, ApprovalOverdue)] == [
        ("escalate", ("1.1", "1.3", "1.4")),
        ("escalate", ("p1",)),
        ("remind", ("1.2",)),
    ]
    assert [call.call.rules[0].escalate for call in session.calls_in("awaiting")] == [None] * 4


def test_an_escalation_adds_people_and_groups_once_and_only_to_a_rule_that_names_some() -> None:
    more = Escalation(after=HOUR, users=("U2", "U9"), groups=("S1", "S2"))
    rule = Approvers(users=("U2",), groups=("S1",), quorum=2, escalate=more)
    assert rule.after(HOUR - timedelta(seconds=1)) == rule
    assert rule.after(HOUR) == Approvers(users=("U2", "U9"), groups=("S1", "S2"), quorum=2)
    assert Approvers(escalate=more).after(HOUR) == Approvers()


def test_a_time_of_a_rule_is_a_duration_or_says_what_one_is() -> None:
    for text in ("90m", "PT1H30M"):
        assert Approvers.model_validate({"remind": text}).remind == timedelta(minutes=90)
    with pytest.raises(ValueError) as refused:
        Approvers.model_validate({"remind": "soon"})
    assert "“soon” is no duration; write 90s, 30m, 2h, 1h30m or 2 days (at most 5 years) [" in str(
        refused.value
    )


def test_a_request_that_expires_is_not_escalated_at_the_same_time() -> None:
    rule = Approvers(
        users=(BOB.id,), expire=HOUR, remind=HOUR, escalate=Escalation(after=HOUR, users=("U9",))
    )
    (deadline,) = deadlines(awaiting(rule))
    assert (deadline.due, deadline.step) == (AT + HOUR, "expire")
