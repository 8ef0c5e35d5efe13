"""Pausing with conditions, resuming in every way, and cancelling, each with its refusals."""

from __future__ import annotations

import re
from collections.abc import Callable
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest

from supervisor.core.commands.control import MAX_CONDITIONS, cancel, pause, resume, resume_later, wake
from supervisor.core.conditions import At, Clause, Condition, Cron, Manual, OnEvent, Webhook
from supervisor.core.errors import IllegalEvent, InvalidInput
from supervisor.core.events import (
    BudgetRaised,
    Cancelled,
    ChildFinished,
    ChildLaunched,
    Completed,
    ContextAdded,
    Event,
    OutcomeLost,
    QuestionAsked,
    Resumed,
    ToolStarted,
    WaitBegun,
    WaitEnded,
)
from supervisor.core.messages import Usage
from supervisor.core.persona import Budgets
from supervisor.core.reducer import fold
from supervisor.core.state import Session
from supervisor.core.triggers import Signal
from tests.core.build import (
    AT,
    BOB,
    CAROL,
    PIPELINE,
    SID,
    awaiting,
    by,
    grown,
    launched,
    plan_call,
    responded,
    subtask,
    tool_call,
)

LATER = AT + timedelta(hours=1)
START = fold(SID, [launched()])
GO = Webhook(type="webhook", name="go")
BUILT = OnEvent(type="event", event="built", where=(Clause(field="env", operator="==", value="prod"),))
NOON = At(type="at", due=LATER)
DAILY = Cron(type="cron", expression="0 9 * * *", zone="UTC", due=LATER)
CHILDREN = Manual(type="children")
APPROVAL = Manual(type="approval")


def after(session: Session, events: list[Event]) -> Session:
    return fold(SID, events, session)


def paused(*conditions: Condition, session: Session = START, at: datetime = AT) -> Session:
    return after(session, pause(session, BOB, at, conditions=conditions))


# resume_later


def test_words_that_come_with_a_time_are_kept_with_it() -> None:
    session = paused(GO)
    more, words = resume_later(session, LATER, CAROL, LATER, context=" the canary first ")
    assert (more.type, more.at) == ("Paused", LATER)
    assert words == ContextAdded(**by(CAROL, LATER), text="the canary first", kind="command")
    both = after(session, [more, words])
    assert [note.text for note in both.inbox] == ["the canary first"]
    assert [condition for _, condition in both.waits] == [GO, NOON]
    assert len(resume_later(session, LATER, CAROL, LATER)) == 1
    with pytest.raises(InvalidInput, match="The message is too long"):
        resume_later(session, LATER, CAROL, LATER, context="x" * 20_001)


def test_conditions_are_added_up_to_ten_and_a_time_only_in_a_pause() -> None:
    nine = paused(*[GO] * (MAX_CONDITIONS - 1))
    ten = after(nine, pause(nine, BOB, AT, conditions=[NOON]))
    with pytest.raises(IllegalEvent, match="at most 10 things"):
        pause(ten, BOB, AT, conditions=[DAILY])
    assert pause(ten, BOB, AT, conditions=[DAILY], replace=True)
    with pytest.raises(IllegalEvent, match="it is running"):
        resume_later(START, LATER, BOB, AT)


# resume


def test_one_resume_is_enough_and_a_token_is_for_its_pause() -> None:
    first = paused()
    resumed = after(first, resume(first, BOB, AT, pause_number=1))
    with pytest.raises(IllegalEvent, match="not paused; it is running"):
        resume(resumed, BOB, AT)
    second = paused(session=resumed)
    with pytest.raises(IllegalEvent, match="That pause is already over"):
        resume(second, BOB, AT, pause_number=1)
    assert resume(second, BOB, AT, pause_number=2)
    assert resume(second, BOB, AT)


def test_a_resume_has_limits() -> None:
    with pytest.raises(InvalidInput, match="The context is too long"):
        resume(paused(), BOB, AT, context="x" * 20_001)
    with pytest.raises(InvalidInput):
        resume(paused(), BOB, AT, data=float("nan"))
    with pytest.raises(IllegalEvent, match="nothing yet that could be summed up"):
        resume(paused(), BOB, AT, compact=True)


def out_of_steps() -> Session:
    session = grown(2, budgets=Budgets(max_steps=2), usage=Usage(input_tokens=90, output_tokens=10))
    return after(session, pause(session, BOB, AT, reason="budget_exceeded"))


def test_used_up_limits_are_raised_by_what_they_were() -> None:
    raised, resumed = resume(out_of_steps(), CAROL, LATER)
    assert isinstance(raised, BudgetRaised)
    assert isinstance(resumed, Resumed)
    assert (raised.budgets.max_steps, raised.by, raised.at) == (4, CAROL.id, LATER)
    # A pause for another reason raises nothing, however much is used.
    other = grown(2, budgets=Budgets(max_steps=2))
    assert len(resume(paused(session=other), BOB, AT)) == 1


