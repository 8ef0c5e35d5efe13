"""Budgets: what a session has used of its limits, and how used-up limits are raised."""

from __future__ import annotations

import math
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any, TypeVar

from supervisor.core.control import context_tokens
from supervisor.core.messages import Frozen
from supervisor.core.persona import Budgets
from supervisor.core.state import Session

Amount = TypeVar("Amount", int, Decimal)


class Used(Frozen):
    """No `limit`: as much as it takes."""

    used: int
    limit: int | None


class UsedMinutes(Frozen):
    used: float
    limit: float | None


class UsedMoney(Frozen):
    used: Decimal
    limit: Decimal | None


class Spending(Frozen):
    """Tokens and cost include sub-agents that have ended; `context_tokens` are those of the last question."""

    steps: Used
    tokens: Used
    cost_usd: UsedMoney
    minutes: UsedMinutes
    context_tokens: Used


def spending_of(session: Session, now: datetime) -> Spending:
    """Return the use of all budgets at `now`, or at the end of the session if it has ended."""
    limits, usage = session.budgets, session.total_usage
    until = session.changed_at if session.ended else now
    minutes = max((until - session.began_at).total_seconds() / 60, 0)
    return Spending(
        steps=Used(used=len(session.steps), limit=limits.max_steps),
        tokens=Used(used=usage.input_tokens + usage.output_tokens, limit=limits.max_tokens),
        cost_usd=UsedMoney(used=session.total_cost_usd, limit=limits.max_cost_usd),
        minutes=UsedMinutes(used=round(minutes, 2), limit=limits.max_minutes),
        context_tokens=Used(used=context_tokens(session), limit=limits.max_context_tokens),
    )


def raise_limits(session: Session, now: datetime) -> Budgets:
    """Return the budgets with each limit used up at `now` raised above its use, in steps of its first value."""
    spending, limits, first = spending_of(session, now), session.budgets, session.allowance
    changes: dict[str, Any] = {"max_steps": _above(spending.steps.used, limits.max_steps, first.max_steps)}
    if limits.max_tokens is not None:
        changes["max_tokens"] = _above(spending.tokens.used, limits.max_tokens, first.max_tokens)
    if limits.max_cost_usd is not None:
        changes["max_cost_usd"] = _above(spending.cost_usd.used, limits.max_cost_usd, first.max_cost_usd)
    if limits.max_context_tokens is not None:
        used = spending.context_tokens.used
        changes["max_context_tokens"] = _above(used, limits.max_context_tokens, first.max_context_tokens)
    passed, minutes = now - session.began_at, limits.max_minutes
    if minutes is not None and passed >= timedelta(minutes=minutes):
        changes["max_minutes"] = math.ceil(passed / timedelta(minutes=1)) + (first.max_minutes or minutes)
    return limits.model_copy(update=changes)


def _above(used: Amount, limit: Amount, more: Amount | None) -> Amount:
    if used < limit:
        return limit
    step = more or limit
    return limit + step * ((used - limit) // step + 1)
