"""Makes the SESSION_LOG of a session in the store from its events, with secrets masked."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass

from storage.keys import partition_of
from storage.log import LogStore
from supervisor.core.errors import IllegalEvent, LogUnreadable, SessionNotFound
from supervisor.core.events import decode
from supervisor.core.persona import Persona
from supervisor.core.reducer import fold
from supervisor.core.text.masking import Masker
from supervisor.personas.library import PersonaLibrary
from supervisor.session_log.hints import ResumeHints
from supervisor.session_log.render.document import render
from supervisor.session_log.render.mask import masked_events, masked_persona
from supervisor.session_log.signing import sign


@dataclass(frozen=True)
class Document:
    """The text of a SESSION_LOG, and how many events are in it."""

    text: str
    events: int


class Documents:
    """Makes documents and signs them with the first of `keys`."""

    def __init__(
        self,
        log: LogStore,
        personas: PersonaLibrary,
        mask: Masker,
        keys: Sequence[str],
        hints: ResumeHints,
    ) -> None:
        self._log, self._personas = log, personas
        self._mask, self._keys, self._hints = mask, keys, hints

    async def of(self, session_id: str) -> Document:
        """Return the document of a session as stored. Raises SessionNotFound, LogUnreadable or StoreUnavailable."""
        try:
            partition_of(session_id)
        except ValueError:
            raise SessionNotFound(session_id) from None
        stored = await self._log.read(session_id)
        if not stored:
            raise SessionNotFound(session_id)
        try:
            launched = fold(session_id, [decode(session_id, 0, stored[0])])
            persona = await self._personas.load_pinned(launched)
            # Rendering a long log takes a while and must not block the event loop.
            text = await asyncio.to_thread(self._written, session_id, persona, stored)
        except (IllegalEvent, ValueError) as error:
            raise LogUnreadable(session_id, f"its events contradict each other ({error}).") from error
        return Document(text, len(stored))

    async def text(self, session_id: str) -> str:
        """Return the text of a document; otherwise as `of`."""
        return (await self.of(session_id)).text

    def _written(self, session_id: str, persona: Persona, stored: Sequence[bytes]) -> str:
        events = masked_events((decode(session_id, n, data) for n, data in enumerate(stored)), self._mask)
        return render(
            session_id,
            masked_persona(persona, self._mask),
            events,
            lambda chain: sign(chain, self._keys),
            self._hints,
        )
