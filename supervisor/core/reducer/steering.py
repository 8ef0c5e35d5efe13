"""Who has told the agent what to do since the last approval, and so counts as a requester of what it asks for."""

from __future__ import annotations

from collections.abc import Iterator

from supervisor.core.conditions import OnEvent, Webhook
from supervisor.core.events import (
    ApprovalDecided,
    ApprovalWithdrawn,
    CallEdited,
    Cancelled,
    ChildFinished,
    ContextAdded,
    Event,
    InputGiven,
    OutcomeDecided,
    Paused,
    QuestionAnswered,
    Resumed,
)
from supervisor.core.events.base import APPROVAL
from supervisor.core.state import PauseRecord, Session

# The kinds of actors behind which there is a person.
PERSONS = ("slack", "api", "cli")


def steered_by(session: Session, event: Event) -> frozenset[str]:
    """Who has told the agent what to do since the last approval, after this event.

    An approval does not end it for words and conditions that the agent has not read yet, nor for one's own, nor does
    that of a key behind which nobody is known. Who told a sub-agent what to do has told it to the agent that reads its
    result.
    """
    steering = session.steered_by
    if isinstance(event, ChildFinished):
        return steering | set(event.requesters)
    if isinstance(event, ApprovalDecided) and _is_of_another(event, steering):
        call = session.call(event.call_id)
        unread = {who for note in session.inbox for who in note.people} | call.editors
        unread |= {who for halt in _unread_pauses(session) for who in halt.people}
        steering = (steering - call.requesters) | (unread & steering)
    return steering | _persons(event) if _tells(session, event) else steering


def _unread_pauses(session: Session) -> Iterator[PauseRecord]:
    """Yield the pauses of which the agent will read conditions: that last, or ended since it was asked."""
    notes = {note.at for note in session.inbox}
    read_until = session.steps[-1].at if session.steps else session.launched_at
    for halt in filter(_says, session.halts):
        if halt.lasts or halt.resumed_at in notes or (halt.resumed_at and halt.resumed_at >= read_until):
            yield halt


def _is_of_another(event: ApprovalDecided, steered_by: frozenset[str]) -> bool:
    """Return whether it is an approval by another person, or by a key that a rule names."""
    is_known = event.by.partition(":")[0] != "api" or event.by_owner or "user" in event.via.split("\n")
    return event.verdict == "approve" and bool(is_known) and not event.people & steered_by


def _tells(session: Session, event: Event) -> bool:
    """Return whether the agent reads words, or data, of the event that are not its own."""
    match event:
        case ContextAdded() | QuestionAnswered() | InputGiven() | CallEdited() | ApprovalWithdrawn():
            return True
        case Paused():
            return _says(event)
        case Cancelled():
            # The agent that launched this one reads it.
            return bool(event.reason)
        case OutcomeDecided():
            return event.verdict != "run_again"
        case Resumed():
            # Of an approval the decision has the words.
            said = event.context or event.condition or event.data is not None
            return event.trigger != APPROVAL and bool(said)
        case ApprovalDecided():
            read = event.verdict != "approve" or session.call(event.call_id).call.tool == APPROVAL
            return read and bool(event.reason)
    return False


def _says(pause: Paused | PauseRecord) -> bool:
    """Return whether the agent reads a condition of a pause as people wrote it, once it comes true."""
    return any(isinstance(condition, Webhook | OnEvent) for condition in pause.conditions)


def _persons(event: Event) -> frozenset[str]:
    """Return those of who did it behind whom there is a person."""
    return frozenset(who for who in event.people if who.partition(":")[0] in PERSONS)
