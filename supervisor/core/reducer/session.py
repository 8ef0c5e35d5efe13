"""Reduction of a session as a whole: which events each lifecycle accepts, and the session after each."""

from __future__ import annotations

from collections.abc import Iterable
from functools import singledispatch
from typing import Any

from supervisor.core.errors import IllegalEvent
from supervisor.core.events import (
    ActionRefused,
    BudgetRaised,
    Cancelled,
    Compacted,
    Completed,
    ContextAdded,
    Event,
    Failed,
    ModelResponded,
    SessionForked,
    SessionLaunched,
    SessionRestored,
    TimerDropped,
    TimerFired,
    TimerSet,
    ToolCall,
)
from supervisor.core.records import Compaction, Fork, Note, Refusal, Timer
from supervisor.core.reducer.steering import steered_by
from supervisor.core.state import Call, CallPhase, Lifecycle, Session, Step
from supervisor.core.text.labels import not_in_session

LOST_ARGUMENTS = (
    "Its arguments held a secret, which a SESSION_LOG does not keep; propose it again if it is still needed."
)
LOST_OUTCOME = (
    "It had been started when the session was lost, and its arguments held a secret, which a SESSION_LOG does not "
    "keep: look whether it took effect before you propose it again."
)
# How many refusals are remembered.
MOST_REFUSALS = 20
# Which events each stage of the whole session accepts.
_PEOPLE = {
    "ActionRefused",
    "ContextAdded",
    "ApprovalDecided",
    "ApprovalOverdue",
    "ApprovalWithdrawn",
    "OutcomeDecided",
    "QuestionAnswered",
    "InputGiven",
    "BudgetRaised",
    "CallEdited",
    "GrantAdded",
    "GrantEnded",
    "ChildDecided",
    "TimerSet",
    "TimerFired",
    "TimerDropped",
    "Cancelled",
}
_STEPS = {
    "ApprovalRequested",
    "CallRuledAnew",
    "CallGranted",
    "ToolRedefined",
    "ToolStarted",
    "QuestionAsked",
    "WaitBegun",
    "WaitEnded",
    "ChildLaunched",
    "ChildSkipped",
    "ChildrenJoined",
}
_FACTS = {
    "ModelResponded",
    "ToolFinished",
    "ToolNotBegun",
    "OutcomeLost",
    "InputRequested",
    "ChildFinished",
    "Compacted",
    "SessionForked",
    "SessionRestored",
    "FilesTaken",
}
_LATE = frozenset({"ToolFinished", "ToolNotBegun", "ChildFinished", "SessionRestored", "GrantEnded"})
SESSION_MOVES: dict[Lifecycle, frozenset[str]] = {
    "running": frozenset(
        _PEOPLE | _FACTS | _STEPS | {"Paused", "Resumed", "Completed", "Failed"}
    ),
    "paused": frozenset(_PEOPLE | _FACTS | {"Paused", "Resumed", "Failed"}),
    "completed": frozenset({"ChildFinished", "SessionRestored", "GrantEnded"}),
    "failed": _LATE,
    "cancelled": _LATE,
}  # fmt: skip


def fold(session_id: str, events: Iterable[Event], start: Session | None = None) -> Session:
    """Return the session after `events`, from `start` or from nothing. Raises IllegalEvent."""
    session = start
    for event in events:
        session = apply(session_id, session, event)
    if session is None:
        raise IllegalEvent("A session begins with its launch.")
    return session


def apply(session_id: str, session: Session | None, event: Event) -> Session:
    """Return the session after one more event. Raises IllegalEvent if the tables of this package forbid it."""
    if session is None:
        return _launch(session_id, event)
    if event.type not in SESSION_MOVES[session.lifecycle]:
        raise IllegalEvent(not_in_session(event.doing, session.lifecycle))
    changes = reduce(event, session)
    changes |= {
        "steered_by": steered_by(session, event),
        "version": session.version + 1,
        "changed_at": event.at,
    }
    return session.model_copy(update=changes)


