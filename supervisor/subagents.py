"""The sub-agents of a session that are at work, read from the store."""

from __future__ import annotations

import asyncio
import logging

from supervisor.core.errors import LogUnreadable, SessionNotFound
from supervisor.core.state import Session
from supervisor.core.subagents import AtWork
from supervisor.repository import Sessions

_log = logging.getLogger("flagman.supervisor")


async def at_work(sessions: Sessions, session: Session) -> AtWork:
    """Those that have not been recorded as ended, and theirs in turn."""
    found: dict[str, Session] = {}
    level = [session]
    while level:
        ids = [child.id for one in level for child in one.running_children]
        loaded = await asyncio.gather(*(_load(sessions, child_id) for child_id in ids))
        level = [child for child in loaded if child]
        found |= {child.id: child for child in level}
    return found


async def _load(sessions: Sessions, child_id: str) -> Session | None:
    try:
        return await sessions.load(child_id)
    except (SessionNotFound, LogUnreadable) as error:
        # Whoever launched it records that it is lost.
        _log.warning("%s", error)
        return None
