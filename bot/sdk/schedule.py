"""Schedules for Python programs: sessions that are launched by the clock."""

from __future__ import annotations

from bot.sdk.backend import Backend
from bot.sdk.session import Session
from supervisor.contract.models import ScheduleView


class Schedule:
    """A schedule; `state` is as of the last method call."""

    def __init__(self, backend: Backend, state: ScheduleView) -> None:
        self.backend, self.state = backend, state

    def __repr__(self) -> str:
        return f"<Schedule {self.id} {self.state.cron} {self.state.persona}>"

    @property
    def id(self) -> str:
        return self.state.id

    async def pause(self) -> None:
        """Launch nothing until it is resumed."""
        self.state = await self.backend.pause_schedule(self.id)

    async def resume(self) -> None:
        """Launch again at its times, from now on."""
        self.state = await self.backend.resume_schedule(self.id)

    async def delete(self) -> None:
        """Forget it; sessions that it launched stay."""
        await self.backend.delete_schedule(self.id)

    async def run(self) -> Session:
        """Launch a session now, besides its times."""
        return Session(self.backend, await self.backend.run_schedule(self.id))
