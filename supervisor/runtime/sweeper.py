"""A safety net: a session that should be running and is in no queue is queued again."""

from __future__ import annotations

import logging
from datetime import datetime, timedelta

from storage.log import LogStore, Row
from storage.queue import SessionQueue

QUIET = timedelta(minutes=1)
PAGE = 500
_log = logging.getLogger("flagman.sweep")


async def sweep(log: LogStore, ready: SessionQueue, now: datetime) -> int:
    """Queue what was forgotten for more than a minute; returns how many. Raises StoreUnavailable."""
    found = 0
    last: Row | None = None
    parked = await ready.parked()
    while rows := await log.index("running", after=last, limit=PAGE):
        last = rows[-1]
        quiet = [sid for sid, changed in rows if changed < (now - QUIET).timestamp() * 1000]
        for session_id in await ready.absent([sid for sid in quiet if sid not in parked]):
            _log.warning("session %s was in no queue; queued again", session_id)
            await ready.enqueue(session_id)
            found += 1
    await ready.prune_consumers(timedelta(hours=1))
    return found
