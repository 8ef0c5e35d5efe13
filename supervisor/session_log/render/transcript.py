"""The log as lines that a person reads: when, what, by whom."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from datetime import datetime

from supervisor.core.digest import canonical_json
from supervisor.core.events import (
    ApprovalDecided,
    ApprovalRequested,
    BudgetRaised,
    CallEdited,
    Cancelled,
    ChildDecided,
    ChildFinished,
    ChildLaunched,
    ChildrenJoined,
    ChildSkipped,
    Compacted,
    Completed,
    ContextAdded,
    Event,
    Failed,
    ModelResponded,
    OutcomeDecided,
    OutcomeLost,
    Paused,
    QuestionAnswered,
    QuestionAsked,
    Resumed,
    SessionForked,
    SessionLaunched,
    SessionRestored,
    TimerDropped,
    TimerFired,
    TimerSet,
    ToolCall,
    ToolFinished,
    ToolStarted,
    WaitBegun,
    WaitEnded,
)


@dataclass(frozen=True)
class Line:
    at: datetime
    who: str
    text: str


def lines(events: Iterable[Event], mask: Callable[[str], str] = str) -> Iterator[Line]:
    """One or more lines an event, secrets masked."""
    for event in events:
        for text in _texts(event):
            yield Line(event.at, event.by_name or event.by, mask(text))


def _texts(event: Event) -> Iterator[str]:
    match event:
        case SessionLaunched():
            yield f"launched {event.persona}: {event.task}"
        case ModelResponded():
            yield from _response(event)
        case ApprovalRequested():
            yield f"asked to approve {', '.join(event.call_ids)}"
        case ApprovalDecided():
            verb = "approved" if event.verdict == "approve" else "denied"
            yield f"{verb} {event.call_id} (sha256 {event.digest[:12]}){_because(event.reason)}"
        case ToolStarted():
            yield f"started {event.call_id}, attempt {event.attempt}"
        case ToolFinished():
            how = "finished" if event.ok else "failed"
            yield f"{how} {event.call_id} in {event.duration_ms} ms: {event.content.strip()}"
        case QuestionAsked():
            yield f"asked ({event.call_id}): {event.question}"
        case Paused():
            until = f", until {' or '.join(map(str, event.conditions))}" if event.conditions else ""
            yield f"paused: {event.reason}{until}{_because(event.detail)}"
        case Resumed():
            what = event.condition or event.trigger
            data = f" with {canonical_json(event.data)}" if event.data is not None else ""
            yield f"resumed by {what}{data}{_because(event.context)}"
        case _:
            yield _short(event)


def _short(event: Event) -> str:
    match event:
        case ContextAdded():
            return f"said: {event.text}"
        case OutcomeLost():
            return f"lost the outcome of {event.call_id}, attempt {event.attempt}"
        case OutcomeDecided():
            return f"settled {event.call_id}: {event.verdict}{_because(event.result)}"
        case QuestionAnswered():
            return f"answered ({event.call_id}): {event.answer}"
        case Completed():
            return f"completed: {event.summary}"
        case Failed():
            return f"failed: {event.error}"
        case Cancelled():
            return f"cancelled{_because(event.reason)}"
        case _:
            return _timing(event)


def _timing(event: Event) -> str:
    match event:
        case TimerSet():
            about = f" about {event.about}" if event.about else ""
            return f"set reminder {event.timer_id}{about} for {event.due:%Y-%m-%d %H:%M} UTC{_because(event.text)}"
        case TimerFired():
            return f"reminded: {event.timer_id}"
        case TimerDropped():
            return f"dropped reminder {event.timer_id}"
        case WaitBegun():
            return f"waits in {event.call_id}"
        case WaitEnded():
            return f"waited in {event.call_id}: {event.content.strip()}"
        case BudgetRaised():
            return "raised the budget"
        case _:
            return _lineage(event)


def _lineage(event: Event) -> str:
    match event:
        case ChildLaunched():
            return (
                f"launched {event.persona} as sub-agent {event.name}, session {event.child_id}: {event.task}"
            )
        case ChildFinished():
            return f"sub-agent {event.child_id} {event.ending}{_because(event.result.strip())}"
        case ChildSkipped():
            return f"gave up subtask {event.name}{_because(event.reason)}"
        case ChildDecided():
            return f"decided on sub-agent {event.child_id}: {event.verdict}"
        case ChildrenJoined():
            return f"ended the plan {event.call_id}: {event.content.strip()}"
        case CallEdited():
            digests = f"sha256 {event.before[:12]} to {event.call.digest[:12]}"
            return f"changed {event.call_id} ({digests}): {_arguments(event.call)}"
        case Compacted():
            return f"summed up the steps to {event.through_step}: {event.summary.strip()}"
        case SessionForked():
            return f"copied session {event.source} up to step {event.step}"
        case SessionRestored():
            lost = f"; {', '.join(event.lost)} lost the arguments" if event.lost else ""
            return f"restored it from a SESSION_LOG (chain sha256 {event.chain[:12]}){lost}"
        case _:
            return event.type


def _response(event: ModelResponded) -> Iterator[str]:
    if event.text:
        yield f"said: {event.text}"
    for call in event.calls:
        ruling = {"ask": "needs approval", "allow": "allowed", "refuse": f"refused: {call.reason}"}[call.mode]
        yield f"selected {call.call_id} {call.tool} {_arguments(call)} ({ruling})"


def _arguments(call: ToolCall) -> str:
    return call.arguments if isinstance(call.arguments, str) else canonical_json(call.arguments)


def _because(reason: str) -> str:
    return f": {reason}" if reason else ""
