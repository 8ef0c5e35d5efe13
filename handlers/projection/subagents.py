"""Reader of what the messages of a coordinator and of its sub-agents show of each other."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable, Iterable, Mapping

from handlers.messages.copies import is_copy
from handlers.messages.subagents import Subagents, relatives
from handlers.projection.message_rows import Row
from handlers.projection.permalinks import Permalinks
from handlers.projection.refusals import RetryLater
from storage.projections import ProjectionStore
from supervisor.core.errors import LogUnreadable, SessionNotFound
from supervisor.core.state import Session
from supervisor.core.subagents import BY_ITSELF
from supervisor.repository import Sessions

# Seconds until a sub-agent is shown whose coordinator has no card yet.
CARD_SECONDS = 1.0
# Keys of the messages that a sub-agent has in the thread of its coordinator.
_ASKS = ("ask:", "question:", "lost:", "halt:")
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

    async def thread_of(self, session: Session, rows: Mapping[str, Row]) -> Row | None:
        """Return the card in whose thread a sub-agent is shown; None for a session that has a card of its own.

        A sub-agent has its own where it was shown before sub-agents shared a thread, or where its root is lost. Raises
        RetryLater where the card is not posted yet.
        """
        own = rows.get("card")
        if session.lineage is None or (own and own.ts):
            return None
        stored = (await self._rows.column([session.root], "card")).get(session.root)
        card = Row.model_validate_json(stored) if stored else None
        if card and card.ts:
            return card
        if await self._load(session.root) is None:
            return None
        await self._enqueue(session.root)
        raise RetryLater(CARD_SECONDS, f"{session.id}, since {session.root} has no card yet")

    async def of(self, session: Session, *, within: bool = False) -> Subagents:
        """Return all sub-agents below a session that a person launched; of a sub-agent those that it launched itself.

        An append queues the root and the parent of its session, and no session between these. `within`: the session
        is shown in the thread of its root, with the names of those above it.
        """
        if within:
            return Subagents(within=await self._path(session))
        generation = [session]
        below: dict[str, Session] = {}
        while generation:
            generation = await self._load_all(child.id for one in generation for child in one.children)
            below |= {found.id: found for found in generation}
            if session.lineage is not None:
                break
        known = [session.lineage.parent] if session.lineage else []
        return Subagents(below, await self._addresses(known, below))

    async def _path(self, session: Session) -> str:
        """Return the names of a sub-agent and of those above it, the root left out."""
        names: list[str] = []
        one: Session | None = session
        while one and one.lineage:
            names.insert(0, one.lineage.name)
            one = await self._load(one.lineage.parent) if one.lineage.parent != one.root else None
        return " › ".join(names)

    async def enqueue_root(self, session: Session) -> None:
        """Queue the session whose board links to what this one asks."""
        await self._enqueue(session.root)

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

    async def _addresses(self, known: list[str], below: Mapping[str, Session]) -> dict[str, str]:
        """Return the addresses of cards, and of the newest open requests of those that wait for a person."""
        cards = await self._rows.column([*known, *below], "card")
        found = {session_id: Row.model_validate_json(row) for session_id, row in cards.items()}
        waiting = [s for s in below.values() if not s.ended and s.waiting_for not in (None, *BY_ITSELF)]
        for session in waiting:
            if session.id not in found and (row := await self._newest(session.id)):
                found[session.id] = row
        return {key: await self._permalinks.of(row) for key, row in found.items() if row.ts and not row.gone}

    async def _newest(self, session_id: str) -> Row | None:
        stored = await self._rows.rows(session_id)
        rows = [
            Row.model_validate_json(data)
            for key, data in stored.items()
            if key.startswith(_ASKS) and not is_copy(key)
        ]
        return max((row for row in rows if row.ts and not row.gone), key=lambda row: row.ts, default=None)
