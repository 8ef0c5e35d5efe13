"""Times, sums and people as a SESSION_LOG writes them."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from decimal import Decimal

from supervisor.core.events import PauseReason
from supervisor.core.messages import Usage
from supervisor.core.persona import Budgets
from supervisor.core.state import Session
from supervisor.session_log.render.safe import code, inline

WAITING: dict[PauseReason, str] = {
    "human_approval_required": "waiting for an approval",
    "human_input_required": "waiting for an answer",
    "external_dependency": "waiting for something outside",
    "scheduled": "waiting for its time",
    "children_running": "waiting for its sub-agents",
    "error_threshold_exceeded": "stopped after errors in a row",
    "context_budget_exceeded": "stopped: the context is full",
    "budget_exceeded": "stopped: a budget is used up",
    "outcome_unknown": "waiting for word on a call that was cut off",
    "manual": "paused by hand",
}
_ROLES = {"system": "Flagman", "clock": "the clock", "token": "a resume token"}


def stamp(at: datetime) -> str:
    return f"{at.astimezone(UTC):%Y-%m-%d %H:%M:%S}"


def iso(at: datetime) -> str:
    return f"{at.astimezone(UTC):%Y-%m-%dT%H:%M:%SZ}"


def span(time: timedelta) -> str:
    """`0.4 s`, `12 s`, `3 min 5 s`, `2 h 10 min`, `3 d 4 h`."""
    seconds = max(time.total_seconds(), 0)
    if seconds < 10:
        return f"{seconds:.1f} s"
    whole = int(seconds)
    for size, unit, smaller, part in ((86400, "d", 3600, "h"), (3600, "h", 60, "min"), (60, "min", 1, "s")):
        if whole >= size:
            rest = whole % size // smaller
            return f"{whole // size} {unit}" + (f" {rest} {part}" if rest else "")
    return f"{whole} s"


def took(ms: int) -> str:
    return f"{ms} ms" if ms < 1000 else span(timedelta(milliseconds=ms))


def money(cost: Decimal, *, unpriced: bool = False) -> str:
    """With the cents that it has; `unpriced`: a part of it has no known price."""
    if unpriced and not cost:
        return "not known"
    known = f"{cost:,.6f}".rstrip("0")
    whole, _, cents = known.partition(".")
    return f"{'at least ' if unpriced else ''}${whole}.{cents:0<2}"


def tokens(usage: Usage) -> str:
    cached = f", {usage.cached_tokens:,} of them cached" if usage.cached_tokens else ""
    whole = usage.input_tokens + usage.output_tokens
    return f"{whole:,} tokens ({usage.input_tokens:,} in{cached}, {usage.output_tokens:,} out)"


def count(number: int, what: str, many: str = "") -> str:
    return f"{number:,} {what if number == 1 else many or what + 's'}"


def limits(budgets: Budgets) -> str:
    words = [count(budgets.max_steps, "step")]
    words += [count(budgets.max_tokens, "token")] if budgets.max_tokens else []
    words += (
        [f"{count(budgets.max_context_tokens, 'token')} of context"] if budgets.max_context_tokens else []
    )
    words += [money(budgets.max_cost_usd)] if budgets.max_cost_usd else []
    words += [f"{budgets.max_minutes:g} minutes"] if budgets.max_minutes else []
    return ", ".join(words)


def listed(items: list[str], most: int = 8) -> str:
    """`a, b and 3 more`."""
    shown = items[:most]
    left = len(items) - len(shown)
    return f"{', '.join(shown)} and {left} more" if left else ", ".join(shown)


def person(by: str, name: str = "") -> str:
    """Name and id: whoever reads this later may know neither."""
    if by in _ROLES:
        return _ROLES[by]
    if by.startswith("model:"):
        return "the agent"
    if by.startswith("agent:"):
        return f"the agent of {code(by.removeprefix('agent:'))}"
    return f"**{inline(name, 80)}** ({code(by, 80)})" if name and name != by else code(by, 80)


def total_tokens(session: Session) -> int:
    return session.total_usage.input_tokens + session.total_usage.output_tokens


def is_unpriced(session: Session) -> bool:
    return session.unpriced or any(child.unpriced for child in session.children)
