"""The walls around sessions: what an actor may see, steer and decide, from the log, the persona and the directory."""

from __future__ import annotations

import logging
from collections.abc import Collection, Sequence
from dataclasses import dataclass

from supervisor.contract.parts import ServiceParts
from supervisor.core import rights
from supervisor.core.errors import (
    FlagmanError,
    LogUnreadable,
    NotAllowed,
    PersonaNotFound,
    ScheduleNotFound,
    SessionNotFound,
)
from supervisor.core.events import Actor
from supervisor.core.messages import Json
from supervisor.core.persona import Persona
from supervisor.core.policy import permission, right_to_decide
from supervisor.core.state import Call, Session
from supervisor.schedules import Schedule

_log = logging.getLogger("flagman.access")


@dataclass(frozen=True)
class Seen:
    """A session with its persona (None where the store has lost it), and the actor with what is known of it."""

    session: Session
    persona: Persona | None
    actor: Actor


class Access:
    """The rights of one actor. Methods raise NotAllowed, which is recorded, or SessionNotFound, or as the directory."""

    def __init__(self, parts: ServiceParts, actor: Actor) -> None:
        self._parts, self._actor = parts, actor
        self._supervisor, self._directory = parts.supervisor, parts.directory

    async def launcher(self, persona: Persona) -> Actor:
        """The actor, who may launch sessions of the persona."""
        actor = await self._directory.identify(self._actor)
        try:
            rights.check_admitted(persona, actor)
        except NotAllowed as refused:
            _log.warning("%s was refused to launch %s: %s", actor.id, persona.name, refused)
            raise
        return actor

    async def reader(self, session_id: str) -> Seen:
        """The session, which the actor sees. Raises SessionNotFound also for one that the actor does not see."""
        seen = await self._look(session_id)
        if not seen.actor.sees:
            raise SessionNotFound(session_id)
        return seen

    async def sees(self, session: Session) -> bool:
        """Whether the actor sees the session; an unanswered question to the directory counts as no."""
        try:
            return (await self._about(session)).actor.sees
        except FlagmanError as error:
            _log.warning("session %s is not listed for %s: %s", session.id, self._actor.id, error)
            return False

    async def operator(self, session_id: str, attempt: str) -> Seen:
        """The session, which the actor may steer."""
        seen = await self.reader(session_id)
        try:
            rights.check_operator(seen.session.requesters, seen.persona, seen.actor)
        except NotAllowed as refused:
            await self._refuse(seen, attempt, refused)
        return seen

    async def resumer(self, session_id: str) -> Seen:
        """The session, which the actor may steer, and whose budget it may raise where it is used up."""
        seen = await self.operator(session_id, "resume")
        pause = seen.session.pause
        if pause and pause.reason in ("budget_exceeded", "context_budget_exceeded"):
            try:
                rights.check_budget(seen.session, seen.persona, seen.actor)
            except NotAllowed as refused:
                await self._refuse(seen, "raise the budget", refused)
        return seen

    async def decider(self, session_id: str, call_ids: Sequence[str], attempt: str) -> Seen:
        """The session, and the actor who may decide on these calls of it. Raises as `right_to_decide`.

        A person whom a rule names decides also where the session is not visible to them. An admin may decide where
        nobody else can.
        """
        seen = await self._look(session_id)
        session, actor = seen.session, seen.actor
        calls = [session.call(call_id) for call_id in call_ids]
        if actor.admin and all([await self._is_stuck(session, call) for call in calls]):
            actor = actor.model_copy(update={"overrides": True})
        seen = Seen(session, seen.persona, actor)
        for call in calls:
            try:
                (permission if call.phase == "unknown" else right_to_decide)(session, call, actor)
            except NotAllowed as refused:
                if not actor.sees:
                    raise SessionNotFound(session_id) from refused
                await self._refuse(seen, attempt, refused, call.call_id)
            except FlagmanError:
                if not actor.sees:
                    raise SessionNotFound(session_id) from None
                raise
        return seen

    async def sees_schedule(self, schedule: Schedule) -> bool:
        """Whether the actor sees the schedule; an unanswered question to the directory counts as no."""
        try:
            return (await self._about_schedule(schedule))[1]
        except FlagmanError as error:
            _log.warning("schedule %s is not listed for %s: %s", schedule.id, self._actor.id, error)
            return False

    async def schedule(self, schedule_id: str, *, steers: bool = False) -> tuple[Schedule, Actor]:
        """The schedule, which the actor sees, or `steers`, and the actor. Raises ScheduleNotFound."""
        schedule = await self._parts.schedules.get(schedule_id)
        actor, sees, persona = await self._about_schedule(schedule)
        if not sees:
            raise ScheduleNotFound(schedule_id)
        if steers:
            rights.check_operator(schedule.people, persona, actor)
        return schedule, actor

    async def _about_schedule(self, schedule: Schedule) -> tuple[Actor, bool, Persona | None]:
        try:
            persona = self._supervisor.personas.get(schedule.persona)
        except PersonaNotFound:
            persona = None
        actor, shown = await self._known(persona.groups if persona else (), schedule.origin)
        return actor, rights.may_see(schedule.people, persona, actor, shown=shown), persona

    async def _is_stuck(self, session: Session, call: Call) -> bool:
        """Whether fewer people could approve the call than one of its rules takes."""
        for rule in call.call.rules:
            excluded = session.requesters | call.excluded(rule)
            without = excluded if rule.exclude_requester else frozenset[str]()
            if rule.named and await self._directory.reach(rule, without) < rule.quorum:
                return True
        return False

    async def _look(self, session_id: str) -> Seen:
        return await self._about(await self._supervisor.get(session_id))

    async def _about(self, session: Session) -> Seen:
        try:
            persona = await self._supervisor.personas.load_pinned(session)
        except LogUnreadable:
            persona = None
        calls = session.calls_in("awaiting", "unknown")
        groups = {group for call in calls for rule in call.call.rules for group in rule.groups}
        groups |= persona.groups if persona else frozenset()
        actor, shown = await self._known(groups, session.origin)
        sees = rights.may_see(session.requesters, persona, actor, shown=shown)
        return Seen(session, persona, actor.model_copy(update={"sees": sees}))

    async def _known(self, groups: Collection[str], origin: Json) -> tuple[Actor, bool | None]:
        """The actor with those of the groups it is in, and whether it sees the place of the origin."""
        actor = await self._directory.identify(self._actor)
        if groups:
            actor = await self._directory.in_groups(actor, groups)
        return actor, await self._directory.sees(actor, origin)

    async def _refuse(self, seen: Seen, attempt: str, refused: NotAllowed, call_id: str = "") -> None:
        """Record the refusal in the session's log, and raise it."""
        _log.warning("%s was refused to %s %s: %s", seen.actor.id, attempt, seen.session.id, refused)
        await self._supervisor.note_refused(seen.session.id, seen.actor, attempt, str(refused), call_id)
        raise refused
