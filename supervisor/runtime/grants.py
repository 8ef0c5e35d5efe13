"""Applies grants to calls that need an approval, right before people would be asked."""

from __future__ import annotations

import logging
import time
from collections.abc import Awaitable, Callable, Sequence
from datetime import datetime

from storage.log import LogStore
from supervisor.core.commands.grants import candidates, grant_lasts, use
from supervisor.core.errors import FlagmanError, LogUnreadable
from supervisor.core.events import Actor, CallGranted
from supervisor.core.messages import Json
from supervisor.core.persona import Persona
from supervisor.core.records import Grant
from supervisor.core.rights import runs_as
from supervisor.core.state import Call, Session
from supervisor.effects import granting_of
from supervisor.personas.library import PersonaLibrary
from supervisor.repository import Sessions
from supervisor.runtime.tool_runner import MayBegin
from supervisor.runtime.unit_of_work import UnitOfWork

# The most sessions whose grants for one place are looked at, the newest first.
MOST_SESSIONS = 200
# Who made a grant, with the rights that they have on a session now. Raises FlagmanError where that is not known.
Granter = Callable[[Session, Grant], Awaitable[Actor]]
_log = logging.getLogger("flagman.grants")


class GrantedCalls:
    """Finds the grants that allow calls. `place_of` returns the place in an origin, empty where it has none."""

    def __init__(
        self,
        sessions: Sessions,
        log: LogStore,
        personas: PersonaLibrary,
        granter: Granter,
        place_of: Callable[[Json], str | None],
        clock: Callable[[], datetime],
    ) -> None:
        self._sessions, self._log, self._personas, self._granter = sessions, log, personas, granter
        self._place_of, self._clock = place_of, clock

    async def allow(self, unit: UnitOfWork, calls: Sequence[Call]) -> list[Call]:
        """Record which of the calls a grant allows, and return the others. Raises StoreUnavailable."""
        session, left = unit.session, list[Call]()
        place = self._place_of(session.origin) or ""
        others = await self._of_place(place, session) if calls and place else []
        persona = await self._pinned(session) if session.grants or others else None
        for call in calls:
            # Who allowed calls as one person was not asked about another one.
            definition = call.call.definition
            anybody = not (definition and definition.personal)
            grants = [*session.grants, *(grant for grant, same in others if same or anybody)]
            granted = await self._granted(session, call, place, grants, persona) if persona else None
            if granted:
                unit.add(granted)
            else:
                left.append(call)
        return left

    async def may_begin(self, session: Session, call: Call, otherwise: MayBegin) -> float | None:
        """Return until when a call may begin that a grant allowed; as `otherwise`, but not after the grant's end.

        It is called after the start was recorded, so that a revocation that was acknowledged before it is seen, also of
        a grant of another session.
        """
        until = await otherwise()
        try:
            left = await self._seconds_left(session, call.grant)
        except FlagmanError as error:
            _log.warning("session %s: grant %s is not known: %s", session.id, call.grant, error)
            return None
        return None if until is None or left <= 0 else min(until, time.monotonic() + left)

    async def _seconds_left(self, session: Session, full_id: str) -> float:
        owner, _, grant_id = full_id.rpartition(".")
        at, made_in = self._clock(), await self._sessions.load(owner or session.id)
        grant = made_in.grant(grant_id)
        return (grant.until - at).total_seconds() if grant_lasts(made_in, grant, at) else 0

    async def _pinned(self, session: Session) -> Persona | None:
        """The persona of the session; None where the store has lost it, and so people are asked."""
        try:
            return await self._personas.load_pinned(session)
        except LogUnreadable as lost:
            _log.warning("the grants of session %s are not used: %s", session.id, lost)
            return None

    async def _of_place(self, place: str, session: Session) -> list[tuple[Grant, bool]]:
        """The grants for a place that were made in other sessions, each with whether that runs as the same person."""
        found: list[tuple[Grant, bool]] = []
        for session_id, _ in await self._log.index(granting_of(place), limit=MOST_SESSIONS):
            if session_id != session.id:
                try:
                    made_in = await self._sessions.load(session_id)
                    same = runs_as(made_in) == runs_as(session)
                    found += [(grant, same) for grant in made_in.grants]
                except FlagmanError as error:
                    _log.warning("the grants of session %s are not known: %s", session_id, error)
        return found

    async def _granted(
        self, session: Session, call: Call, place: str, grants: Sequence[Grant], persona: Persona
    ) -> CallGranted | None:
        at = self._clock()
        for grant in candidates(session, call, place, grants, at, persona):
            try:
                granter = await self._granter(session, grant)
            except FlagmanError as unknown:
                _log.warning("grant %s is not used: %s", grant.full_id, unknown)
                continue
            if granted := use(session, call, grant, granter, session.steered_by, at):
                return granted
        return None