@pytest.mark.parametrize("compact", [True, False])
def test_summing_up_makes_room_without_raising_the_limit(compact: bool) -> None:
    usage = Usage(input_tokens=90, output_tokens=10)
    session = grown(2, budgets=Budgets(max_context_tokens=100), usage=usage)
    full = after(session, pause(session, BOB, AT, reason="context_budget_exceeded"))
    events = resume(full, BOB, AT, compact=compact)
    raised = [e.budgets.max_context_tokens for e in events if isinstance(e, BudgetRaised)]
    assert raised == ([] if compact else [200])
    resumed = events[-1]
    assert isinstance(resumed, Resumed)
    assert resumed.compact is compact


def test_summing_up_raises_the_other_limits() -> None:
    usage = Usage(input_tokens=90, output_tokens=10)
    session = grown(
        2, budgets=Budgets(max_context_tokens=100, max_cost_usd=Decimal(1)), usage=usage, cost_usd=Decimal(1)
    )
    full = after(session, pause(session, BOB, AT, reason="budget_exceeded"))
    raised, _ = resume(full, BOB, AT, compact=True)
    assert isinstance(raised, BudgetRaised)
    assert (raised.budgets.max_context_tokens, raised.budgets.max_cost_usd) == (100, Decimal(3))


def sleeping() -> Session:
    call = tool_call(tool="wait_for", mode="allow", control=True, arguments={"condition": "webhook: go"})
    session = fold(SID, [launched(), responded(call), WaitBegun(**by(), call_id="1.1")])
    return paused(GO, session=session)


def test_a_resume_ends_the_agents_own_wait() -> None:
    resumed, ended = resume(sleeping(), BOB, LATER)
    assert isinstance(resumed, Resumed)
    assert isinstance(ended, WaitEnded)
    assert (ended.call_id, ended.by, ended.at) == ("1.1", BOB.id, LATER)
    assert ended.content
    assert after(sleeping(), [resumed, ended]).call("1.1").phase == "finished"


# Why a session that stands still is not paused


def asked(count: int = 1) -> Session:
    call = tool_call(tool="ask_human", mode="allow", control=True, arguments={"question": "?"})
    return fold(SID, [launched(), responded(call), QuestionAsked(**by(), call_id="1.1", question="Which?")])


def orphaned() -> Session:
    call = tool_call(mode="allow")
    start = ToolStarted(**by(), call_id="1.1", attempt=1, idempotency_key="k", digest=call.digest)
    return fold(SID, [launched(), responded(call), start, OutcomeLost(**by(), call_id="1.1", attempt=1)])


def coordinating(*more: Event) -> Session:
    plan = responded(plan_call(subtask("look"), on_failure="ask"))
    begun = ChildLaunched(
        **by(), call_id="1.1", child_id="p0-look", name="look", persona="sre", task="Do look"
    )
    return fold(SID, [launched(), plan, begun, *more])


@pytest.mark.parametrize(
    ("session", "sentence"),
    [
        (START, "it is running"),
        (awaiting(), "waits for an approval"),
        (asked(), "waits for an answer"),
        (orphaned(), "a call that was cut off"),
        (coordinating(), "waits for its sub-agents"),
        (
            coordinating(ChildFinished(**by(), child_id="p0-look", ending="failed", result="no")),
            "a decision on a sub-agent that failed",
        ),
        (after(START, [Cancelled(**by(BOB))]), "already cancelled; nothing was changed"),
        (after(START, [Completed(**by(), summary="x")]), "already completed; nothing was changed"),
    ],
)
def test_what_to_do_instead_of_resuming_is_said(session: Session, sentence: str) -> None:
    tries: list[Callable[[], object]] = [
        lambda: resume(session, BOB, AT),
        lambda: resume(session, BOB, AT, pause_number=1),
        lambda: resume_later(session, LATER, BOB, AT),
    ]
    for refuse in tries:
        with pytest.raises(IllegalEvent) as refused:
            refuse()
        assert re.fullmatch(rf"(This session|That pause) .*{re.escape(sentence)}.*\.", str(refused.value))


# wake


