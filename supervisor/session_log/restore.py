"""Restores a session from its SESSION_LOG, under its own id, in a store that does not have it."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from dataclasses import replace
from datetime import datetime

from pydantic import ValidationError

from storage.errors import VersionConflict
from storage.keys import QueueName, partition_of
from storage.log import Effects, LogStore
from storage.retention.scripts import ARCHIVED
from supervisor.artifacts import Artifacts
from supervisor.core.digest import canonical_json
from supervisor.core.errors import InvalidInput, PersonaLost, SessionExists, VerificationError
from supervisor.core.events import Actor, SessionRestored, encode
from supervisor.core.persona import Persona
from supervisor.core.reducer import apply
from supervisor.core.state import Session
from supervisor.core.text.masking import MASK
from supervisor.core.text.sanitize import clean_text
from supervisor.effects import effects_of
from supervisor.personas.library import PersonaLibrary
from supervisor.repository import Sessions
from supervisor.session_log.hints import HintsOf
from supervisor.session_log.verify import VerifiedLog, verify

_READY: QueueName = "ready"
_UNSIGNED = {
    "unsigned": "it is not signed, so anybody may have written it",
    "not checked": "there is no key to check its signature with",
}
# Calls that wait for an answer or a signal; their arguments are no longer used.
_CARRIED_OUT = ("asking", "sleeping")


class Restorer:
    """Restores documents that are signed with one of `keys`."""

    def __init__(
        self,
        sessions: Sessions,
        log: LogStore,
        personas: PersonaLibrary,
        artifacts: Artifacts,
        keys: Sequence[str],
        clock: Callable[[], datetime],
        hints_of: HintsOf,
    ) -> None:
        self._sessions, self._log, self._personas, self._artifacts = sessions, log, personas, artifacts
        self._keys, self._clock, self._hints_of = keys, clock, hints_of

    async def restore(self, document: bytes, actor: Actor) -> Session:
        """Verify the document, store its events and return the session.

        Raises VerificationError, SessionExists, PersonaLost, InvalidInput or StoreUnavailable.
        """
        found = await asyncio.to_thread(verify, document, self._keys, self._hints_of)
        if not found.signed:
            raise VerificationError("unsigned", 0, _UNSIGNED[found.signature])
        _known_place(found.session_id)
        if await self._log.length(found.session_id):
            raise SessionExists(found.session_id)
        before, persona = found.session, await self._persona(found)
        restored = SessionRestored(
            at=self._clock(),
            by=actor.id,
            by_name=clean_text(actor.name)[:80],
            chain=found.chain,
            lost=lost_calls(before),
            missing=await asyncio.to_thread(self._artifacts.missing, before),
        )
        after = apply(before.id, before, restored)
        blobs = {before.persona_digest: persona.model_dump_json(exclude_defaults=True).encode()}
        events = [encode(event) for event in (*found.events, restored)]
        self._sessions.forget(before.id)
        await self._log.drop_snapshot(before.id)
        try:
            await self._log.append(before.id, 0, events, await self._effects(after, blobs))
        except VersionConflict:
            raise SessionExists(before.id) from None
        return await self._sessions.load(before.id)

    async def _effects(self, session: Session, blobs: dict[str, bytes]) -> Effects:
        """Return the effects of a launch; of the other sessions, only those in this store are queued."""
        effects = effects_of(None, session, blobs=blobs)
        here = [other for other in effects.enqueue_others if await self._log.length(other[0])]
        # A job checks once for signals that came, and sub-agents that ended, in the meantime.
        queues = set(effects.enqueue) if session.ended else {*effects.enqueue, _READY}
        indexes = {**effects.indexes, ARCHIVED: None}
        return replace(effects, indexes=indexes, enqueue_others=here, enqueue=sorted(queues))

    async def _persona(self, found: VerifiedLog) -> Persona:
        """Return the persona of the launch, or the loaded one with its digest if a secret in it was masked."""
        session = found.session
        if MASK not in canonical_json(found.persona):
            try:
                return Persona.model_validate(found.persona)
            except ValidationError as error:
                raise InvalidInput(f"Its persona `{session.persona}` is none of this Flagman.") from error
        for persona in self._personas.all():
            if persona.digest == session.persona_digest:
                return persona
        raise PersonaLost(session.persona)


def lost_calls(session: Session) -> tuple[str, ...]:
    """Return the ids of open calls that cannot run any more because a secret in their arguments was masked."""
    return tuple(
        c.call_id
        for c in session.open_calls
        if not (c.phase in _CARRIED_OUT and c.inputs.open is None)
        and c.call.digest_of(c.call.arguments) != c.call.digest
    )


def _known_place(session_id: str) -> None:
    try:
        partition_of(session_id)
    except ValueError:
        raise InvalidInput(f"`{session_id}` is no id of a session.") from None
