"""Pausing, adding to a pause and replacing it, and the pause of sub-agents with it, each with its refusals."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta

import pytest

from supervisor.core.commands.control import MAX_CONDITIONS, follow, pause, resume, resume_later, wake
from supervisor.core.conditions import At, Condition, Manual, Parent
from supervisor.core.control import check_pause_conditions
from supervisor.core.errors import IllegalEvent, InvalidInput, NotAllowed
from supervisor.core.events import (
    BudgetRaised,
    ChildFinished,
    ChildLaunched,
    Paused,
)
from supervisor.core.messages import Usage
from supervisor.core.persona import Approvers, Budgets
from supervisor.core.reducer import fold
from supervisor.core.subagents import cascading, pause_to_follow, waits_for_parent
from supervisor.core.triggers import Signal
from tests.core.build import (
    AT,
    BOB,
    CAROL,
    PIPELINE,
    SID,
    by,
    grown,
    launched,
    plan_call,
    responded,
    subtask,
)
from tests.core.commands.test_control import (
    BUILT,
    CHILDREN,
    DAILY,
    GO,
    LATER,
    NOON,
    START,
    after,
    coordinating,
    paused,
)

APPROVAL = Manual(type="approval")


# pause


@pytest.mark.parametrize(
    ("conditions", "reason"),
    [
        ((), "manual"),
        ((GO,), "external_dependency"),
        ((BUILT,), "external_dependency"),
        ((NOON,), "scheduled"),
        ((DAILY,), "scheduled"),
        ((APPROVAL,), "human_approval_required"),
        ((CHILDREN,), "children_running"),
        ((Manual(type="manual"),), "manual"),
        ((Manual(type="manual"), NOON, GO), "scheduled"),
    ],
)
def test_the_first_condition_says_why(conditions: tuple[Condition, ...], reason: str) -> None:
    events = pause(START, BOB, LATER, conditions=conditions, detail=" lunch ")
    expected = {**by(BOB, LATER), "reason": reason, "detail": "lunch", "conditions": conditions}
    assert events == [Paused.model_validate(expected)]


def test_a_given_reason_stands() -> None:
    (event,) = pause(START, BOB, AT, conditions=[GO], reason="human_input_required")
    assert isinstance(event, Paused)
    assert event.reason == "human_input_required"


def test_a_pause_has_at_most_ten_conditions_and_no_other_pause_in_it() -> None:
    assert pause(START, BOB, AT, conditions=[GO] * MAX_CONDITIONS)
    with pytest.raises(IllegalEvent, match="at most 10 things"):
        pause(START, BOB, AT, conditions=[GO] * (MAX_CONDITIONS + 1))
    with pytest.raises(IllegalEvent, match="already paused"):
        pause(paused(), BOB, AT)
    with pytest.raises(InvalidInput, match="The reason is too long"):
        pause(START, BOB, AT, detail="x" * 20_001)


# pause, again


def test_a_condition_is_added_to_the_pause_there_is() -> None:
    session = after(START, pause(START, BOB, AT, conditions=[GO], detail="lunch"))
    events = pause(session, CAROL, LATER, conditions=[NOON, GO])
    assert events == [
        Paused(**by(CAROL, LATER), reason="external_dependency", detail="lunch", conditions=(NOON,))
    ]
    both = after(session, events)
    assert both.waits == (("p1.0", GO), ("p2.0", NOON))
    assert pause(both, CAROL, LATER, conditions=[GO]) == []
    for signal in (Signal("webhook", "go"), Signal("cron", "p2.0")):
        assert after(both, wake(both, signal, PIPELINE, LATER)).waits == ()
    for number in (1, 2):
        assert after(both, resume(both, BOB, AT, pause_number=number)).pause is None


@pytest.mark.parametrize(("conditions", "reason"), [((NOON,), "scheduled"), ((), "external_dependency")])
def test_conditions_are_replaced(conditions: tuple[Condition, ...], reason: str) -> None:
    session = after(START, pause(START, BOB, AT, conditions=[GO, BUILT]))
    events = pause(session, CAROL, LATER, conditions=conditions, replace=True, detail="no more of that")
    other = after(session, events)
    assert [condition for _, condition in other.waits] == list(conditions)
    assert other.waiting_for == reason
    assert wake(other, Signal("webhook", "go"), PIPELINE, LATER) == []
    with pytest.raises(IllegalEvent, match="That pause is already over"):
        resume(other, BOB, AT, pause_number=1)
    ended = after(other, resume(other, BOB, AT, pause_number=2))
    assert [halt.resumed_at for halt in ended.halts] == [AT, AT]


def test_an_approval_is_added_once_and_replaced_by_who_may_give_it() -> None:
    session = paused(GO)
    rules = [Approvers(users=(CAROL.id,)), Approvers(groups=("S1",))]
    events = pause(session, BOB, AT, conditions=[APPROVAL], approvers=rules, too_few=True)
    asked = after(session, events)
    assert asked.approval
    assert (asked.approval.too_few, list(asked.approval.call.rules)) == (True, rules)
    asked = after(session, pause(session, BOB, AT, conditions=[APPROVAL], approvers=rules[:1]))
    assert (asked.waiting_for, asked.approval and asked.approval.call_id) == ("human_approval_required", "p2")
    with pytest.raises(NotAllowed):
        pause(asked, BOB, AT, conditions=[NOON], replace=True)
    free = after(asked, pause(asked, CAROL, AT, conditions=[NOON], replace=True))
    assert (free.approval, free.waiting_for) == (None, "scheduled")
    assert resume(free, BOB, AT)


def test_a_used_up_budget_is_raised_for_what_is_added() -> None:
    spent = fold(SID, [launched(budgets=Budgets(max_minutes=30))])
    session = after(spent, [Paused(**by(at=LATER), reason="budget_exceeded", detail="spent")])
    tomorrow = At(type="at", due=LATER + timedelta(days=1))
    assert pause(session, BOB, LATER, detail="more") == [
        Paused(**by(BOB, LATER), reason="budget_exceeded", detail="more")
    ]
    raised, more = pause(session, BOB, LATER, conditions=[tomorrow])
    assert isinstance(raised, BudgetRaised)
    assert isinstance(more, Paused)
    assert (raised.budgets.max_minutes, more.reason) == (25 * 60 + 30, "scheduled")
    later = after(session, [raised, more])
    assert (
        check_pause_conditions(
            after(later, wake(later, Signal("cron", "p2.0"), PIPELINE, tomorrow.due)), tomorrow.due
        )
        is None
    )


def test_limits_are_raised_only_out_of_the_pause_that_was_looked_at() -> None:
    running = fold(SID, [launched(budgets=Budgets(max_minutes=30))])
    stopped = after(running, [Paused(**by(at=LATER), reason="budget_exceeded", detail="spent")])
    then = LATER + timedelta(days=1)
    tries: list[Callable[[], object]] = [
        lambda: pause(stopped, BOB, LATER, conditions=[NOON], pause_number=0),
        lambda: resume_later(stopped, then, BOB, LATER, pause_number=0),
    ]
    for late in tries:
        with pytest.raises(IllegalEvent, match="Its budget has stopped this session in the meantime"):
            late()
    assert len(resume_later(stopped, then, BOB, LATER, pause_number=1)) == 2


# cascade


def test_sub_agents_follow_each_pause_once() -> None:
    child, other = launched(persona="sre"), "p0-look"
    family = coordinating()
    waits = after(family, pause(family, BOB, AT, conditions=[CHILDREN]))
    alone = after(family, pause(family, BOB, AT, cascade=False))
    both = after(family, pause(family, BOB, AT))
    running = fold(other, [child])
    assert pause_to_follow(waits, running) is pause_to_follow(alone, running) is None
    halt = pause_to_follow(both, running)
    assert halt
    assert halt.number == 1
    held = after(running, follow(running, halt.number, PIPELINE, AT))
    assert (held.waiting_for, waits_for_parent(held)) == ("parent_paused", True)
    assert pause_to_follow(both, held) is None
    assert follow(held, 1, PIPELINE, AT) == []
    assert not held.halts[0].cascade
    assert pause_to_follow(both, after(running, pause(running, BOB, AT))) is None, "it is paused of its own"
    assert pause_to_follow(family, running) is None
    lead = after(family, follow(family, 1, PIPELINE, AT))
    assert (lead.halts[0].cascade, lead.halts[0].by) == (True, PIPELINE.id)
    by_hand = after(held, resume(held, BOB, AT))
    assert pause_to_follow(both, by_hand) is None
    later = after(both, pause(both, BOB, LATER, detail="more"))
    assert pause_to_follow(later, by_hand) == later.halts[1]
    open_again = after(later, pause(later, BOB, LATER, conditions=[CHILDREN]))
    assert (cascading(later), cascading(open_again)) == (later.halts[1], None)
    assert cascading(after(later, pause(later, BOB, LATER, replace=True, cascade=False))) is None
    again = after(both, resume(both, BOB, AT))
    again = after(again, pause(again, BOB, LATER))
    assert pause_to_follow(again, by_hand) == again.halts[1]
    woken = after(held, wake(held, Signal("parent"), PIPELINE, AT))
    assert (woken.pause, woken.inbox) == (None, ())


def test_sub_agents_of_a_session_that_is_paused_already_can_be_paused_with_it() -> None:
    family = coordinating()
    alone = after(family, pause(family, BOB, AT, cascade=False, detail="lunch"))
    assert not alone.halts[0].cascade
    both = after(alone, pause(alone, CAROL, LATER))
    assert (cascading(both), both.halts[1].detail) == (both.halts[1], "lunch")
    with pytest.raises(IllegalEvent) as refused:
        pause(both, CAROL, LATER)
    assert str(refused.value) == (
        "This session is already paused; say what else it shall wait for, or resume it."
    )
    for session in (paused(), after(family, pause(family, BOB, AT, conditions=[CHILDREN]))):
        with pytest.raises(IllegalEvent, match="already paused"):
            pause(session, CAROL, LATER)
    # A plan of which nothing runs at the moment is at work, too.
    plan = fold(SID, [launched(), responded(plan_call(subtask("look"), subtask("tell", "look")))])
    begun = ChildLaunched(
        **by(), call_id="1.1", child_id="p0-look", name="look", persona="sre", task="Do look"
    )
    between = after(plan, [begun, ChildFinished(**by(), child_id="p0-look", ending="completed", result="x")])
    assert after(between, pause(between, BOB, AT)).halts[0].cascade


def test_a_time_that_is_added_pauses_no_sub_agent() -> None:
    family = coordinating()
    alone = after(family, pause(family, BOB, AT, cascade=False))
    (more,) = resume_later(alone, LATER, CAROL, AT)
    assert isinstance(more, Paused)
    assert not more.cascade


@pytest.mark.parametrize(("resumed", "follows"), [(-1, True), (0, False), (1, False)])
def test_a_sub_agent_that_a_person_resumed_since_goes_on(resumed: int, follows: bool) -> None:
    family, child = coordinating(), fold("p0-look", [launched(persona="sre")])
    both = after(family, pause(family, BOB, LATER))
    held = fold("p0-look", pause(child, BOB, AT), child)
    at = LATER + timedelta(seconds=resumed)
    assert bool(pause_to_follow(both, fold("p0-look", resume(held, BOB, at), held))) is follows
    waits = fold("p0-look", pause(child, BOB, AT, conditions=[GO]), child)
    woken = fold("p0-look", wake(waits, Signal("webhook", "go"), PIPELINE, at), waits)
    assert pause_to_follow(both, woken) == both.halts[0]


def test_a_sub_agent_that_pauses_with_its_parent_says_nothing_of_its_own() -> None:
    condition = Parent(type="parent", pause=3)
    assert follow(START, 3, PIPELINE, AT) == [
        Paused(**by(PIPELINE), reason="parent_paused", conditions=(condition,))
    ]


def test_a_time_added_to_a_full_context_makes_room_for_what_follows() -> None:
    full = grown(1, budgets=Budgets(max_context_tokens=100), usage=Usage(input_tokens=100))
    session = after(full, pause(full, BOB, AT, reason="context_budget_exceeded"))
    raised, _ = pause(session, BOB, AT, conditions=[NOON])
    assert isinstance(raised, BudgetRaised)
    assert raised.budgets.max_context_tokens == 200
