"""The line that says what a session does or waits for."""

from __future__ import annotations

from collections.abc import Sequence

from handlers.blocks.text import escape
from supervisor.core.conditions import OnEvent, Webhook
from supervisor.core.delegation import undecided
from supervisor.core.events import PauseReason
from supervisor.core.records import Child
from supervisor.core.state import Session
from supervisor.core.text import labels
from supervisor.core.text.labels import capital
from supervisor.core.text.masking import Masker
from supervisor.core.text.visible import one_line

_PAUSE_MARKS: dict[PauseReason, str] = {
    "human_approval_required": "raised_hand",
    "human_input_required": "speech_balloon",
    "external_dependency": "link",
    "scheduled": "alarm_clock",
    "children_running": "busts_in_silhouette",
    "error_threshold_exceeded": "warning",
    "context_budget_exceeded": "moneybag",
    "budget_exceeded": "moneybag",
    "outcome_unknown": "grey_question",
    "connection_required": "electric_plug",
    "parent_paused": "double_vertical_bar",
    "manual": "double_vertical_bar",
}
_END_MARKS = {"completed": "white_check_mark", "failed": "x", "cancelled": "no_entry_sign"}
# Lines in mrkdwn, an emoji first.
WAITING = {reason: f":{mark}: {capital(labels.WAITING[reason])}" for reason, mark in _PAUSE_MARKS.items()}
ENDED = {state: f":{_END_MARKS[state]}: {capital(words)}" for state, words in labels.ENDED.items()}


def headline(session: Session, mask: Masker, *, limit: int = 200) -> str:
    """Return the line in mrkdwn, beginning with an emoji; `limit` applies to the text from outside in it."""
    mark, words = state(session, mask, limit=limit)
    return f":{mark}: {escape(words)}"


def state(session: Session, mask: Masker, *, limit: int = 200) -> tuple[str, str]:
    """Return the line as the name of an emoji and plain text."""
    if session.ended:
        return apart(ENDED[session.lifecycle])
    waiting = session.waiting_for
    if waiting is None:
        return "hourglass_flowing_sand", _activity(session)
    mark, words = apart(WAITING[waiting])
    if session.pause:
        awaited = " or ".join(
            dict.fromkeys(str(c) for _, c in session.waits if isinstance(c, Webhook | OnEvent))
        )
        words = f"{words} ({one_line(mask(awaited), limit)})" if awaited else words
        detail = one_line(mask(session.pause.detail), limit)
        return mark, f"{words}: {detail}" if detail else words
    if failed := failures(session):
        return "warning", f"{names(failed, limit)} failed: retry, continue without, or stop the rest"
    if waiting == "children_running":
        return mark, f"{words}: {names(session.running_children, limit)}"
    return mark, words


def apart(line: str) -> tuple[str, str]:
    """Return the name of the emoji and the text of a line of `WAITING` or `ENDED`."""
    _, mark, words = line.split(":", 2)
    return mark, words.strip()


def _activity(session: Session) -> str:
    started = session.calls_in("started")
    if started:
        return f"Running {', '.join(dict.fromkeys(one_line(c.call.tool, 40) for c in started))}"
    return "Thinking" if session.steps else "Starting"


def failures(session: Session) -> tuple[Child, ...]:
    """Return the failed sub-agents for which a person has to decide what follows."""
    if session.ended:
        return ()
    return tuple(child for call in session.calls_in("delegating") for child in undecided(session, call))


def names(children: Sequence[Child], limit: int) -> str:
    """Return the names of sub-agents, separated by commas; those beyond `limit` characters are counted."""
    shown: list[str] = []
    for child in children:
        name = one_line(child.name, 40)
        if shown and sum(map(len, shown)) + len(name) > limit:
            return f"{', '.join(shown)} and {len(children) - len(shown)} more"
        shown.append(name)
    return ", ".join(shown)
