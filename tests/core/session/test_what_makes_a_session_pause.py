"""Each reason to stop before the model is asked again, exactly at its limit, with a sentence that has the figures."""

from __future__ import annotations

from datetime import timedelta
from decimal import Decimal
from typing import Any, get_args

import pytest

from supervisor.core.conditions import At, Clause, Manual, OnEvent, Webhook
from supervisor.core.control import (
    PAUSE_CONDITIONS,
    CallModel,
    Fail,
    Pause,
    RunTools,
    Wait,
    check_pause_conditions,
    next_action,
)
from supervisor.core.events import Compacted, Event, Paused, PauseReason, Resumed
from supervisor.core.events.base import GIVE_UP
from supervisor.core.messages import Json, Usage
from supervisor.core.persona import Budgets
from supervisor.core.records import Child
from supervisor.core.reducer import apply, fold
from supervisor.core.state import Session
from tests.core.build import AT, BOB, SID, awaiting, by, grown, launched, one_of_each, responded, tool_call

HOOK, GRAPH = (
    Webhook(type="webhook", name="redis_ready"),
    OnEvent(type="event", event="deploy", where=(Clause(field="env", operator="==", value="prod"),)),
)


def spent(steps: int = 2, **limits: Any) -> Session:
    """Two steps of 100 tokens and a cent each."""
    usage = Usage(input_tokens=70, output_tokens=30)
    return grown(steps, budgets=Budgets(**limits), usage=usage, cost_usd=Decimal("0.01"))


def with_child(session: Session, **used: Any) -> Session:
    child = Child(
        id="a-a", call_id="1.1", name="look", persona="sre", task="t", at=AT, budgets=Budgets(),
        state="completed", **used,
    )  # fmt: skip
    return session.model_copy(update={"children": (child,)})


def waiting(*conditions: Any) -> Session:
    return apply(SID, grown(1), Paused(**by(BOB), reason="external_dependency", conditions=conditions))


def failing(times: int, threshold: int = 3) -> Session:
    return spent(error_threshold=threshold).model_copy(update={"errors_in_a_row": times})


CASES: list[tuple[str, Session, PauseReason | None, str]] = [
    ("nothing", grown(2), None, ""),
    ("an approval", awaiting(), "human_approval_required", "1 call waits for an approval."),
    ("a webhook", waiting(HOOK), "external_dependency", "It waits for webhook: redis_ready."),
    (
        "one of two",
        waiting(HOOK, GRAPH),
        "external_dependency",
        'It waits for webhook: redis_ready or event: deploy where env == "prod".',
    ),
    ("a time is nothing outside", waiting(At(type="at", due=AT)), None, ""),
    ("a person is nothing outside", waiting(Manual(type="manual")), None, ""),
    ("errors", failing(3), "error_threshold_exceeded", "3 consecutive errors."),
    ("one error less", failing(2), None, ""),
    ("the first error", failing(1, threshold=1), "error_threshold_exceeded", "1 error."),
    (
        "context",
        spent(max_context_tokens=100),
        "context_budget_exceeded",
        "100 of 100 tokens of context are used.",
    ),
    ("context with room", spent(max_context_tokens=101), None, ""),
    ("steps", spent(max_steps=2), "budget_exceeded", "2 of 2 steps are used."),
    ("a step more", spent(max_steps=3), None, ""),
    ("tokens", spent(max_tokens=200), "budget_exceeded", "200 of 200 tokens are used."),
    ("a token more", spent(max_tokens=201), None, ""),
    ("cost", spent(max_cost_usd=Decimal("0.02")), "budget_exceeded", "$0.02 of $0.02 are spent."),
    ("a coin more", spent(max_cost_usd=Decimal("0.0201")), None, ""),
    (
        "tokens of sub-agents",
        with_child(spent(max_tokens=1200), usage=Usage(input_tokens=900, output_tokens=100)),
        "budget_exceeded",
        "1,200 of 1,200 tokens are used.",
    ),
    (
        "cost of sub-agents",
        with_child(spent(max_cost_usd=Decimal("0.05")), cost_usd=Decimal("0.04")),
        "budget_exceeded",
        "$0.06 of $0.05 are spent.",
    ),
    ("steps of sub-agents are their own", with_child(spent(max_steps=3), steps=9), None, ""),
    (
        "errors are told before budgets",
        spent(max_steps=2).model_copy(update={"errors_in_a_row": 3}),
        "error_threshold_exceeded",
        "3 consecutive errors.",
    ),
    (
        "context is told before the rest of the budget",
        spent(max_steps=2, max_context_tokens=50),
        "context_budget_exceeded",
        "100 of 50 tokens of context are used.",
    ),
]


@pytest.mark.parametrize(("session", "reason", "detail"), [c[1:] for c in CASES], ids=[c[0] for c in CASES])
def test_the_table(session: Session, reason: PauseReason | None, detail: str) -> None:
    found = check_pause_conditions(session, AT)
    assert found == (Pause(reason, detail) if reason else None)
    if session.pause or session.open_calls:
        assert not isinstance(next_action(session, AT), Pause), "it stands still already"
    elif found:
        assert next_action(session, AT) == found
    else:
        assert isinstance(next_action(session, AT), CallModel)


@pytest.mark.parametrize(("minutes", "pauses"), [(0, False), (29.9, False), (30, True), (500, True)])
def test_time_is_counted_from_the_beginning(minutes: float, pauses: bool) -> None:
    session, now = spent(max_minutes=30), AT + timedelta(minutes=minutes)
    expected = Pause("budget_exceeded", "The 30 minutes are used up.") if pauses else None
    assert check_pause_conditions(session, now) == expected
    short = check_pause_conditions(spent(max_minutes=1), AT + timedelta(minutes=1))
    assert short == Pause("budget_exceeded", "The 1 minute is used up.")
    copy = fold(SID, [one_of_each()["SessionForked"].model_copy(update={"at": now})], session)
    assert check_pause_conditions(copy, now) is None, "a copy begins anew"


def test_every_reason_of_the_table_is_one_that_a_session_can_have() -> None:
    assert set(PAUSE_CONDITIONS) <= set(get_args(PauseReason))


def test_whoever_resumes_it_after_errors_gives_it_another_chance() -> None:
    session = failing(3)
    events: list[Event] = [Paused(**by(), reason="error_threshold_exceeded"), Resumed(**by(BOB))]
    assert isinstance(next_action(fold(SID, events, session), AT), CallModel)


def test_after_a_summary_the_context_counts_from_the_next_answer() -> None:
    session = spent(max_context_tokens=100)
    summed_up = apply(SID, session, Compacted(**by(), through_step=1, summary="S", cost_usd=Decimal(0)))
    assert check_pause_conditions(summed_up, AT) is None


def test_what_has_ended_or_is_paused_just_waits() -> None:
    session = spent(max_steps=1)
    for event_type in ("Paused", "Completed", "Failed", "Cancelled"):
        assert next_action(apply(SID, session, one_of_each()[event_type]), AT) == Wait()


@pytest.mark.parametrize(("arguments", "error"), [({"reason": "No access"}, "No access"), ({}, "")])
def test_an_agent_that_gives_up_fails_with_its_reason(arguments: Json, error: str) -> None:
    call = tool_call(tool=GIVE_UP, mode="allow", control=True, arguments=arguments)
    assert next_action(fold(SID, [launched(), responded(call)]), AT) == Fail(error)
    # What it called beside it has a result first.
    other = tool_call("1.2", mode="allow")
    both = fold(SID, [launched(), responded(call, other)])
    assert next_action(both, AT) == RunTools(run=both.calls_in("ready"))