@pytest.mark.parametrize(
    ("condition", "signal", "trigger"),
    [
        (GO, Signal("webhook", "go"), "webhook"),
        (BUILT, Signal("event", "built", {"env": "prod"}), "event"),
        (NOON, Signal("cron", "p1.0"), "clock"),
        (DAILY, Signal("cron", "p1.0"), "clock"),
        (CHILDREN, Signal("children"), "children"),
        (APPROVAL, Signal("manual"), "manual"),
    ],
)
def test_a_signal_wakes_who_waits_for_it(condition: Condition, signal: Signal, trigger: str) -> None:
    events = wake(paused(condition), signal, PIPELINE, LATER)
    expected = {**by(PIPELINE, LATER), "trigger": trigger, "condition": str(condition), "data": signal.data}
    assert events == [Resumed.model_validate(expected)]


@pytest.mark.parametrize(
    "signal",
    [
        Signal("webhook", "other"),
        Signal("webhook", "built"),
        Signal("event", "go"),
        Signal("event", "built", {"env": "dev"}),
        Signal("event", "built"),
        Signal("cron", "p1.0"),
        Signal("cron", "p2.2"),
        Signal("cron", "p1.3"),
        Signal("children"),
    ],
)
def test_other_signals_wake_nobody(signal: Signal) -> None:
    assert wake(paused(GO, BUILT, NOON), signal, PIPELINE, LATER) == []


@pytest.mark.parametrize("condition", [APPROVAL, Manual(type="manual"), GO, NOON])
def test_the_ends_of_sub_agents_wake_only_who_waits_for_them(condition: Condition) -> None:
    assert wake(paused(condition), Signal("children"), PIPELINE, LATER) == []
    assert wake(paused(condition, CHILDREN), Signal("children"), PIPELINE, LATER)


def test_a_wait_that_a_person_ends_says_so_and_by_whom() -> None:
    _, ended = resume(sleeping(), CAROL, LATER)
    assert ended == WaitEnded(**by(CAROL, LATER), call_id="1.1", content="A person resumed the session.")


def test_the_condition_that_came_true_is_named() -> None:
    session = paused(GO, BUILT, NOON)
    for signal, condition in (
        (Signal("event", "built", {"env": "prod"}), BUILT),
        (Signal("cron", "p1.2"), NOON),
    ):
        (event,) = wake(session, signal, PIPELINE, LATER)
        assert isinstance(event, Resumed)
        assert event.condition == str(condition)


def test_nobody_is_woken_who_runs_or_has_ended() -> None:
    ended = after(paused(GO), [Cancelled(**by(BOB))])
    resumed = after(paused(GO), resume(paused(GO), BOB, AT))
    for session in (START, awaiting(), ended, resumed):
        assert wake(session, Signal("webhook", "go"), PIPELINE, LATER) == []


def test_one_delivery_wakes_once() -> None:
    signal = Signal("webhook", "go", {"n": 1}, delivery="d1")
    session = paused(GO)
    session = after(session, wake(session, signal, PIPELINE, LATER))
    again = paused(GO, session=session)
    assert wake(again, signal, PIPELINE, LATER) == []
    assert wake(again, Signal("webhook", "go", {"n": 1}, delivery="d2"), PIPELINE, LATER)


@pytest.mark.parametrize("condition", [NOON, DAILY])
def test_the_timer_of_an_earlier_pause_ends_no_later_one(condition: Condition) -> None:
    late = Signal("cron", "p1.0")
    first = paused(condition)
    resumed = after(first, resume(first, BOB, AT))
    assert wake(resumed, late, PIPELINE, LATER) == []
    # The very same condition again: the name of its wait tells the two pauses apart.
    second = paused(condition, session=resumed)
    assert wake(second, late, PIPELINE, LATER) == []
    assert wake(second, Signal("cron", "p2.0"), PIPELINE, LATER)
    third = paused(condition, session=after(second, wake(second, Signal("cron", "p2.0"), PIPELINE, LATER)))
    for old in ("p1.0", "p2.0"):
        assert wake(third, Signal("cron", old), PIPELINE, LATER) == []


def test_a_signal_ends_the_agents_own_wait_with_what_came() -> None:
    data: dict[str, Any] = {"host": "redis-7"}
    resumed, ended = wake(sleeping(), Signal("webhook", "go", data, delivery="d1"), PIPELINE, LATER)
    assert isinstance(resumed, Resumed)
    assert isinstance(ended, WaitEnded)
    assert (resumed.delivery, resumed.data) == ("d1", data)
    assert "redis-7" in ended.content


# cancel


def test_a_session_is_cancelled_with_a_reason() -> None:
    for session in (START, paused(GO), awaiting()):
        events = cancel(session, BOB, LATER, reason=" enough ")
        assert events == [Cancelled(**by(BOB, LATER), reason="enough")]
        assert after(session, events).status == "cancelled"
    assert cancel(START, BOB, LATER) == [Cancelled(**by(BOB, LATER))]
    with pytest.raises(InvalidInput, match="The reason is too long"):
        cancel(START, BOB, LATER, reason="x" * 20_001)
