"""Buttons and menu of a session's messages, and the usage with the limits of a paused one."""

from __future__ import annotations

from collections.abc import Mapping

from handlers.action_ids import Action, Target
from handlers.blocks.text import Block, button, context, overflow
from supervisor.core.budgets import Spending, raise_limits, spending_of
from supervisor.core.control import compactable
from supervisor.core.rights import awaited_connection
from supervisor.core.state import Call, Session
from supervisor.core.text.format import count, money
from supervisor.core.text.format import used as of_limit

LONGEST_LABEL = 75
_BUDGETS = ("budget_exceeded", "context_budget_exceeded")
# Limits of which each further step uses less after a summary.
_SHORTER_HELPS = {"max_tokens", "max_cost_usd", "max_context_tokens"}


def spent(session: Session) -> list[Block]:
    """Return the usage of a session that its budgets have stopped, with limits, and in bold where one is used up."""
    if not session.pause or session.pause.reason not in _BUDGETS:
        return []
    over = _used_up(session)
    figures = _figures(spending_of(session, session.pause.at), unpriced=session.unpriced)
    shown = [f"*{text}*" if name in over else text for name, text in figures.items()]
    return [context(f":moneybag: Used so far: {' · '.join(shown)}")]


def _figures(used: Spending, *, unpriced: bool) -> dict[str, str]:
    """Return the usage as text by the name of the limit; minutes and context only where they have a limit."""
    cost, minutes, full = used.cost_usd, used.minutes, used.context_tokens
    of_cost = "" if cost.limit is None else f" of {money(cost.limit)}"
    spent_usd = (
        "cost unknown for this model" if unpriced and not cost.used else money(cost.used, unpriced=unpriced)
    )
    figures = {
        "max_steps": f"{of_limit(used.steps.used, used.steps.limit)} steps",
        "max_tokens": f"{of_limit(used.tokens.used, used.tokens.limit)} tokens",
        "max_cost_usd": f"{spent_usd}{of_cost}",
    }
    if minutes.limit is not None:
        figures["max_minutes"] = f"{minutes.used:,.0f} of {minutes.limit:,.10g} minutes"
    if full.limit is not None:
        figures["max_context_tokens"] = f"{of_limit(full.used, full.limit)} tokens of context"
    return figures


def _used_up(session: Session) -> dict[str, str]:
    """Return the used-up limits by name, each with its value after raising it as text."""
    if not session.pause:
        return {}
    limits, more = session.budgets, raise_limits(session, session.pause.at)
    found: dict[str, str] = {}
    if more.max_steps != limits.max_steps:
        found["max_steps"] = count(more.max_steps, "step")
    if more.max_tokens is not None and more.max_tokens != limits.max_tokens:
        found["max_tokens"] = count(more.max_tokens, "token")
    if more.max_cost_usd is not None and more.max_cost_usd != limits.max_cost_usd:
        found["max_cost_usd"] = money(more.max_cost_usd)
    if more.max_context_tokens is not None and more.max_context_tokens != limits.max_context_tokens:
        found["max_context_tokens"] = f"{count(more.max_context_tokens, 'token')} of context"
    if more.max_minutes is not None and more.max_minutes != limits.max_minutes:
        found["max_minutes"] = f"{session.allowance.max_minutes or limits.max_minutes:,.10g} more minutes"
    return found


def ways_on(session: Session) -> list[Block]:
    """Return the buttons of a paused session, the most common one first, and its menu.

    One that waits for an approval is approved or denied in the message of its request.
    """
    if not session.pause:
        return []
    if session.approval:
        return [menu(session)]
    pause, reason = Target.of_pause(session).encode(), session.pause.reason
    failing = reason == "error_threshold_exceeded"
    if awaited := awaited_connection(session):
        return [connect_button(awaited.server), button("Try again", Action.RESUME, pause), menu(session)]
    more = _used_up(session) if reason in _BUDGETS else {}
    buttons = [button(_go_on(more, failing=failing), Action.RESUME, pause, style="primary")]
    buttons.append(button("Add context" if failing else "Resume with a message", Action.RESUME_WITH, pause))
    compacting: dict[str, str] = {}
    if set(more) & _SHORTER_HELPS and compactable(session):
        kept = {name: words for name, words in more.items() if name != "max_context_tokens"}
        compacting = {option(Action.COMPACT, pause): _compact(kept)}
    return [*buttons, menu(session, compacting)]


def connect_button(server: str) -> Block:
    """Return the button that gives the one who presses it a link to connect a server as themselves."""
    return button(f"Connect {server}", Action.CONNECT, server, style="primary")


def _go_on(more: dict[str, str], *, failing: bool) -> str:
    if failing:
        return "Retry"
    if set(more) == {"max_minutes"}:
        return f"Give it {more['max_minutes']}"
    return _label(f"Raise to {', '.join(more.values())} and resume", "Raise limits and resume", more)


def _compact(more: dict[str, str]) -> str:
    """Return the label of the button that sums up; `more` are the used-up limits that it raises, too."""
    short = "Compact and raise limits"
    return _label(f"Compact and raise to {', '.join(more.values())}", short, more, none="Compact and resume")


def _label(whole: str, short: str, more: dict[str, str], *, none: str = "Resume") -> str:
    if not more:
        return none
    return whole if len(whole) <= LONGEST_LABEL else short


def approval_buttons(session: Session, request: Call) -> list[Block]:
    """Return the buttons that decide on a pause that waits for an approval."""
    value = Target.of(session, request).encode()
    return [
        button("Approve", Action.APPROVE, value, style="primary"),
        button("Deny", Action.DENY, value, style="danger"),
        menu(session),
    ]


def option(action: Action, value: str) -> str:
    """Return the value of an option of a menu: the action, and the value that its button would have."""
    return f"{action}|{value}"


def menu(session: Session, first: Mapping[str, str] | None = None) -> Block:
    """Return the menu of a session's message, with the options `first` (labels by value) before those it always has."""
    value = Target.of(session).encode()
    pausing = {} if session.pause else {option(Action.PAUSE, value): "Pause"}
    last = {option(Action.LOG, value): "View log", option(Action.CANCEL, value): "Cancel session…"}
    return overflow(Action.MORE, {**(first or {}), **pausing, **last})


def raises(session: Session) -> str:
    """Return a sentence with the limits that resuming raises; empty where it raises none."""
    more = _used_up(session) if session.pause and session.pause.reason in _BUDGETS else {}
    return f"It may then use up to {', '.join(more.values())}." if more else ""
