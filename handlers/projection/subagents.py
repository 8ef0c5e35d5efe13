"""Reader of what the messages of a coordinator and of its sub-agents show of each other."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable, Iterable

from handlers.messages.subagents import Subagents, relatives
from handlers.projection.message_rows import Row
from handlers.projection.permalinks import Permalinks
from storage.projections import ProjectionStore
from supervisor.core.errors import LogUnreadable, SessionNotFound
from supervisor.core.state import Session
from supervisor.repository import Sessions

_log = logging.getLogger("flagman.projector")


class SubagentReader:
    """Reads sub-agents from their logs; `enqueue` puts a session into the outbox queue."""

    def __init__(
        self,
        sessions: Sessions,
        rows: ProjectionStore,
        permalinks: Permalinks,
        enqueue: Callable[[str], Awaitable[None]],
    ) -> None:
        self._sessions, self._rows, self._permalinks, self._enqueue = sessions, rows, permalinks, enqueue

    async def of(self, session: Session) -> Subagents:
        """Return all sub-agents below a session that a person launched; of a sub-agent those that it launched itself.

        An append queues the root and the parent of its session, and no session between these.
        """
        generation = [session]
        below: dict[str, Session] = {}
        while generation:
            generation = await self._load_all(child.id for one in generation for child in one.children)
            below |= {found.id: found for found in generation}
            if session.lineage is not None:
                break
        known = [session.lineage.parent] if session.lineage else []
        return Subagents(below, await self._cards([*known, *below]))

    async def enqueue_relatives(self, session: Session) -> None:
        """Queue the sessions whose messages link to the card of this one."""
        for session_id in relatives(session):
            await self._enqueue(session_id)

    async def _load_all(self, ids: Iterable[str]) -> list[Session]:
        found = await asyncio.gather(*map(self._load, ids))
        return [session for session in found if session]

    async def _load(self, session_id: str) -> Session | None:
        try:
            return await self._sessions.load(session_id)
        except (SessionNotFound, LogUnreadable) as error:
            _log.warning("a sub-agent is not shown: %s", error)
            return None

    async def _cards(self, ids: list[str]) -> dict[str, str]:
        rows = await self._rows.column(ids, "card")
        cards = {session_id: Row.model_validate_json(row) for session_id, row in rows.items()}
        return {key: await self._permalinks.of(row) for key, row in cards.items() if row.ts and not row.gone}
