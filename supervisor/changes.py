"""How every verb changes a session: read, decide, append at the version that was read."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
from typing import Any

from storage.errors import VersionConflict
from storage.log import Claim, LogStore
from supervisor.core.errors import AlreadyEnded, FlagmanError, InvalidInput
from supervisor.core.events import Actor, Event
from supervisor.core.reducer import apply
from supervisor.core.state import Session
from supervisor.core.text.sanitize import clean_text
from supervisor.personas.library import PersonaLibrary
from supervisor.repository import Sessions
from supervisor.tools.contract import Toolset

MAX_TEXT = 20_000
TRIES = 50


class Changes:
    """What the verbs share."""

    def __init__(
        self,
        sessions: Sessions,
        log: LogStore,
        personas: PersonaLibrary,
        tools: Toolset,
        clock: Callable[[], datetime],
    ) -> None:
        self.sessions, self.personas, self.tools = sessions, personas, tools
        self._log, self._clock = log, clock

    async def _change(
        self, session_id: str, decide: Callable[[Session], list[Event]], claim: Claim | None = None
    ) -> Session:
        """Read, decide, append; somebody else's append in between means deciding again on what is there.

        The verb's own refusal speaks first (who decided what), then that the session has ended.
        """
        for _ in range(TRIES):
            before = await self.sessions.load(session_id)
            events = decide(before)
            if not events:
                return before
            if before.ended:
                raise AlreadyEnded(f"This session was already {before.lifecycle}; nothing was changed.")
            after = before
            for event in events:
                after = apply(session_id, after, event)
            try:
                await self.sessions.append(before, after, events, claim=claim)
            except VersionConflict:
                continue
            return after
        raise FlagmanError("The session is changing too quickly; please try again.")

    def _by(self, actor: Actor) -> dict[str, Any]:
        return {"at": self._clock(), "by": actor.id, "by_name": clean_text(actor.name)[:80]}


def checked(text: str, what: str, *, optional: bool = False) -> str:
    """The text as it is stored. Raises InvalidInput when it is too long, or empty and not `optional`."""
    text = clean_text(text).strip()
    if not text and not optional:
        raise InvalidInput(f"{what} is empty; please write what you want.")
    if len(text) > MAX_TEXT:
        raise InvalidInput(f"{what} is too long: {len(text):,} characters, at most {MAX_TEXT:,}.")
    return text
