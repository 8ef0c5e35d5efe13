"""Texts for tokens, limits and people in a SESSION_LOG."""

from __future__ import annotations

from supervisor.core.events.base import DecisionFact, PauseReason
from supervisor.core.messages import Usage
from supervisor.core.persona import Budgets
from supervisor.core.records import Decision
from supervisor.core.state import Session
from supervisor.core.text.format import count, money
from supervisor.core.text.labels import WAITING, WAITING_BEFORE_4
from supervisor.session_log.render.safe import code, inline

# How a turn ends that needs no word of its own: it was said to the end, or calls follow.
_PLAIN_ENDS = {"", "stop", "end_turn", "completed", "complete", "tool_calls", "tool_use", "function_call"}
_ROLES = {"system": "Flagman", "clock": "the clock", "token": "a resume token"}


def waiting(reason: PauseReason, version: int) -> str:
    """Return why a session waits, in the words of a format."""
    return (WAITING if version > 3 else WAITING_BEFORE_4)[reason]


def tokens(usage: Usage) -> str:
    cached = f", {usage.cached_tokens:,} of them cached" if usage.cached_tokens else ""
    whole = usage.input_tokens + usage.output_tokens
    return f"{whole:,} tokens ({usage.input_tokens:,} in{cached}, {usage.output_tokens:,} out)"


def unusual_end(stop_reason: str) -> str:
    """Return the stop reason of a model's turn where it tells more than that the turn ended; otherwise empty."""
    return "" if stop_reason.lower() in _PLAIN_ENDS else stop_reason


def limits(budgets: Budgets) -> str:
    words = [count(budgets.max_steps, "step")]
    words += [count(budgets.max_tokens, "token")] if budgets.max_tokens else []
    words += (
        [f"{count(budgets.max_context_tokens, 'token')} of context"] if budgets.max_context_tokens else []
    )
    words += [money(budgets.max_cost_usd)] if budgets.max_cost_usd else []
    words += [f"{budgets.max_minutes:g} minutes"] if budgets.max_minutes else []
    return ", ".join(words)


def decider(deed: DecisionFact | Decision) -> str:
    """Return who decided, and for whom where it was by the right of another person."""
    for_ = f" for {person(deed.for_person, deed.for_name)}" if deed.for_person else ""
    return person(deed.by, deed.by_name) + for_


def person(by: str, name: str = "") -> str:
    """Return an actor by name and id, since a later reader may know only one of them."""
    if by in _ROLES:
        return _ROLES[by]
    if by.startswith("model:"):
        return "the agent"
    if by.startswith("agent:"):
        return f"the agent of {code(by.removeprefix('agent:'))}"
    return f"**{inline(name, 80)}** ({code(by, 80)})" if name and name != by else code(by, 80)


def is_unpriced(session: Session) -> bool:
    return session.unpriced or any(child.unpriced for child in session.children)
