"""How a verb changes a session: read it, call the command, and append its events at the version read."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
from typing import NamedTuple

from storage.errors import TooManyClaims, VersionConflict
from storage.log import Claim
from supervisor.core.errors import AlreadyEnded, FlagmanError
from supervisor.core.events import Event
from supervisor.core.reducer import SESSION_MOVES, apply
from supervisor.core.state import Session
from supervisor.new_logs import too_many
from supervisor.repository import Sessions

TRIES = 50
# The events of a verb for a session at a time in UTC.
Command = Callable[[Session, datetime], list[Event]]


class Change(NamedTuple):
    """A session after a verb, and the events that the verb appended; none where there was nothing to do."""

    session: Session
    events: list[Event]


class Changes:
    """Carries out commands; after a conflict again, on the session as it is then."""

    def __init__(self, sessions: Sessions, clock: Callable[[], datetime]) -> None:
        self._sessions, self._clock = sessions, clock

    async def session(self, session_id: str, command: Command) -> Session:
        """Do as a call does, but return only the session."""
        return (await self(session_id, command)).session

    async def __call__(self, session_id: str, command: Command, claim: Claim | None = None) -> Change:
        """Append the events of a command, with the claim if there is one. Raises FlagmanError or StorageError.

        An error of the command comes before AlreadyEnded, since it says more, such as who decided what.
        """
        for _ in range(TRIES):
            before = await self._sessions.load(session_id)
            events = command(before, self._clock())
            if not events:
                return Change(before, [])
            if before.ended and any(e.type not in SESSION_MOVES[before.lifecycle] for e in events):
                raise AlreadyEnded(f"This session was already {before.lifecycle}; nothing was changed.")
            after = before
            for event in events:
                after = apply(session_id, after, event)
            try:
                await self._sessions.append(before, after, events, claim=claim)
            except VersionConflict:
                continue
            except TooManyClaims as full:
                raise too_many(full) from full
            return Change(after, events)
        raise FlagmanError("The session is changing too quickly; please try again.")
