"""The walls around sessions: what an actor may see, steer and decide, from the log, the persona and the directory."""

from __future__ import annotations

import logging
from collections.abc import AsyncIterator, Collection, Sequence
from contextlib import asynccontextmanager
from dataclasses import replace

from supervisor.contract.found import Found, call_of
from supervisor.contract.parts import AccessParts
from supervisor.core import rights
from supervisor.core.errors import (
    ChannelNotFound,
    FlagmanError,
    InvalidInput,
    LogUnreadable,
    NotAllowed,
    PersonaNotFound,
    ScheduleNotFound,
    SessionNotFound,
)
from supervisor.core.events import Actor
from supervisor.core.events.base import workspace_of
from supervisor.core.messages import Json
from supervisor.core.persona import Persona
from supervisor.core.policy import may_decide, names_approver
from supervisor.core.state import Call, Session
from supervisor.schedules import Schedule

_NOT_SEEN = "It is not visible to who tried."
_log = logging.getLogger("flagman.access")


class Access:
    """The rights of one actor. Methods raise NotAllowed, which is recorded, or SessionNotFound, or as the directory."""

    def __init__(self, parts: AccessParts, actor: Actor) -> None:
        self._parts, self._actor = parts, actor
        self._supervisor, self._directory = parts.supervisor, parts.directory
        # Groups that were asked for, each once: whether the actor is in it, or why that is unknown.
        # Lists may look at answers of the last minute, which are kept apart.
        self._groups: tuple[dict[str, bool | FlagmanError], dict[str, bool | FlagmanError]] = ({}, {})

    async def launcher(self, persona: Persona) -> Actor:
        """The actor, who may launch sessions of the persona."""
        actor = await self._identified()
        async with self._logged("launch", persona.name):
            rights.check_admitted(persona, actor)
        return actor

    async def scheduler(self, persona: Persona) -> Actor:
        """The actor, who may launch sessions of the persona again and again, and steer them."""
        actor = await self.launcher(persona)
        actor, _, problem = await self._known(persona.groups, {})
        async with self._logged("schedule", persona.name):
            try:
                rights.check_operator(actor.ids, persona, actor)
            except NotAllowed as refused:
                if problem:
                    raise problem from refused
                raise
        return actor

    async def administrator(self, origin: Json) -> Actor:
        """The actor, who may change the settings of the place of an origin: an admin, or the person whose it is.

        Raises ChannelNotFound where the actor does not see the place.
        """
        await self.check_place(origin)
        actor, origin = await self._identified(), rights.of_workspace(self._actor, origin)
        async with self._logged("change the settings of", self._parts.channels.channel_of(origin) or ""):
            rights.check_standing(actor, guests=False, teams=())
            if not actor.admin and not await self._directory.owns(actor, origin):
                raise NotAllowed(
                    "Only admins change these settings; FLAGMAN_ADMINS names them.",
                    what="change these settings",
                )
        return actor

    async def sender(self, event: str) -> None:
        """Raises NotAllowed where the actor may not emit events, which wake sessions whoever launched them."""
        actor = await self._identified()
        async with self._logged("emit", event):
            rights.check_standing(actor, guests=False, teams=())

    @asynccontextmanager
    async def _logged(self, attempt: str, what: str) -> AsyncIterator[None]:
        """Record a refusal of the block, which is about no session."""
        try:
            yield
        except NotAllowed as refused:
            await self._note_apart(f"{attempt} {what}", str(refused))
            raise

    async def _note_apart(self, attempt: str, problem: str, session_id: str = "", call_id: str = "") -> None:
        _log.warning("%s was refused to %s %s: %s", self._actor.id, attempt, session_id, problem)
        await self._supervisor.refusals.note_apart(self._actor, attempt, problem, session_id, call_id)

    async def check_place(self, origin: Json, *, given: bool = True) -> None:
        """Raises ChannelNotFound where the actor, or the owner of its key, does not see the place of an origin.

        `given`: the actor named it; otherwise it is where a session or a schedule is already, and it counts as seen
        where Flagman does not see it itself.
        """
        actor, origin = await self._identified(), rights.of_workspace(self._actor, origin)
        sees = not rights.is_apart(actor, origin) and await self._directory.may_post(actor, origin)
        if sees is False or (sees is None and given):
            channel = self._parts.channels.channel_of(origin) or ""
            await self._note_apart(f"launch in {channel}", _NOT_SEEN)
            raise ChannelNotFound(channel)

    async def reader(self, session_id: str) -> Found:
        """The session, which the actor sees. Raises SessionNotFound also for one that the actor does not see."""
        return await self._visible(session_id, "read")

    async def _visible(self, session_id: str, attempt: str) -> Found:
        return await self._check_seen(await self._look(session_id), attempt)

    async def _check_seen(self, found: Found, attempt: str) -> Found:
        if not found.actor.sees:
            if attempt != "read":
                await self._note_apart(attempt, _NOT_SEEN, found.session.id)
            raise SessionNotFound(found.session.id)
        if not found.reads:
            async with self.recorded(found, attempt):
                rights.check_admitted(found.persona, found.actor)
        return found

    async def sees(self, session: Session) -> bool:
        """Whether the actor sees the session; an unanswered question to the directory counts as no."""
        if rights.is_apart(self._actor, session.origin):
            return False
        try:
            return (await self.about(session, recent=True)).reads
        except FlagmanError as error:
            _log.warning("session %s is not listed for %s: %s", session.id, self._actor.id, error)
            return False

    async def recently(self, session: Session) -> Found:
        """The session and the actor as they were within the last minute, which is enough for lists."""
        return await self.about(session, recent=True, joins=True)

    async def sees_unreadable(self, session_id: str) -> bool:
        """Whether the actor would see a session whose log cannot be read, by its beginning if that can be read."""
        sees_lost = False
        try:
            actor = await self._identified()
            # Of a session whose workspace is lost, too, the admins of the first one are told.
            sees_lost = (actor.admin or actor.reads_all) and not actor.workspace
            begun = await self._supervisor.sessions.beginning(session_id)
        except FlagmanError as error:
            level = logging.DEBUG if sees_lost else logging.WARNING
            _log.log(level, "session %s is not named to %s: %s", session_id, self._actor.id, error)
            return sees_lost
        return await self.sees(begun) if begun else sees_lost

    async def operator(self, session_id: str, attempt: str) -> Found:
        """The session, which the actor may steer.

        While it waits for an operator, one whom its persona names steers it also where it is not visible to them.
        """
        found = await self._look(session_id)
        if not found.is_asked:
            await self._check_seen(found, attempt)
        async with self.recorded(found, attempt):
            rights.check_operator(found.session.requesters, found.persona, found.actor)
        return found

    async def participant(self, session_id: str, attempt: str) -> Found:
        """As `operator`, or one whom a rule names as an approver of a call that waits, wherever they were asked."""
        found = await self._look(session_id)
        session = found.session
        waiting = [*session.calls_in("awaiting"), *([session.approval] if session.approval else [])]
        if any(names_approver(session, call, found.actor) for call in waiting):
            return found
        return await self.operator(session_id, attempt)

    async def may_steer(self, session: Session) -> bool:
        """Whether the actor may do what the session waits for, as far as is known from the last minute."""
        try:
            found = await self.about(session, recent=True)
            if not (found.is_asked or found.reads):
                if not found.actor.sees:
                    return False
                rights.check_admitted(found.persona, found.actor)
            rights.check_operator(session.requesters, found.persona, found.actor)
            if found.over_budget:
                rights.check_budget(session, found.persona, found.actor)
        except NotAllowed:
            return False
        return True

    async def resumer(self, session_id: str) -> Found:
        """The session, which the actor may steer, and whose budget it may raise where it is used up."""
        found = await self.operator(session_id, "resume")
        if found.over_budget:
            async with self.recorded(found, "raise the budget"):
                rights.check_budget(found.session, found.persona, found.actor)
        return found

    async def decider(self, session_id: str, call_ids: Sequence[str], attempt: str = "decide") -> Found:
        """The session, and the actor as it may decide on these calls of it, which is left to the command to check.

        A person whom a rule names decides also where the session is not visible to them, as does an operator on what
        waits for one. An admin may decide where nobody else can.
        """
        found = await self._look(session_id)
        session, actor = found.session, found.actor
        calls = [call for call_id in call_ids if (call := call_of(session, call_id))]
        asked = found.is_asked or any(may_decide(session, call, actor) for call in calls)
        if not actor.sees and not asked:
            call_id = calls[0].call_id if len(calls) == 1 else ""
            await self._note_apart(attempt, _NOT_SEEN, session_id, call_id)
            raise SessionNotFound(session_id)
        if actor.admin and len(calls) == 1:
            actor = actor.model_copy(update={"overrides": await self._stuck_rules(session, calls[0])})
        return replace(found, actor=actor)

    @asynccontextmanager
    async def recorded(self, found: Found, attempt: str, call_id: str = "") -> AsyncIterator[None]:
        """Record a refusal of the block in the session's log."""
        try:
            yield
        except NotAllowed as refused:
            if found.problem:
                raise found.problem from refused
            await self.note(found, attempt, str(refused), call_id)
            raise

    async def note(self, found: Found, attempt: str, problem: str, call_id: str = "") -> None:
        """Record in the session's log that the actor was refused."""
        _log.warning("%s was refused to %s %s: %s", found.actor.id, attempt, found.session.id, problem)
        await self._supervisor.refusals.note(found.session.id, found.actor, attempt, problem, call_id)

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
            async with self._logged("steer schedule", schedule_id):
                rights.check_operator(schedule.people, persona, actor)
        return schedule, actor

    async def _about_schedule(self, schedule: Schedule) -> tuple[Actor, bool, Persona | None]:
        if rights.is_apart(self._actor, schedule.origin):
            return self._actor, False, None
        try:
            persona = self._supervisor.personas.get(schedule.persona)
        except PersonaNotFound:
            persona = None
        actor, shown, _ = await self._known(persona.groups if persona else (), schedule.origin)
        return actor, rights.may_see(schedule.people, persona, actor, shown=shown), persona

    async def _stuck_rules(self, session: Session, call: Call) -> tuple[int, ...]:
        """The positions of the call's rules that fewer people could satisfy than it takes."""
        stuck = []
        for position, rule in enumerate(call.call.rules):
            without = session.barred(call, rule)
            if (
                rule.named
                and await self._directory.reach(rule, without, workspace_of(session.origin)) < rule.quorum
            ):
                stuck.append(position)
        return tuple(stuck)

    async def _look(self, session_id: str) -> Found:
        try:
            session = await self._supervisor.get(session_id)
        except LogUnreadable as unreadable:
            if await self.sees_unreadable(session_id):
                raise
            raise SessionNotFound(session_id) from unreadable
        return await self.about(session)

    async def about(self, session: Session, *, recent: bool = False, joins: bool = False) -> Found:
        """The session and the actor. Raises SessionNotFound for one of another workspace, or as the directory."""
        if rights.is_apart(self._actor, session.origin):
            raise SessionNotFound(session.id)
        try:
            persona = await self._supervisor.personas.load_pinned(session)
        except LogUnreadable:
            persona = None
        calls = [*session.calls_in("awaiting", "unknown"), *([session.approval] if session.approval else [])]
        groups = {group for call in calls for rule in call.call.rules for group in rule.groups}
        groups |= persona.groups if persona else frozenset()
        actor, shown, problem = await self._known(groups, session.origin, recent=recent)
        reads = rights.may_see(session.requesters, persona, actor, shown=shown)
        if joins or not recent:
            actor, unknown = await self._joined(actor, groups, session, persona)
            problem = problem or unknown
        return Found(
            session, persona, actor.model_copy(update={"sees": reads or bool(shown)}), reads, problem
        )

    async def _joined(
        self, actor: Actor, groups: Collection[str], session: Session, persona: Persona | None
    ) -> tuple[Actor, FlagmanError | None]:
        """The actor with those for whom it decides, as known now, and why some are not known."""
        lasting = [d for d in await self._parts.delegations.lasting() if actor.person in (d.by, d.to)]
        if not lasting:
            return actor, None
        joined = dict.fromkeys(who for d in lasting for who in (d.by, d.to) if who != actor.person)
        actor = actor.model_copy(update={"joined": tuple(joined)})
        given = [d for d in lasting if d.to == actor.person]
        try:
            rights.check_standing(actor, guests=False, teams=())
        except NotAllowed:
            return actor, None
        found: list[Actor] = []
        problem: FlagmanError | None = None
        for one in given:
            try:
                person = await self._directory.identify(Actor(id=one.by, name=one.by_name))
                person = await self._directory.in_groups(person, sorted(groups)) if groups else person
                shown = await self._directory.sees(person, session.origin)
            except FlagmanError as unknown:
                problem = unknown
                continue
            reads = rights.may_see(session.requesters, persona, person, shown=shown)
            found.append(person.model_copy(update={"sees": reads or bool(shown)}))
        return actor.model_copy(update={"stands_for": tuple(found)}), problem

    async def person(self, actor: Actor) -> Actor:
        """The person who acts, or whose key does."""
        return actor if actor.id == actor.person else await self._directory.identify(Actor(id=actor.person))

    async def delegate(self, person: str) -> Actor:
        """The person of this id, who may decide for others: a full member. Raises InvalidInput or as the directory."""
        found = await self._directory.identify(Actor(id=person))
        if found.kind != "member" or not rights.is_beside(self._actor, person):
            raise InvalidInput(
                "Only a full member of this workspace can decide for you: no guest, bot, deactivated or unknown one."
            )
        return found

    async def _known(
        self, groups: Collection[str], origin: Json, *, recent: bool = False
    ) -> tuple[Actor, bool | None, FlagmanError | None]:
        """The actor with those of the groups it is in, whether it sees the place, and why groups are not known.

        With `recent` as it was within the last minute, which is enough for lists.
        """
        actor, read = await self._identified(), self._groups[recent]
        unread = set(groups) - read.keys()
        try:
            found = (await self._directory.in_groups(actor, unread, recent=recent)).groups if unread else ()
            read |= {group: group in found for group in unread}
        except FlagmanError as error:
            read |= dict.fromkeys(unread, error)
        known = {group: read[group] for group in sorted(groups)}
        problem = next((state for state in known.values() if isinstance(state, FlagmanError)), None)
        member = tuple(group for group, state in known.items() if state is True)
        actor = actor.model_copy(update={"groups": member})
        return actor, await self._directory.sees(actor, origin), problem

    async def identified(self) -> Actor:
        """The actor with what the directory knows. Raises NotAllowed for a deactivated person, or as the directory."""
        return await self._identified()

    async def _identified(self) -> Actor:
        """The actor with what the directory knows. A deactivated person has no right left, also not by a key."""
        actor = await self._directory.identify(self._actor)
        rights.check_active(actor)
        return actor
