"""Fires schedules and reminders for as long as who made them has the right to."""

from __future__ import annotations

import logging
from collections.abc import Awaitable, Callable
from typing import Protocol

from storage.keys import TimerKey
from supervisor.api_keys import ApiKeys
from supervisor.contract.access import Access
from supervisor.contract.parts import AccessParts
from supervisor.core.errors import (
    ChannelNotFound,
    FlagmanError,
    IllegalEvent,
    KeyRefused,
    NotAllowed,
    PersonaNotFound,
    ScheduleNotFound,
    SessionNotFound,
)
from supervisor.core.events import Actor
from supervisor.core.events.base import SYSTEM
from supervisor.core.state import Session
from supervisor.place_settings import SettingsNews
from supervisor.schedules import OWNER, Schedule

_REFUSED = (NotAllowed, ChannelNotFound, KeyRefused, SessionNotFound)
_log = logging.getLogger("flagman.access")


class _Fires(Protocol):
    async def fire(self, timer: TimerKey) -> bool: ...


class Creators:
    """Fires timers. `signals` fires those of sessions; `announce` tells where a schedule is shown what its problem is.

    `announce` returns False where nobody could be told as yet.
    """

    def __init__(
        self,
        parts: AccessParts,
        keys: ApiKeys,
        signals: _Fires,
        announce: Callable[[Schedule], Awaitable[bool]],
        news: SettingsNews | None = None,
    ) -> None:
        self._parts, self._keys, self._signals, self._announce = parts, keys, signals, announce
        self._news = news

    @staticmethod
    def asks(timer: TimerKey) -> bool:
        """Whether the directory is asked about who made the timer before it fires, which may take a while."""
        return timer.owner == OWNER or not timer.name.startswith("p")

    async def fire(self, timer: TimerKey) -> bool:
        """Fire a due timer. Returns False where its session no longer has it. Raises FlagmanError or StorageError."""
        if timer.owner == OWNER:
            await self._fire_schedule(timer.name)
            return True
        if self.asks(timer):
            await self._check_reminder(timer)
        return await self._signals.fire(timer)

    async def tell(self) -> None:
        """Tell of schedules that were paused or could not launch, and of changed settings, where that is not done."""
        for schedule in await self._parts.schedules.list():
            if schedule.untold:
                await self._tell(schedule.id)
        if self._news:
            await self._news.tell_all()

    async def _tell(self, schedule_id: str) -> None:
        """Tell of the problem of a schedule, unless that was done, or another process is about to."""
        schedules, told = self._parts.schedules, False
        if schedule := await schedules.begin_telling(schedule_id):
            try:
                told = await self._announce(schedule)
            finally:
                await schedules.end_telling(schedule, told=told)

    async def _fire_schedule(self, schedule_id: str) -> None:
        schedules, maker = self._parts.schedules, None
        try:
            schedule = await schedules.get(schedule_id)
            if schedules.is_due(schedule):
                maker = await self._check(schedule)
        except _REFUSED as refused:
            await self._suspend(schedule, str(refused))
            return
        except (ScheduleNotFound, PersonaNotFound) as lost:
            # Both are found again, and recorded, below.
            _log.info("schedule %s: %s", schedule_id, lost)
        except FlagmanError as unknown:
            if unknown.lasting:
                await self._suspend(schedule, str(unknown))
            else:
                await schedules.postpone(schedule, str(unknown))
            return
        if await schedules.fire(schedule_id, maker):
            await self._tell(schedule_id)

    async def _check(self, schedule: Schedule) -> Actor:
        """Who made it, who may launch it now. Raises one of `_REFUSED` otherwise, or as the directory."""
        persona = self._parts.supervisor.personas.get(schedule.persona)
        maker = Actor(id=schedule.by, name=schedule.by_name, owner=schedule.by_owner, key=schedule.by_key)
        access = Access(self._parts, await self._actor(maker))
        actor = await access.scheduler(persona)
        await access.check_place(schedule.origin, given=False)
        return actor

    async def _suspend(self, schedule: Schedule, reason: str) -> None:
        who = schedule.by_name or schedule.by
        _log.warning("schedule %s of %s does not launch: %s", schedule.id, schedule.by, reason)
        await self._parts.schedules.suspend(schedule, f"{who} may not launch it any more. {reason}")
        await self._tell(schedule.id)

    async def _check_reminder(self, timer: TimerKey) -> None:
        """Drop a reminder whose maker may not set one any more; where that cannot be known, it fires."""
        supervisor = self._parts.supervisor
        try:
            session = await supervisor.get(timer.owner)
            set_ = session.timer(timer.name)
        except (SessionNotFound, IllegalEvent):
            return
        actor = Actor(id=set_.by, name=set_.by_name, owner=set_.by_owner)
        try:
            await Access(self._parts, await self._actor(actor)).participant(timer.owner, "remind")
        except _REFUSED as refused:
            await self._drop(session, timer.name, actor, str(refused))
        except FlagmanError as unknown:
            _log.warning("reminder %s fires, since %s", timer.encode(), unknown)

    async def _drop(self, session: Session, timer_id: str, actor: Actor, reason: str) -> None:
        _log.warning("reminder %s of %s does not fire: %s", timer_id, actor.id, reason)
        await self._parts.supervisor.refusals.note(session.id, actor, "remind", reason)
        await self._parts.supervisor.drop_timer(session.id, timer_id, SYSTEM)

    async def _actor(self, maker: Actor) -> Actor:
        """Who made it, with the rights of the key that it was made with. Raises KeyRefused where that was revoked."""
        key = await self._keys.standing(maker.id, maker.owner, keyed=bool(maker.key))
        if key:
            return key.actor
        if maker.id.startswith("slack:"):
            return maker
        # Who ran Flagman in a process of their own had the store, and so all rights.
        return maker.model_copy(update={"kind": "program", "admin": True})
