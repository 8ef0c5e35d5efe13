"""The entries of a session's log as lines for Slack: the reader's own time, a mark for the kind, names for ids."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence

from handlers.blocks.text import Block, escape, moment, mrkdwn, person
from handlers.messages.approval import ENDED_MARKS
from supervisor.core.events import ApprovalDecided, Completed, Event, ModelResponded, Paused, ToolFinished
from supervisor.core.policy import VERDICT_WORDS
from supervisor.core.state import Session
from supervisor.core.text.labels import WAITING
from supervisor.core.text.visible import one_line
from supervisor.session_log.render.transcript import lines

LONGEST = 300
SECTION = 2800
_MARKS = {
    "SessionLaunched": "rocket",
    "SessionForked": "twisted_rightwards_arrows",
    "SessionRestored": "recycle",
    "ModelResponded": "robot_face",
    "ApprovalRequested": "raised_hand",
    "ApprovalOverdue": "alarm_clock",
    "ApprovalWithdrawn": "leftwards_arrow_with_hook",
    "CallRuledAnew": "raised_hand",
    "ToolRedefined": "raised_hand",
    "FilesTaken": "paperclip",
    "CallEdited": "pencil2",
    "ToolStarted": "hourglass_flowing_sand",
    "ToolFinished": "heavy_check_mark",
    "ToolNotBegun": "warning",
    "OutcomeLost": "grey_question",
    "OutcomeDecided": "grey_question",
    "QuestionAsked": "speech_balloon",
    "QuestionAnswered": "speech_balloon",
    "InputRequested": "speech_balloon",
    "InputGiven": "speech_balloon",
    "WaitBegun": "zzz",
    "WaitEnded": "zzz",
    "Paused": "double_vertical_bar",
    "Resumed": "arrow_forward",
    "ContextAdded": "memo",
    "TimerSet": "alarm_clock",
    "TimerFired": "alarm_clock",
    "TimerDropped": "alarm_clock",
    "BudgetRaised": "moneybag",
    "Compacted": "compression",
    "ActionRefused": "no_entry_sign",
    "ChildLaunched": "busts_in_silhouette",
    "ChildFinished": "busts_in_silhouette",
    "ChildSkipped": "busts_in_silhouette",
    "ChildDecided": "busts_in_silhouette",
    "ChildrenJoined": "busts_in_silhouette",
    "Completed": "white_check_mark",
    "Failed": "x",
    "Cancelled": "no_entry_sign",
}
_SELECTED = re.compile(r"^selected [\d.]+ ")
_DIGEST = re.compile(r" \(sha256 [0-9a-f]+\)")


def log_blocks(session: Session, events: Sequence[Event], room: int) -> tuple[list[Block], int]:
    """Return the last entries in at most `room` characters, and the number of earlier ones.

    Secrets in the events are masked already.
    """
    entries = list(_entries(session, events))
    shown: list[str] = []
    for text in reversed(entries):
        if sum(map(len, shown)) + len(text) > room:
            break
        shown.insert(0, text)
    groups: list[str] = []
    for text in shown:
        if groups and len(groups[-1]) + len(text) < SECTION:
            groups[-1] += f"\n{text}"
        else:
            groups.append(text)
    return [mrkdwn(group) for group in groups], len(entries) - len(shown)


def _entries(session: Session, events: Iterable[Event]) -> Iterator[str]:
    names = {call.call_id: call.call.tool for step in session.steps for call in step.calls}
    names |= {child.id: child.name for child in session.children}
    for event in events:
        mark = _mark(event)
        who = "*agent*" if isinstance(event, ModelResponded | Completed) else f"*{_who(event)}*"
        for line in lines([event]):
            text = escape(one_line(_with_names(event, line.text, names), LONGEST))
            yield f"{moment(event.at)} :{mark}: {who} {text}"


def _mark(event: Event) -> str:
    if isinstance(event, ApprovalDecided):
        return ENDED_MARKS[VERDICT_WORDS[event.verdict]]
    if isinstance(event, ToolFinished) and not event.ok:
        return "warning"
    return _MARKS.get(event.type, "small_blue_diamond")


def _who(event: Event) -> str:
    return "Flagman" if event.by == "system" else person(event.by, event.by_name)


def _with_names(event: Event, text: str, names: Mapping[str, str]) -> str:
    """Return the text with tools and sub-agents by name in place of the ids that the event is about."""
    if isinstance(event, Paused):
        text = text.replace(event.reason, WAITING[event.reason], 1).removeprefix("paused: ")
    if isinstance(event, ModelResponded):
        return _SELECTED.sub("selected ", text)
    if isinstance(event, ApprovalDecided):
        text = _DIGEST.sub("", text, count=1)
    about = [getattr(event, name, "") for name in ("call_id", "child_id")]
    for ident in filter(None, [*about, *getattr(event, "call_ids", ())]):
        if ident in names:
            text = text.replace(ident, one_line(names[ident], 60), 1)
    return text