@singledispatch
def reduce(event: Event, session: Session) -> dict[str, Any]:
    """Return the fields of the session that an event changes. Each event has one function. Raises IllegalEvent."""
    raise IllegalEvent(f"{event.type} is not known here.")


def _launch(session_id: str, event: Event) -> Session:
    if not isinstance(event, SessionLaunched):
        raise IllegalEvent("A session begins with its launch.")
    return Session(
        id=session_id,
        version=1,
        task=event.task,
        persona=event.persona,
        persona_digest=event.persona_digest,
        launched_by=event.by,
        launched_by_name=event.by_name,
        asked_by=frozenset({*event.asked_by, event.by_owner} - {""}),
        launched_at=event.at,
        changed_at=event.at,
        budgets=event.budgets,
        allowance=event.budgets,
        origin=event.origin,
        lineage=event.lineage,
        refused=0,
    )


@reduce.register
def _context_added(event: ContextAdded, session: Session) -> dict[str, Any]:
    text = f"Note of the persona {event.persona}: {event.text}" if event.persona else event.text
    return {
        "inbox": (*session.inbox, note_of(event, text)),
        "attachments": session.attachments.with_given(event, event.files),
    }


@reduce.register
def _action_refused(event: ActionRefused, session: Session) -> dict[str, Any]:
    refusal = Refusal(by=event.by, attempt=event.attempt, at=event.at)
    others = [r for r in session.refusals if (r.by, r.attempt) != (event.by, event.attempt)]
    return {"refusals": (*others, refusal)[-MOST_REFUSALS:], "refused": session.refused + 1}


def note_of(event: Event, text: str) -> Note:
    """The note of what an event tells the session."""
    return Note(text=text, by=event.by, by_name=event.by_name, by_owner=event.by_owner, at=event.at)


@reduce.register
def _model_responded(event: ModelResponded, session: Session) -> dict[str, Any]:
    if session.open_calls:
        raise IllegalEvent("The model cannot answer before every call of its last answer has a result.")
    if event.context_seen > len(session.inbox):
        raise IllegalEvent("The model cannot have seen more than it was sent.")
    number = len(session.steps) + 1
    if event.step not in (0, number):
        raise IllegalEvent("That answer of the model came too late: it has answered since.")
    if any(c.call_id != f"{number}.{n}" for n, c in enumerate(event.calls, start=1)):
        raise IllegalEvent("The calls of that answer are not numbered as its place in the session says.")
    calls = tuple(_selected(c) for c in event.calls)
    seen = session.inbox[: event.context_seen]
    refused = sum(c.phase == "refused" for c in calls)
    step = Step(
        number=number,
        text=event.text,
        calls=calls,
        usage=event.usage,
        cost_usd=event.cost_usd,
        model=event.model,
        duration_ms=event.duration_ms,
        at=event.at,
        native=event.native,
    )
    return {
        "steps": (*session.steps, step),
        "notes": (*session.notes, *(n.model_copy(update={"before_step": number}) for n in seen)),
        "inbox": session.inbox[event.context_seen :],
        "usage": session.usage + event.usage,
        "cost_usd": session.cost_usd + (event.cost_usd or 0),
        "unpriced": session.unpriced or event.cost_usd is None,
        "errors_in_a_row": session.errors_in_a_row + refused,
    }


def _selected(call: ToolCall) -> Call:
    if call.mode == "refuse":
        return Call(call=call, phase="refused", request=0, content=call.reason, ok=False)
    return Call(call=call, phase=_first_phase(call), request=0)


def _first_phase(call: ToolCall) -> CallPhase:
    if call.mode == "ask":
        return "held"
    return "open" if call.control else "ready"


@reduce.register
def _timer_set(event: TimerSet, session: Session) -> dict[str, Any]:
    if any(t.id == event.timer_id for t in session.timers):
        raise IllegalEvent("That reminder was already set.")
    timer = Timer(
        id=event.timer_id,
        due=event.due,
        text=event.text,
        about=event.about,
        by=event.by,
        by_name=event.by_name,
        by_owner=event.by_owner,
        set_at=event.at,
    )
    return {"timers": (*session.timers, timer)}


