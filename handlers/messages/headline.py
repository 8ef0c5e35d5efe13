"""One line that says what a session does or waits for."""

from __future__ import annotations

from collections.abc import Sequence

from handlers.blocks.text import escape, one_line
from handlers.messages.message import Mask
from supervisor.core.delegation import undecided
from supervisor.core.state import Child, Session

WAITING = {
    "human_approval_required": ":raised_hand: Waiting for an approval",
    "human_input_required": ":speech_balloon: Waiting for an answer",
    "external_dependency": ":link: Waiting for something outside",
    "scheduled": ":alarm_clock: Waiting for its time",
    "children_running": ":busts_in_silhouette: Waiting for its sub-agents",
    "error_threshold_exceeded": ":warning: Stopped after errors",
    "context_budget_exceeded": ":moneybag: Stopped: the context is full",
    "budget_exceeded": ":moneybag: Stopped: the budget is used up",
    "outcome_unknown": ":grey_question: Waiting for a decision on a call that was cut off",
    "manual": ":double_vertical_bar: Paused",
}
ENDED = {
    "completed": ":white_check_mark: Done",
    "failed": ":x: Failed",
    "cancelled": ":no_entry_sign: Cancelled",
}


def headline(session: Session, mask: Mask, *, limit: int = 200) -> str:
    """In mrkdwn, an emoji first; `limit` is for the part that others wrote."""
    mark, words = state(session, mask, limit=limit)
    return f":{mark}: {escape(words)}"


def state(session: Session, mask: Mask, *, limit: int = 200) -> tuple[str, str]:
    """The name of an emoji, and plain words."""
    if session.ended:
        return apart(ENDED[session.lifecycle])
    waiting = session.waiting_for
    if waiting is None:
        return "hourglass_flowing_sand", _doing(session)
    mark, words = apart(WAITING[waiting])
    if session.pause:
        detail = one_line(mask(session.pause.detail), limit)
        return mark, f"{words}: {detail}" if detail else words
    if failed := failures(session):
        return "warning", f"{names(failed, limit)} failed: retry, go on without, or stop the rest"
    if waiting == "children_running":
        return mark, f"{words}: {names(session.running_children, limit)}"
    return mark, words


def apart(line: str) -> tuple[str, str]:
    """The emoji and the words of one of the lines above."""
    _, mark, words = line.split(":", 2)
    return mark, words.strip()


def _doing(session: Session) -> str:
    started = session.calls_in("started")
    if started:
        return f"Running {', '.join(dict.fromkeys(one_line(c.call.tool, 40) for c in started))}"
    return "Thinking" if session.steps else "Starting"


def failures(session: Session) -> tuple[Child, ...]:
    """Sub-agents that failed, and of which somebody has to say what next."""
    if session.ended:
        return ()
    return tuple(child for call in session.calls_in("delegating") for child in undecided(session, call))


def names(children: Sequence[Child], limit: int) -> str:
    """In a row; those that do not fit are counted."""
    shown: list[str] = []
    for child in children:
        name = one_line(child.name, 40)
        if shown and sum(map(len, shown)) + len(name) > limit:
            return f"{', '.join(shown)} and {len(children) - len(shown)} more"
        shown.append(name)
    return ", ".join(shown)
