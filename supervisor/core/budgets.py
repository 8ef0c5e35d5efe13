"""What a session has used of what it may: the figures behind its budgets. Pure."""

from __future__ import annotations

from datetime import datetime
from decimal import Decimal

from supervisor.core.control import context_tokens
from supervisor.core.messages import Frozen
from supervisor.core.state import Session


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
    """As at `now`; after its end as at its end."""
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
