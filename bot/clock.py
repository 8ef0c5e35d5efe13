"""The clock process: fires stored timers with APScheduler in UTC. Several clocks may run at the same time."""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Self

from apscheduler.schedulers.asyncio import AsyncIOScheduler

from bot.audit_digest import AuditDigest
from bot.compose import Core, now
from bot.persona_reports import PersonaReports
from bot.retention import DailyCollection
from storage.connection import end
from storage.errors import StorageError
from storage.keys import TimerKey
from supervisor.core.errors import FlagmanError
from supervisor.runtime.sweeper import Sweeper

SWEEP = timedelta(seconds=30)
HORIZON = timedelta(seconds=20)
REFILL = timedelta(seconds=10)
HOLD = timedelta(seconds=5)
PERSONAS = timedelta(seconds=5)
# How often a clock asks whether today's collection of ended sessions is still to be made; lost rows are restored first.
COLLECTION = timedelta(minutes=2)
# How many timers a clock holds at a time, and how many of those about which Slack is asked fire at the same time.
BATCH, ASKING = 64, 16
_log = logging.getLogger("flagman.clock")


class Clock:
    """`async with Clock(parts):` fires timers until the block ends.

    It has one scheduler job, for the next due time within `HORIZON`; an earlier timer that is set later is published
    by the store. A due row is claimed, so that only one clock fires it; the append that follows removes the row.
    Timers about which Slack is asked first fire in tasks of their own, so that the others do not wait for it.
    """

    def __init__(self, parts: Core) -> None:
        self._parts = parts
        self._timers = parts.timers()
        self._creators = parts.creators()
        self._queues = parts.queues()
        self._sweeper = Sweeper(parts.sessions, parts.log, *self._queues)
        self._personas, self._digest = PersonaReports(parts), AuditDigest(parts)
        self._collection = DailyCollection(parts) if parts.settings.keep_for else None
        self._scheduler = AsyncIOScheduler(timezone=UTC)
        self._firing = asyncio.Lock()
        self._asking: dict[TimerKey, asyncio.Task[None]] = {}
        self._asking_gate = asyncio.Semaphore(ASKING)
        self._listening: asyncio.Task[None] | None = None

    async def __aenter__(self) -> Self:
        add = self._scheduler.add_job
        add(self._sweep, "interval", seconds=SWEEP.total_seconds(), coalesce=True, max_instances=1)
        add(self._tell, "interval", seconds=SWEEP.total_seconds(), coalesce=True, max_instances=1)
        add(self._restore_digest, "date", run_date=now())
        add(self._refill, "interval", seconds=REFILL.total_seconds(), next_run_time=now(), coalesce=True)
        add(
            self._report_personas,
            "interval",
            seconds=PERSONAS.total_seconds(),
            coalesce=True,
            max_instances=1,
        )
        if self._collection:
            every = COLLECTION.total_seconds()
            add(self._collect, "interval", seconds=every, coalesce=True, max_instances=1)
        self._scheduler.start()
        self._listening = asyncio.create_task(self._listen())
        return self

    @property
    def ticks(self) -> bool:
        """Whether it fires timers."""
        return bool(self._scheduler.running and self._listening and not self._listening.done())

    async def __aexit__(self, *_: object) -> None:
        self._scheduler.shutdown(wait=False)
        if self._listening:
            await end([self._listening])
        async with self._firing:
            pass
        await end(self._asking.values())

    async def _refill(self) -> None:
        """Schedule the next due time; after an outage, this also finds the timers that are overdue."""
        with _store_may_be_away():
            due = await self._timers.next_due(now() + HORIZON)
            if due is not None:
                self._wake_at(due)

    def _wake_at(self, due: datetime) -> None:
        job = self._scheduler.get_job("due")
        if job is None or due < job.next_run_time:
            self._scheduler.add_job(
                self._fire_due,
                "date",
                run_date=max(due, now()),
                id="due",
                replace_existing=True,
                misfire_grace_time=None,
            )

    async def _listen(self) -> None:
        while True:
            with _store_may_be_away():
                async with self._timers.subscribe() as dues:
                    async for due in dues:
                        if due < now() + HORIZON:
                            self._wake_at(due)
            await asyncio.sleep(1)

    async def _fire_due(self) -> None:
        async with self._firing:
            with _store_may_be_away():
                while timers := await self._timers.claim(now(), hold=HOLD, limit=BATCH):
                    asking = [timer for timer in timers if self._creators.asks(timer)]
                    for timer in asking:
                        self._begin(timer)
                    at_once = set(timers).difference(asking)
                    await asyncio.gather(*(self._fire(timer) for timer in at_once))
        await self._refill()

    def _begin(self, timer: TimerKey) -> None:
        """Fire a timer in a task of its own, unless it is being fired since an earlier claim."""
        if timer not in self._asking:
            self._asking[timer] = task = asyncio.create_task(self._fire_in_turn(timer))
            task.add_done_callback(lambda _: self._asking.pop(timer))

    async def _fire_in_turn(self, timer: TimerKey) -> None:
        async with self._asking_gate:
            await self._fire(timer)

    async def _fire(self, timer: TimerKey) -> None:
        with _store_may_be_away():
            await self._fire_one(timer)

    async def _fire_one(self, timer: TimerKey) -> None:
        try:
            if self._digest.owns(timer.owner):
                await self._digest.fire()
            elif not await self._creators.fire(timer):
                # The session no longer has this timer, so its row is removed here.
                await self._timers.drop(timer)
        except FlagmanError as error:
            _log.error("timer %s is dropped: %s", timer.encode(), error)
            await self._timers.drop(timer)
        except StorageError as error:
            _log.warning("timer %s comes again: %s", timer.encode(), error)

    async def _report_personas(self) -> None:
        with _store_may_be_away():
            await self._personas.report()

    async def _sweep(self) -> None:
        with _store_may_be_away():
            for queue in self._queues:
                await queue.open()
            await self._sweeper.sweep(now())
            await self._parts.schedules.restore_timers()
            await self._digest.restore()

    async def _collect(self) -> None:
        with _store_may_be_away():
            if self._collection:
                await self._collection.run()

    async def _restore_digest(self) -> None:
        with _store_may_be_away():
            await self._digest.restore()

    async def _tell(self) -> None:
        with _store_may_be_away():
            await self._creators.tell()


@contextlib.contextmanager
def _store_may_be_away() -> Iterator[None]:
    try:
        yield
    except StorageError as error:
        _log.warning("%s", error)
