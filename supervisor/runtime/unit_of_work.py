"""Collects the events that one job adds to the log of its session, and appends them together."""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Any

from storage.errors import LeaseLost, StoreUnavailable, VersionConflict
from storage.log import Lease, NewLog
from supervisor.core.errors import IllegalEvent
from supervisor.core.events import (
    SYSTEM,
    ChildLaunched,
    Compacted,
    Event,
    InputRequested,
    ModelResponded,
    ToolFinished,
    ToolNotBegun,
    ToolStarted,
)
from supervisor.core.reducer import apply
from supervisor.core.state import Session
from supervisor.repository import Sessions

# The longest outage of the store, such as a restart or a failover, through which a job keeps its results.
OUTAGE_SECONDS = 60.0
# Events about what happened outside, which are recorded even if another writer appended first.
_FACTS = (ModelResponded, ToolFinished, ToolNotBegun, InputRequested, Compacted)
_log = logging.getLogger("flagman.runner")


class UnitOfWork:
    """The pending events of one job; `session` is the state after all events, pending ones included."""

    def __init__(
        self,
        sessions: Sessions,
        clock: Callable[[], datetime],
        stopping: asyncio.Event,
        lease: Lease,
        session: Session,
        *,
        fresh: timedelta = timedelta(seconds=2),
    ) -> None:
        self._sessions, self._clock, self._stopping = sessions, clock, stopping
        self._lease: Lease | None = lease
        # The worker is known to have held the lease at `_proven_at`; for `_fresh` seconds more this is assumed.
        self._proven_at, self._fresh = time.monotonic(), fresh.total_seconds()
        self._stored = self.session = session
        self._pending: list[Event] = []
        self._new_logs: list[NewLog] = []
        self._blobs: dict[str, bytes] = {}
        # The starts of tools that were appended, as long as there is no result.
        self._begun: dict[str, ToolStarted] = {}

    @property
    def stored_version(self) -> int:
        return self._stored.version

    @property
    def lost(self) -> bool:
        """Whether another worker took the session over; then only results are appended, no decisions."""
        return self._lease is None

    @property
    def pending(self) -> bool:
        return bool(self._pending)

    @property
    def has_results(self) -> bool:
        """Whether a result is pending that would be lost with this job."""
        return any(isinstance(event, _FACTS) for event in self._pending)

    def now(self) -> dict[str, Any]:
        """Return the fields `at` and `by` of an event of the system."""
        return {"at": self._clock(), "by": SYSTEM.id}

    def add(self, event: Event) -> None:
        """Add an event to be appended. Raises IllegalEvent."""
        self.session = apply(self.session.id, self.session, event)
        self._pending.append(event)

    def launch(self, event: ChildLaunched, new_log: NewLog, blobs: dict[str, bytes]) -> None:
        """Add the launch of a sub-agent, whose log begins in the same append. Raises IllegalEvent."""
        self.add(event)
        self._new_logs.append(new_log)
        self._blobs |= blobs

    async def on_lease_lost(self) -> None:
        """Keep only the pending results and read what was appended, since another worker has the session."""
        _log.warning("session %s: another worker took it over", self.session.id)
        self._lease = None
        await self._rebase()

    async def commit(self, *, release: bool = False) -> bool | None:
        """Append the pending events. Returns whether the lease was released with it, or None after a conflict."""
        if not self._pending:
            return False
        try:
            released = await self._append(release)
        except LeaseLost:
            await self.on_lease_lost()
            return None
        except VersionConflict:
            await self._rebase()
            return None
        self._stored = self.session
        self._remember_begun()
        self._forget()
        return released

    async def may_begin(self, call_id: str, attempt: int) -> float | None:
        """Return the time of the monotonic clock until which a recorded attempt may run its tool; None: it may not.

        While this worker was cut off or frozen, another one may have taken the session over and run the call, or asked
        a person about it. So the store is asked whether the lease is still held, until it answers.
        """
        while self._lease and time.monotonic() - self._proven_at > self._fresh:
            sent = time.monotonic()
            try:
                held = await self._sessions.confirm(self._lease)
                session = await self._sessions.load(self.session.id)
            except StoreUnavailable as error:
                if self._stopping.is_set():
                    return None
                _log.warning("session %s: %s; %s waits to begin", self.session.id, error, call_id)
                await asyncio.sleep(0.2)
                continue
            call = session.call(call_id)
            if not held or session.ended or (call.phase, call.attempt) != ("started", attempt):
                return None
            self._proven_at = max(self._proven_at, sent)
        # Half a lease after it was last known to be held: long before another worker could take it over.
        return self._proven_at + 1.5 * self._fresh if self._lease else None

    async def refresh(self) -> None:
        """Read what other writers appended."""
        if self._pending:
            await self._rebase()
        else:
            self._stored = self.session = await self._load()
            self._begin_again()

    async def _load(self) -> Session:
        """Load the session, with retries during a short outage. Raises StoreUnavailable after a longer one."""
        until = time.monotonic() + OUTAGE_SECONDS
        while True:
            try:
                return await self._sessions.load(self.session.id)
            except StoreUnavailable as error:
                await self._outlast(error, until)

    async def _outlast(self, error: StoreUnavailable, until: float) -> None:
        """Sleep before the next try. Raises `error` if the worker is stopping or `until` has passed."""
        if self._stopping.is_set() or time.monotonic() > until:
            raise error
        _log.warning("session %s: %s; trying again", self.session.id, error)
        await asyncio.sleep(0.2)

    async def _append(self, release: bool) -> bool:
        """Append the pending events, with retries during a short outage; the expected version prevents duplicates."""
        sent, unanswered = time.monotonic(), False
        while True:
            try:
                released = await self._sessions.append(
                    self._stored,
                    self.session,
                    self._pending,
                    blobs=self._blobs,
                    new_logs=self._new_logs,
                    lease=self._lease,
                    release=release,
                )
            except StoreUnavailable as error:
                unanswered = True
                await self._outlast(error, sent + OUTAGE_SECONDS)
            except (LeaseLost, VersionConflict):
                if unanswered and await self._was_appended(sent + OUTAGE_SECONDS):
                    released = False
                    break
                raise
            else:
                break
        # A try without an answer may have succeeded, so only the time before the first one is certain.
        self._proven_at = max(self._proven_at, sent)
        return released

    async def _was_appended(self, until: float) -> bool:
        """Return whether the append that had no answer took place, with retries as `_append`."""
        while True:
            try:
                return await self._sessions.holds(self._stored, self.session, self._pending)
            except StoreUnavailable as error:
                await self._outlast(error, until)

    async def _rebase(self) -> None:
        """Load the session again after a conflict, and keep only the pending results that still fit."""
        facts = [event for event in self._pending if isinstance(event, _FACTS)]
        self._stored = self.session = await self._load()
        self._forget()
        self._begin_again()
        for fact in facts:
            try:
                self.add(fact)
            except IllegalEvent as error:
                _log.info("session %s: %s dropped: %s", self.session.id, fact.type, error)

    def _remember_begun(self) -> None:
        for event in self._pending:
            if isinstance(event, ToolStarted):
                self._begun[event.call_id] = event
            elif isinstance(event, (ToolFinished, ToolNotBegun)):
                self._begun.pop(event.call_id, None)

    def _begin_again(self) -> None:
        """Add the starts of tools that the log has no longer, since a promotion of a replica lost them.

        Otherwise a call that is running, or has run, would seem never to have begun, and begin once more.
        """
        for started in self._begun.values():
            try:
                if self.session.call(started.call_id).attempt < started.attempt:
                    self.add(started)
                    _log.warning(
                        "session %s: %s began, which is recorded again", self.session.id, started.call_id
                    )
            except IllegalEvent as error:
                # Its approval is lost, too.
                _log.error(
                    "session %s: %s began, and the log lost that: %s", self.session.id, started.call_id, error
                )

    def _forget(self) -> None:
        self._pending, self._new_logs, self._blobs = [], [], {}
