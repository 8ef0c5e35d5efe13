"""The events of a session, each with the state after it. Pure functions."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from supervisor.contract.models import EventView
from supervisor.core.errors import IllegalEvent
from supervisor.core.reducer import apply
from supervisor.core.state import Call, Session
from supervisor.core.subagents import ChildStanding, children_of


@dataclass(frozen=True)
class Frame:
    """One event with the session after it, which is None where this Flagman does not know the event."""

    event: EventView
    session: Session | None
    elapsed: timedelta

    @property
    def calls(self) -> tuple[Call, ...]:
        """The calls of the last step."""
        return self.session.steps[-1].calls if self.session and self.session.steps else ()

    @property
    def children(self) -> list[ChildStanding]:
        return children_of(self.session, {}) if self.session else []

    def row(self) -> dict[str, Any]:
        """Return the frame as JSON, for programs."""
        session = self.session
        after = session and {
            "status": session.status,
            "waiting_for": session.waiting_for,
            "steps": len(session.steps),
            "calls": [
                {"call_id": call.call_id, "tool": call.call.tool, "phase": call.phase} for call in self.calls
            ],
            "children": [{"name": child.name, "status": child.status} for child in self.children],
            "cost_usd": str(session.total_cost_usd),
            "elapsed_seconds": self.elapsed.total_seconds(),
        }
        return {"event": self.event.model_dump(mode="json"), "after": after}


def frames(session_id: str, events: Iterable[EventView]) -> Iterator[Frame]:
    """Yield the frames of a log, one for each event."""
    session: Session | None = None
    begun = None
    for event in events:
        begun = begun or event.at
        known = True
        try:
            session = apply(session_id, session, event.fact())
        except (ValueError, IllegalEvent):
            # A newer Flagman may have events that this one does not know.
            known = False
        yield Frame(event, session if known else None, event.at - begun)
