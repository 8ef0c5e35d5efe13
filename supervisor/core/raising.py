"""What the limits of a session become when somebody lets it go on after they were used up. Pure."""

from __future__ import annotations

import math
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any, TypeVar

from supervisor.core.budgets import spending_of
from supervisor.core.persona import Budgets
from supervisor.core.state import Session

Amount = TypeVar("Amount", int, Decimal)


def raised(session: Session, now: datetime) -> Budgets:
    """Each limit that is used up at `now`, raised by what it was at the start; the others stay.

    As often as it takes to be above what is used; minutes are counted from now on.
    """
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
