"""Finds where a log can be cut for a fork, and copies its events. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from supervisor.core.errors import InvalidInput
from supervisor.core.events import (
    ActionRefused,
    ApprovalDecided,
    Event,
    Paused,
    Resumed,
    SessionLaunched,
    TimerDropped,
    TimerFired,
    TimerSet,
)
from supervisor.core.messages import Json
from supervisor.core.persona import Persona
from supervisor.core.reducer import apply
from supervisor.core.state import Session


@dataclass(frozen=True)
class Cut:
    """The first `version` events, which end with step `step`.

    `paused`: the cut is within a pause. `over`: the agent had finished and had received no message since.
    """

    step: int
    version: int
    paused: bool
    over: bool


def cut_at(session_id: str, events: Sequence[Event], step: int | None, *, words: bool) -> Cut:
    """Return the cut at the end of `step` (0: the task alone), or of the last step that led to another.

    `words`: the copy gets a message, so it may continue a finished session. Raises InvalidInput.
    """
    cuts = _cuts(session_id, events)
    chosen = step
    if chosen is None:
        chosen = max((n for n, cut in cuts.items() if words or not cut.over), default=0)
    if chosen not in cuts:
        last = max(cuts)
        raise InvalidInput(f"There is no step {chosen} that has ended; choose from 0 to {last}.")
    if cuts[chosen].over and not words:
        raise InvalidInput(
            f"Step {chosen} was its last word; say what it shall do, or choose an earlier step."
        )
    return cuts[chosen]


def _cuts(session_id: str, events: Sequence[Event]) -> dict[int, Cut]:
    """Return the best place to cut after each step."""
    session: Session | None = None
    cuts: dict[int, Cut] = {}
    for version, event in enumerate(events, start=1):
        session = apply(session_id, session, event)
        if session.ended:
            break
        if session.open_calls or session.running_children:
            continue
        number, paused = len(session.steps), session.pause is not None
        # The last place where the session was running; one within a pause only where it did not run again.
        if not paused or number not in cuts:
            over = bool(session.steps) and not session.steps[-1].calls and not session.inbox
            cuts[number] = Cut(number, version, paused, over)
    return cuts


def copy_events(
    events: Sequence[Event], cut: Cut, *, origin: Json, persona: Persona | None = None
) -> list[Event]:
    """Return the events of the copy, without reminders: it is a session of its own, shown where `origin` says."""
    dropped = TimerSet | TimerFired | TimerDropped | ActionRefused
    kept = [e for e in events[: cut.version] if not isinstance(e, dropped)]
    first = kept[0]
    if not isinstance(first, SessionLaunched):
        raise InvalidInput("A session begins with its launch.")
    changes = {
        "origin": origin,
        "lineage": None,
        "persona_digest": persona.digest if persona else first.persona_digest,
    }
    return [first.model_copy(update=changes), *kept[1:]]


def without_pause(events: Sequence[Event]) -> list[Event]:
    """Return the events without the pause in which they end, and without the decisions on its approval.

    An approval of the source is none of the copy, and nobody resumes what waits for one.
    """
    resumed = max((n for n, event in enumerate(events, start=1) if isinstance(event, Resumed)), default=0)

    def of_pause(event: Event) -> bool:
        # The request of a pause is a call `p<pause>`.
        return isinstance(event, Paused) or (
            isinstance(event, ApprovalDecided) and event.call_id.startswith("p")
        )

    return [*events[:resumed], *(event for event in events[resumed:] if not of_pause(event))]
