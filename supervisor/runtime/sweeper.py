"""Restores entries of queues, indexes and timers that the store lost, from the logs of the sessions."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from contextlib import suppress
from datetime import datetime, timedelta

from storage.errors import VersionConflict
from storage.log import Effects, LogStore, Row
from storage.queue import SessionQueue
from supervisor.core.errors import LogUnreadable, SessionNotFound
from supervisor.effects import effects_of
from supervisor.repository import UNREADABLE, Sessions

QUIET = timedelta(minutes=1)
# A job without an entry and without a sign of a worker is left this long to a worker that may be at it.
BUSY = timedelta(minutes=1)
PAGE = 500
# The number of paused sessions that one sweep queues to be shown again.
ROTATION = 100
# The number of parts of the store that one sweep searches for logs that are in no index.
SCANS = 10
_BUCKETS = ("running", "paused")
_log = logging.getLogger("flagman.sweep")


class Sweeper:
    """Compares queues, indexes and timers with the logs. The clock process calls `sweep` every 30 seconds."""

    def __init__(self, sessions: Sessions, log: LogStore, ready: SessionQueue, outbox: SessionQueue) -> None:
        self._sessions, self._log, self._ready, self._outbox = sessions, log, ready, outbox
        # How far the store was searched for logs that are in no index.
        self._cursor = 0
        # The last of the paused sessions that were shown again.
        self._shown: Row | None = None
        # By queue and session: the state of a running job without an entry, and since when.
        self._busy: dict[tuple[str, str], tuple[str, datetime]] = {}
        # The sessions whose logs could not be read in this sweep.
        self._unreadable: set[str] = set()
        # By session: the length of its log, and the rows and queues that belong to it at this length.
        self._rows: dict[str, tuple[int, Effects]] = {}

    async def sweep(self, now: datetime) -> int:
        """Restore what is missing at `now` (UTC). Returns for how many sessions. Raises StoreUnavailable."""
        await self._queue_waiting()
        found = await self._restore_rows()
        found += await self._queue_forgotten(now)
        for queue in (self._ready, self._outbox):
            found += await self._repair(queue, now)
            await queue.prune_consumers(timedelta(hours=1))
        return found

    async def _queue_waiting(self) -> None:
        """Queue some paused sessions, in rotation, so that it is checked whether their requests are still visible.

        And, for those with running sub-agents, whether these have ended or are to pause or resume with them.
        """
        rows = await self._log.index("paused", after=self._shown, limit=ROTATION)
        self._shown = rows[-1] if len(rows) == ROTATION else None
        for session_id, _ in rows:
            await self._outbox.enqueue(session_id)
            if session_id in self._rows and "ready" in self._rows[session_id][1].enqueue:
                await self._ready.enqueue(session_id)

    async def _queue_forgotten(self, now: datetime) -> int:
        """Queue running sessions that are in no queue and unchanged for `QUIET`. Returns how many."""
        found = 0
        last: Row | None = None
        while rows := await self._log.index("running", after=last, limit=PAGE):
            last = rows[-1]
            quiet = [sid for sid, changed in rows if changed < (now - QUIET).timestamp() * 1000]
            for session_id in await self._ready.absent(quiet):
                _log.warning("session %s was in no queue; queued again", session_id)
                await self._ready.enqueue(session_id)
                found += 1
        return found

    async def _repair(self, queue: SessionQueue, now: datetime) -> int:
        """Queue sessions again whose job is lost, for example with the stream. Returns how many."""
        jobless = await queue.jobless()
        known, self._busy = (
            self._busy,
            {key: seen for key, seen in self._busy.items() if key[0] != queue.name},
        )
        lost: dict[str, str] = {}
        for session_id, state in jobless.items():
            if state in ("queued", "later"):
                lost[session_id] = state
                continue
            before, since = known.get((queue.name, session_id), (state, now))
            if before == state and now - since >= BUSY:
                lost[session_id] = state
            else:
                self._busy[queue.name, session_id] = state, since if before == state else now
        repaired = await queue.repair(lost) if lost else 0
        if repaired:
            _log.warning("%s: %d sessions had lost their job; queued again", queue.name, repaired)
        return repaired

    async def _restore_rows(self) -> int:
        """Restore missing index rows and timers. Returns for how many sessions.

        Sessions that have ended are checked only where the sizes of the indexes do not add up.
        """
        sizes = [await self._log.count(name) for name in ("all", *_BUCKETS, "ended")]
        names = _BUCKETS if sizes[0] == sum(sizes[1:]) else (*_BUCKETS, "all")
        found, seen = 0, set[str]()
        self._unreadable, open_ = set(), set[str]()
        for name in names:
            last: Row | None = None
            while rows := await self._log.index(name, after=last, limit=PAGE):
                last = rows[-1]
                ids = [session_id for session_id, _ in rows if session_id not in seen]
                seen.update(ids)
                found += await self._restore(ids)
                open_.update(ids if name in _BUCKETS else ())
        await self._set_aside(self._unreadable & open_)
        for _ in range(SCANS):
            self._cursor, ids = await self._log.unlisted(self._cursor)
            seen.update(ids)
            found += await self._restore(ids)
            if not self._cursor:
                break
        self._rows = {session_id: row for session_id, row in self._rows.items() if session_id in seen}
        return found

    async def _restore(self, session_ids: Sequence[str]) -> int:
        for session_id, length in zip(session_ids, await self._log.lengths(session_ids), strict=True):
            if length and self._rows.get(session_id, (0, None))[0] != length:
                await self._learn(session_id)
        wanted = {sid: self._rows[sid][1] for sid in session_ids if sid in self._rows}
        found = 0
        for session_id, missing in (await self._log.missing(wanted)).items():
            try:
                await self._log.append(session_id, self._rows[session_id][0], [], missing)
            except VersionConflict:
                # Another writer appended in between; the next sweep checks the session again.
                continue
            _log.warning("session %s: lost rows are restored", session_id)
            found += 1
        return found

    async def _set_aside(self, unreadable: set[str]) -> None:
        """Keep the index of the open sessions that cannot be read, since they do not count as open for the limit."""
        size = await self._log.count(UNREADABLE)
        noted = {session_id for session_id, _ in await self._log.index(UNREADABLE, limit=size)}
        for session_id in noted ^ unreadable:
            row = Effects(indexes={UNREADABLE: 0.0 if session_id in unreadable else None})
            # Where another writer appends in between, the next sweep does it.
            with suppress(VersionConflict):
                await self._log.append(session_id, await self._log.length(session_id), [], row)

    async def _learn(self, session_id: str) -> None:
        """Compute the rows of a session from its log; a log that cannot be read has none."""
        try:
            session = await self._sessions.load(session_id)
        except (SessionNotFound, LogUnreadable) as error:
            _log.info("%s", error)
            self._rows.pop(session_id, None)
            if isinstance(error, LogUnreadable):
                self._unreadable.add(session_id)
            return
        whole = effects_of(None, session)
        self._rows[session_id] = (
            session.version,
            Effects(indexes=whole.indexes, timers=whole.timers, enqueue=whole.enqueue),
        )
