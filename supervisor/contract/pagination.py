"""Pages of sessions, newest first. A cursor is the score and id of the last row, so that none is skipped."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable
from typing import Literal, NamedTuple

from storage.log import LogStore, Row
from supervisor.contract.models import Status
from supervisor.core.errors import FlagmanError, LogUnreadable
from supervisor.core.state import Session
from supervisor.effects import index_of
from supervisor.repository import Sessions

# The most rows that a filter reads for one page; the cursor continues after them.
MOST_LOOKED_AT = 1000
_CHUNK = 50
_log = logging.getLogger("flagman.contract")
_INDEX: dict[Status | None, Literal["all", "running", "paused", "ended"]] = {
    None: "all",
    "running": "running",
    "paused": "paused",
    "completed": "ended",
    "failed": "ended",
    "cancelled": "ended",
}


class Page(NamedTuple):
    """The sessions, the cursor of the next page, and those in between that cannot be read."""

    sessions: list[Session]
    following: str | None
    unreadable: list[LogUnreadable]


async def page(
    log: LogStore,
    sessions: Sessions,
    sees: Callable[[Session], Awaitable[bool]],
    *,
    status: Status | None,
    persona: str | None,
    parent: str | None,
    cursor: str | None,
    limit: int,
    workspace: str = "",
) -> Page:
    """A page of the sessions that the actor `sees`, of a `workspace` or of all.

    Raises SessionNotFound where `parent` is none.
    """
    found: list[Session] = []
    unreadable: list[LogUnreadable] = []
    last = _parse(cursor) if cursor else None
    children = None if parent is None else _children(await sessions.load(parent))
    looked = 0
    while looked < MOST_LOOKED_AT:
        if children is None:
            rows = await log.index(index_of(_INDEX[status], workspace), after=last, limit=_CHUNK)
        else:
            rows = [row for row in children if last is None or _after(row, last)][:_CHUNK]
        loaded = await asyncio.gather(*(_load(sessions, session_id) for session_id, _ in rows))
        for row, session in zip(rows, loaded, strict=True):
            if isinstance(session, LogUnreadable):
                unreadable.append(session)
            elif session and _fits(session, status, persona) and await sees(session):
                if len(found) == limit:
                    return Page(found, _cursor(last), unreadable)
                found.append(session)
            last, looked = row, looked + 1
        if len(rows) < _CHUNK:
            return Page(found, None, unreadable)
    return Page(found, _cursor(last), unreadable)


def _after(row: Row, last: Row) -> bool:
    return (row[1], row[0]) < (last[1], last[0])


def _children(session: Session) -> list[Row]:
    """The sub-agents that a session launched, in the order of an index."""
    rows = [(child.id, float(int(child.at.timestamp() * 1000))) for child in session.children]
    return sorted(rows, key=lambda row: (row[1], row[0]), reverse=True)


async def _load(sessions: Sessions, session_id: str) -> Session | LogUnreadable | None:
    """The session, or why it cannot be read; None where there is none any more."""
    try:
        return await sessions.load(session_id)
    except LogUnreadable as error:
        _log.error("%s", error)
        return error
    except FlagmanError as error:
        _log.error("%s", error)
        return None


def _fits(session: Session, status: Status | None, persona: str | None) -> bool:
    return status in (None, session.status) and persona in (None, session.persona)


def _cursor(last: Row | None) -> str | None:
    return f"{last[1]:.0f}.{last[0]}" if last else None


def _parse(cursor: str) -> Row:
    score, _, session_id = cursor.partition(".")
    return session_id, float(score)
