"""Has the cards of sessions shown anew whose running calls print: one after the other, and ever more rarely."""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Awaitable, Callable, Iterable
from dataclasses import dataclass

from handlers.projection import turns
from storage.change_feed import RunningStore
from storage.connection import end
from storage.errors import StorageError

# A call that ends sooner after it was heard of shows nothing but its result.
FIRST_SECONDS = 4.0
# By the age of a call in seconds, how often its card is shown anew.
EVERY = ((60.0, 5.0), (300.0, 10.0), (900.0, 30.0), (float("inf"), 60.0))
# Seconds of silence after which nothing runs any more, since a running call is heard every ten seconds.
SILENT_SECONDS = 30.0
_IDLE_SECONDS = 0.5
_log = logging.getLogger("flagman.projector")


@dataclass
class _Session:
    """A session with calls that run, in seconds of the monotonic clock; `shown` is 0 where it never was."""

    first: float
    heard: float
    shown: float = 0.0

    def due(self, now: float) -> bool:
        """Return whether it printed something since it was shown, and was not shown for long enough."""
        if not self.shown:
            return now >= self.first + FIRST_SECONDS
        every = next(every for age, every in EVERY if now - self.first < age)
        return self.heard > self.shown and now >= self.shown + every


class Progress:
    """Queues those sessions in the outbox, at the rate of updates: more of them could not be shown anyway.

    So two hundred sessions that print cost no more than thirty projections a minute, and each is shown as it is then.
    """

    def __init__(self, store: RunningStore, enqueue: Callable[[str], Awaitable[None]]) -> None:
        self._store, self._enqueue = store, enqueue
        self._sessions: dict[str, _Session] = {}

    async def run(self) -> None:
        """Listen and queue until cancelled. Raises StorageError."""
        queueing = asyncio.create_task(self._queue())
        try:
            async with self._store.subscribe() as printing:
                async for session_ids in printing:
                    self._heard(session_ids)
        finally:
            await end([queueing])

    def _heard(self, session_ids: Iterable[str]) -> None:
        now = time.monotonic()
        for session_id in session_ids:
            self._sessions.setdefault(session_id, _Session(now, now)).heard = now

    async def _queue(self) -> None:
        while True:
            session_id = self._next()
            if session_id is None:
                await asyncio.sleep(min(_IDLE_SECONDS, FIRST_SECONDS))
                continue
            self._sessions[session_id].shown = time.monotonic()
            try:
                await self._enqueue(session_id)
            except StorageError as error:
                _log.info("%s: what it prints is not shown: %s", session_id, error)
            await asyncio.sleep(turns.UPDATES.interval.total_seconds())

    def _next(self) -> str | None:
        """Return the session that is due and was not shown for the longest time; those that are silent are dropped."""
        now = time.monotonic()
        self._sessions = {
            session_id: one for session_id, one in self._sessions.items() if now - one.heard < SILENT_SECONDS
        }
        due = [session_id for session_id, one in self._sessions.items() if one.due(now)]
        return min(due, key=lambda session_id: self._sessions[session_id].shown, default=None)
