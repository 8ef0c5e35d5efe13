"""Pauses the sessions whose jobs fail again and again, so that a person looks at them."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from datetime import datetime

from storage.queue import StartedJob
from supervisor.core.events import Paused
from supervisor.repository import Sessions
from supervisor.runtime.unit_of_work import UnitOfWork
from supervisor.runtime.worker import Done


class FailingJobs:
    """The last resort of a worker for a job that it could not carry out."""

    def __init__(self, sessions: Sessions, clock: Callable[[], datetime]) -> None:
        self._sessions, self._clock = sessions, clock

    async def give_up(self, started: StartedJob, why: str) -> Done | None:
        """Pause a session whose job fails repeatedly, until a person resumes it.

        Returns None where its job is to be tried again: the session is paused already, or another worker has it.
        """
        session = await self._sessions.absorb(started.lease.session_id, started.log)
        if session.ended:
            return Done()
        unit = UnitOfWork(self._sessions, self._clock, asyncio.Event(), started.lease, session)
        if session.pause is None:
            detail = f"Flagman could not go on with it: {why}. The log of the worker says more."
            unit.add(Paused(**unit.now(), reason="error_threshold_exceeded", detail=detail))
        released = await unit.commit(release=True)
        return Done(released=True) if released else None
