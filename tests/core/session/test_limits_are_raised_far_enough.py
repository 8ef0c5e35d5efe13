"""Whoever lets a session go on raises what is used up, by as much as it began with, and nothing else."""

from __future__ import annotations

from datetime import timedelta
from decimal import Decimal
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from supervisor.core.budgets import raise_limits
from supervisor.core.control import check_pause_conditions
from supervisor.core.events import BudgetRaised
from supervisor.core.messages import Usage
from supervisor.core.persona import Budgets
from supervisor.core.reducer import apply, fold
from supervisor.core.state import Session
from tests.core.build import AT, SID, by, launched, responded


def after(budgets: Budgets, *, steps: int = 1, tokens: int = 0, cost: str = "0") -> Session:
    usage = {"usage": Usage(input_tokens=tokens), "cost_usd": Decimal(cost)}
    return fold(SID, [launched(budgets=budgets), *(responded(text="x", **usage) for _ in range(steps))])


def changed(session: Session, minutes: float = 0) -> dict[str, Any]:
    now = raise_limits(session, AT + timedelta(minutes=minutes))
    return {n: v for n, v in now.model_dump().items() if v != getattr(session.budgets, n)}


def test_only_what_is_used_up_is_raised() -> None:
    budgets = Budgets(max_steps=10, max_tokens=1000, max_cost_usd=Decimal(5), max_minutes=30)
    assert changed(after(budgets, tokens=999, cost="4.99"), minutes=29) == {}
    assert changed(after(budgets, cost="5")) == {"max_cost_usd": Decimal(10)}
    assert changed(after(budgets, steps=10)) == {"max_steps": 20}
    assert changed(after(budgets, tokens=1000)) == {"max_tokens": 2000}


def test_it_is_raised_as_often_as_it_takes() -> None:
    assert changed(after(Budgets(max_cost_usd=Decimal(5)), cost="12.5")) == {"max_cost_usd": Decimal(15)}
    assert changed(after(Budgets(max_cost_usd=Decimal(5)), cost="15")) == {"max_cost_usd": Decimal(20)}
    assert changed(after(Budgets(max_context_tokens=100), tokens=350)) == {"max_context_tokens": 400}


def test_minutes_are_counted_from_now_on() -> None:
    assert changed(after(Budgets(max_minutes=30)), minutes=30) == {"max_minutes": 60}
    assert changed(after(Budgets(max_minutes=30)), minutes=24 * 60 + 0.5) == {"max_minutes": 24 * 60 + 31}


def test_it_is_raised_by_what_it_began_with() -> None:
    session = after(Budgets(max_steps=3), steps=3)
    for limit in (6, 9):
        more = BudgetRaised(**by(), budgets=raise_limits(session, AT))
        session = apply(SID, session, more)
        assert session.budgets.max_steps == limit
        for _ in range(3):
            session = apply(SID, session, responded(text="x"))


LIMITS = st.builds(
    Budgets,
    max_steps=st.integers(1, 5),
    max_tokens=st.none() | st.integers(1, 5000),
    max_context_tokens=st.none() | st.integers(1, 5000),
    max_cost_usd=st.none() | st.decimals("0.0001", "9", places=4),
    max_minutes=st.none() | st.floats(0.001, 90),
)


@given(LIMITS, st.integers(1, 9), st.integers(0, 9000), st.decimals("0", "30", places=4), st.floats(0, 1e5))
def test_after_it_nothing_is_used_up(
    budgets: Budgets, steps: int, tokens: int, cost: Decimal, minutes: float
) -> None:
    session, now = (
        after(budgets, steps=steps, tokens=tokens, cost=str(cost)),
        AT + timedelta(minutes=minutes),
    )
    free = apply(SID, session, BudgetRaised(**by(), budgets=raise_limits(session, now)))
    assert check_pause_conditions(free, now) is None
