"""The clock process: APScheduler in UTC, with jobs that any number of clocks may run."""

from __future__ import annotations

import logging
from datetime import UTC
from typing import Self

from apscheduler.schedulers.asyncio import AsyncIOScheduler

from bot.compose import Core, now
from storage.errors import StorageError
from supervisor.sweep import sweep

SWEEP_SECONDS = 30
_log = logging.getLogger("flagman.clock")


class Clock:
    """`async with Clock(parts):` ticks until left."""

    def __init__(self, parts: Core) -> None:
        self._parts = parts
        self._scheduler = AsyncIOScheduler(timezone=UTC)

    async def __aenter__(self) -> Self:
        self._scheduler.add_job(
            self._sweep, "interval", seconds=SWEEP_SECONDS, coalesce=True, max_instances=1
        )
        self._scheduler.start()
        return self

    async def __aexit__(self, *_: object) -> None:
        self._scheduler.shutdown(wait=False)

    async def _sweep(self) -> None:
        ready, outbox = self._parts.queues()
        try:
            await ready.open()
            await outbox.open()
            await sweep(self._parts.log, ready, now())
        except StorageError as error:
            _log.warning("%s", error)
