"""Takes jobs from a queue, renews their leases, and returns to the queue what it cannot finish."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import secrets
from collections.abc import Awaitable, Callable, Collection, Sequence
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any

from storage.connection import end
from storage.errors import StorageError
from storage.log import Lease
from storage.queue import Job, SessionQueue, StartedJob
from storage.scripts.lua import Known
from supervisor.core.errors import LogUnreadable, SessionNotFound

MAX_TRIES = 5
# A newer worker may read what this one cannot.
UNREADABLE_WAIT = timedelta(seconds=10)
STORE_WAIT = timedelta(milliseconds=500)
LONGEST_WAIT = timedelta(seconds=60)
# An idle worker stops within this time.
BLOCK = timedelta(seconds=1)
_log = logging.getLogger("flagman.worker")


@dataclass
class Signals:
    """The signals to a running job: `changed` is set when another writer appended, `stopping` at shutdown."""

    changed: asyncio.Event = field(default_factory=asyncio.Event)
    stopping: asyncio.Event = field(default_factory=asyncio.Event)

    async def wait(self, tasks: Collection[asyncio.Task[Any]]) -> None:
        """Wait until a task ends, another writer appends, or this worker is told to stop (and was not before)."""
        signals = [asyncio.create_task(self.changed.wait())]
        if not self.stopping.is_set():
            signals.append(asyncio.create_task(self.stopping.wait()))
        try:
            await asyncio.wait({*tasks, *signals}, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for signal in signals:
                signal.cancel()


@dataclass(frozen=True)
class Done:
    """The job is finished; `released` says that its last append already released the lease."""

    released: bool = False


@dataclass(frozen=True)
class Later:
    """The job has to run again after `wait` (None: at once, on any worker).

    `trouble` is the reason where a person may have to act; it is listed until the job is done. `failed` counts as a
    failed try.
    """

    wait: timedelta | None
    trouble: str = ""
    failed: bool = False


Handle = Callable[[StartedJob, Signals], Awaitable[Done | Later]]
GiveUp = Callable[[StartedJob, str], Awaitable[Done | None]]
KnownOf = Callable[[str], Known]


class Worker:
    """Runs up to `slots` jobs of one queue at a time until `stop`.

    A job that fails `MAX_TRIES` times in a row is passed to `give_up` with the reason. Without that, or where it
    returns None, the job is retried without end, with growing delays, and the reason is listed as trouble. `chores` are
    done beside the jobs until `stop` is called.
    """

    def __init__(
        self,
        queue: SessionQueue,
        handle: Handle,
        known: KnownOf,
        *,
        give_up: GiveUp | None = None,
        slots: int = 32,
        lease: timedelta = timedelta(seconds=6),
        grace: timedelta = timedelta(seconds=20),
        chores: Sequence[Callable[[], Awaitable[None]]] = (),
    ) -> None:
        self._queue, self._handle, self._known, self._give_up = queue, handle, known, give_up
        self._slots, self._lease, self._grace, self._chores = slots, lease, grace, chores
        self._name = f"w-{secrets.token_hex(4)}"
        self._jobs: dict[Job, asyncio.Task[None]] = {}
        self._signals: dict[str, Signals] = {}
        self._free = asyncio.Condition()
        self._stopping = asyncio.Event()

    async def run(self) -> None:
        """Work until `stop` is called; then running jobs have the time `grace` to end before they are cancelled."""
        await self._until_stopped(self._queue.open)
        taking, *intake = [
            asyncio.create_task(self._forever(chore))
            for chore in (self._take, self._reclaim, self._promote, *self._chores)
        ]
        # Leases are renewed while jobs end, or another worker would take the jobs over.
        chores = [asyncio.create_task(self._forever(chore)) for chore in (self._renew, self._listen)]
        try:
            await self._stopping.wait()
        finally:
            async with self._free:
                self._free.notify_all()
            await end(intake)
            # The store may still serve a read that is cut off; its job would wait until the lease expires.
            await asyncio.wait([taking], timeout=2 * BLOCK.total_seconds())
            await end([taking])
            await self._drain()
            await end(chores)
            with contextlib.suppress(StorageError):
                await self._queue.remove_consumer(self._name)

    def stop(self) -> None:
        self._stopping.set()
        for signals in self._signals.values():
            signals.stopping.set()

    async def _forever(self, chore: Callable[[], Awaitable[None]]) -> None:
        delay = 0.1
        while not (chore == self._take and self._stopping.is_set()):
            try:
                await chore()
                delay = 0.1
            except StorageError as error:
                _log.warning("%s: %s; trying again in %.1f s", self._queue.name, error, delay)
            except Exception:  # noqa: BLE001  a chore that ends would stop the worker unnoticed
                _log.exception("%s: a chore failed; trying again in %.1f s", self._queue.name, delay)
            else:
                continue
            await asyncio.sleep(delay)
            delay = min(delay * 2, 5)

    async def _until_stopped(self, step: Callable[[], Awaitable[None]]) -> None:
        while not self._stopping.is_set():
            try:
                await step()
                return
            except StorageError as error:
                _log.warning("%s: %s", self._queue.name, error)
                await asyncio.sleep(0.5)

    async def _take(self) -> None:
        async with self._free:
            await self._free.wait_for(lambda: len(self._jobs) < self._slots or self._stopping.is_set())
        if self._stopping.is_set():
            return
        free = self._slots - len(self._jobs)
        for job in await self._queue.take(self._name, limit=free, block=BLOCK):
            self._begin(job)

    async def _reclaim(self) -> None:
        await asyncio.sleep(self._lease.total_seconds() / 4)
        free = self._slots - len(self._jobs)
        if free > 0:
            for job in await self._queue.reclaim(self._name, lease=self._lease, limit=free):
                if job not in self._jobs:
                    _log.info("%s: took over %s from a worker that is gone", self._queue.name, job.session_id)
                    self._begin(job)

    async def _renew(self) -> None:
        await asyncio.sleep(self._lease.total_seconds() / 4)
        await self._queue.renew(self._name, list(self._jobs), lease=self._lease)

    async def _promote(self) -> None:
        if await self._queue.promote_due() == 0:
            await asyncio.sleep(0.2)

    async def _listen(self) -> None:
        async with self._queue.dirty() as changed:
            async for session_id in changed:
                if session_id in self._signals:
                    self._signals[session_id].changed.set()

    def _begin(self, job: Job) -> None:
        self._jobs[job] = asyncio.create_task(self._job(job), name=f"job {job.session_id}")

    async def _job(self, job: Job) -> None:
        session_id = job.session_id
        signals = self._signals[session_id] = Signals()
        if self._stopping.is_set():
            signals.stopping.set()
        lease = self._queue.lease(job)
        try:
            started = await self._queue.start(lease, known=self._known(session_id))
            if started is not None:
                await self._handled(started, signals)
        except StorageError as error:
            _log.warning("%s: %s left for redelivery: %s", self._queue.name, session_id, error)
            await self._hand_back(lease)
        finally:
            if self._signals.get(session_id) is signals:
                del self._signals[session_id]
            self._jobs.pop(job, None)
            async with self._free:
                self._free.notify()

    async def _hand_back(self, lease: Lease) -> None:
        """Queue a job again after an error of the store, not as a failed try; at shutdown its lease expires."""
        delay = 0.1
        while not self._stopping.is_set():
            try:
                await self._queue.retry(lease, wait=STORE_WAIT, failed=False)
                return
            except StorageError:
                await asyncio.sleep(delay)
                delay = min(delay * 2, 5)

    async def _handled(self, started: StartedJob, signals: Signals) -> None:
        lease = started.lease
        try:
            outcome: Done | Later | None = None
            if started.tries >= MAX_TRIES:
                outcome = await self._given_up(started, f"the worker at it ended {started.tries} times")
            outcome = outcome or await self._handle(started, signals)
        except LogUnreadable as error:
            _log.error("%s: %s", self._queue.name, error)
            outcome = Later(UNREADABLE_WAIT, str(error))
        except SessionNotFound as error:
            _log.error("%s: %s", self._queue.name, error)
            outcome = Done()
        except StorageError:
            raise
        except asyncio.CancelledError:
            # The grace time is over: another worker takes the job over at once.
            await self._queue.retry(lease, wait=None, failed=False)
            raise
        except Exception as error:  # noqa: BLE001  an error of one job must not stop the others
            _log.exception("%s: %s failed", self._queue.name, lease.session_id)
            outcome = await self._after_failure(started, error)
        match outcome:
            case Later():
                await self._queue.retry(lease, **vars(outcome))
            case Done(released=False):
                await self._queue.done(lease)

    async def _after_failure(self, started: StartedJob, error: Exception) -> Done | Later:
        """Put the job off after a failed try, or give it up after too many; return the outcome."""
        tries = started.tries + 1
        why = f"it failed {tries} times, the last time with {type(error).__name__}"
        enough = tries >= MAX_TRIES
        outcome = await self._given_up(started, why) if enough else None
        wait = min(timedelta(seconds=2 ** min(tries, 10)), LONGEST_WAIT)
        return outcome or Later(wait, why if enough else "", failed=True)

    async def _given_up(self, started: StartedJob, why: str) -> Done | None:
        """Pass the job to `give_up`. Returns None where the job has to be tried again."""
        if self._give_up is None:
            return None
        try:
            return await self._give_up(started, why)
        except StorageError:
            raise
        except Exception:  # noqa: BLE001  the error of the job may occur here, too
            _log.exception("%s: %s cannot be given up", self._queue.name, started.lease.session_id)
            return None

    async def _drain(self) -> None:
        if self._jobs:
            await asyncio.wait(list(self._jobs.values()), timeout=self._grace.total_seconds())
        left = list(self._jobs.values())
        for job in left:
            job.cancel()
        await asyncio.gather(*left, return_exceptions=True)