@reduce.register
def _timer_fired(event: TimerFired, session: Session) -> dict[str, Any]:
    timer = session.timer(event.timer_id)
    if timer.state != "set":
        raise IllegalEvent("That reminder has already fired.")
    return _with_timer(session, _timer_ended(timer, "fired", event))


@reduce.register
def _timer_dropped(event: TimerDropped, session: Session) -> dict[str, Any]:
    return _with_timer(session, _timer_ended(session.timer(event.timer_id), "dropped", event))


def _timer_ended(timer: Timer, state: str, event: Event) -> Timer:
    return timer.model_copy(update={"state": state, "ended_by": event.by, "ended_at": event.at})


def _with_timer(session: Session, timer: Timer) -> dict[str, Any]:
    return {"timers": tuple(timer if t.id == timer.id else t for t in session.timers)}


@reduce.register
def _budget_raised(event: BudgetRaised, session: Session) -> dict[str, Any]:
    return {"budgets": event.budgets}


@reduce.register
def _compacted(event: Compacted, session: Session) -> dict[str, Any]:
    earlier = session.compactions[-1].through_step if session.compactions else 0
    if not earlier < event.through_step <= len(session.steps) or session.open_calls:
        raise IllegalEvent("Only steps that are over, and not summed up yet, can be summed up.")
    compaction = Compaction(
        through_step=event.through_step, at_step=len(session.steps), summary=event.summary, at=event.at
    )
    return {
        "compactions": (*session.compactions, compaction),
        "compact_next": False,
        "usage": session.usage + event.usage,
        "cost_usd": session.cost_usd + (event.cost_usd or 0),
        "unpriced": session.unpriced or event.cost_usd is None,
    }


@reduce.register
def _forked(event: SessionForked, session: Session) -> dict[str, Any]:
    if session.open_calls or session.running_children:
        raise IllegalEvent("A session is copied where every call of its steps has a result.")
    fork = Fork(
        source=event.source,
        step=event.step,
        version=event.version,
        by=event.by,
        by_name=event.by_name,
        at=event.at,
        requesters=event.requesters,
        files=event.files,
        missing=event.missing,
        by_owner=event.by_owner,
    )
    # What was allowed in the source is not allowed in the copy.
    return {"forked": fork, "grants": ()}


@reduce.register
def _restored(event: SessionRestored, session: Session) -> dict[str, Any]:
    steps = list(session.steps)
    for call_id in event.lost:
        if session.call(call_id).settled:
            raise IllegalEvent("Only an open call can have lost its arguments.")
    if session.open_calls and not session.ended:
        calls = tuple(_back(c, lost=c.call_id in event.lost) for c in steps[-1].calls)
        steps[-1] = steps[-1].model_copy(update={"calls": calls})
    return {"steps": tuple(steps), "restored_at": event.at, "grants": ()}


def _back(call: Call, *, lost: bool) -> Call:
    """Return a call after a restore.

    The log may lack its last events, so a call that was about to run may have run: unless it is idempotent, its
    outcome is unknown and a person decides.
    """
    if lost and call.phase in ("started", "unknown"):
        return call.model_copy(update={"phase": "finished", "ok": False, "content": LOST_OUTCOME})
    if lost:
        return call.model_copy(update={"phase": "refused", "ok": False, "content": LOST_ARGUMENTS})
    if call.phase in ("ready", "approved") and not call.call.idempotent:
        return call.model_copy(update={"phase": "unknown", "request": call.request + 1})
    return call


@reduce.register
def _completed(event: Completed, _: Session) -> dict[str, Any]:
    return _ended("completed", event, event.summary)


@reduce.register
def _failed(event: Failed, _: Session) -> dict[str, Any]:
    return _ended("failed", event, event.error)


@reduce.register
def _cancelled(event: Cancelled, _: Session) -> dict[str, Any]:
    return _ended("cancelled", event, event.reason)


def _ended(lifecycle: Lifecycle, event: Event, ending: str) -> dict[str, Any]:
    return {"lifecycle": lifecycle, "ending": ending, "ended_by": event.by, "pause": None}
