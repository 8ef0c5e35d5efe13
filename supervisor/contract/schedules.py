"""The service of scheduled launches, on behalf of one actor."""

from __future__ import annotations

from supervisor.contract.access import Access
from supervisor.contract.models import ScheduleView, SessionView
from supervisor.contract.parts import ServiceParts
from supervisor.contract.requests import ScheduleRequest
from supervisor.contract.service import SessionService
from supervisor.contract.views import schedule_view
from supervisor.core.events import Actor
from supervisor.core.messages import Json
from supervisor.core.rights import of_workspace
from supervisor.schedules import Schedule


class ScheduleService:
    """Adds, lists and changes schedules. Methods raise FlagmanError or StorageError."""

    def __init__(self, parts: ServiceParts, actor: Actor) -> None:
        self.actor, self._parts = actor, parts
        self._schedules, self._access = parts.schedules, Access(parts, actor)

    async def add(self, request: ScheduleRequest, *, origin: Json | None = None) -> ScheduleView:
        """Add a schedule. `origin` says where its sessions are shown, in place of a channel: where the actor is.

        Raises ChannelNotFound.
        """
        if origin is None:
            origin = self._parts.channels.origin_of(request.channel) if request.channel else {}
            await self._access.check_place(origin)
        origin = of_workspace(self.actor, origin)
        actor = await self._access.scheduler(self._parts.supervisor.personas.get(request.persona))
        return self._view(
            await self._schedules.add(
                request.cron,
                request.persona,
                request.task,
                actor,
                zone=request.zone,
                origin=origin,
                overlap=request.overlap,
            )
        )

    async def list(self) -> list[ScheduleView]:
        """The schedules that the actor sees, the next due first and paused ones last."""
        found = await self._schedules.list()
        return [self._view(schedule) for schedule in found if await self._access.sees_schedule(schedule)]

    async def get(self, schedule_id: str) -> ScheduleView:
        return self._view((await self._access.schedule(schedule_id))[0])

    async def pause(self, schedule_id: str) -> ScheduleView:
        """Pause a schedule, which then launches nothing until it is resumed."""
        await self._access.schedule(schedule_id, steers=True)
        return self._view(await self._schedules.pause(schedule_id))

    async def resume(self, schedule_id: str) -> ScheduleView:
        """Resume a schedule from now on; due times that have passed are skipped."""
        await self._access.schedule(schedule_id, steers=True)
        return self._view(await self._schedules.resume(schedule_id))

    async def delete(self, schedule_id: str) -> None:
        await self._access.schedule(schedule_id, steers=True)
        await self._schedules.delete(schedule_id)

    async def run(self, schedule_id: str) -> SessionView:
        """Launch a session of the schedule now; its due time stays."""
        schedule, actor = await self._access.schedule(schedule_id, steers=True)
        await self._access.check_place(schedule.origin, given=False)
        session = await self._schedules.run_now(schedule_id, actor)
        return await SessionService(self._parts, self.actor).view(session)

    def _view(self, schedule: Schedule) -> ScheduleView:
        return schedule_view(schedule, self._parts.channels)
