"""A safety net: a session that should be running and is in no queue is queued again."""

from __future__ import annotations

import logging
from datetime import datetime, timedelta

from storage.log import LogStore
from storage.queue import SessionQueue

QUIET = timedelta(minutes=1)
_log = logging.getLogger("flagman.sweep")


async def sweep(log: LogStore, ready: SessionQueue, now: datetime) -> int:
    """Queue what was forgotten for more than a minute; returns how many. Raises StoreUnavailable."""
    found = 0
    parked = await ready.parked()
    for session_id, changed in await log.index("running", limit=1000):
        quiet = changed < (now - QUIET).timestamp() * 1000
        if quiet and session_id not in parked and not await ready.holds(session_id):
            _log.warning("session %s was in no queue; queued again", session_id)
            await ready.enqueue(session_id)
            found += 1
    await ready.prune_consumers(timedelta(hours=1))
    return found
