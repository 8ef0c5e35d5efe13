"""Reads what the messages of a coordinator and of its sub-agents show of each other."""

from __future__ import annotations

import asyncio
import logging
import time
from collections import OrderedDict
from collections.abc import Awaitable, Callable, Iterable

from handlers.messages.subagents import Family, relatives
from handlers.projection.message_rows import Row
from handlers.projection.slack_client import SlackSender
from storage.projections import ProjectionStore
from supervisor.core.errors import LogUnreadable, SessionNotFound
from supervisor.core.state import Session
from supervisor.repository import Sessions

ADDRESSES_KEPT = 4096
# After Slack did not give an address.
ASKED_AGAIN_SECONDS = 60.0
_log = logging.getLogger("flagman.projector")


class Subagents:
    """Sub-agents from the log, addresses of cards from Slack; `enqueue` puts a session into the outbox queue."""

    def __init__(
        self,
        sessions: Sessions,
        rows: ProjectionStore,
        sender: SlackSender,
        enqueue: Callable[[str], Awaitable[None]],
    ) -> None:
        self._sessions, self._rows, self._sender, self._enqueue = sessions, rows, sender, enqueue
        self._addresses: OrderedDict[tuple[str, str], tuple[float, str]] = OrderedDict()
        self._asking = asyncio.Lock()

    async def of(self, session: Session) -> Family:
        """Everybody below a session that a person launched; of a sub-agent those that it launched itself.

        An append tells the root and the parent of its session, and nobody in between.
        """
        generation = [session]
        below: dict[str, Session] = {}
        while generation:
            generation = await self._loaded(child.id for one in generation for child in one.children)
            below |= {found.id: found for found in generation}
            if session.lineage is not None:
                break
        known = [session.lineage.parent] if session.lineage else []
        return Family(below, await self._cards([*known, *below]))

    async def card_moved(self, session: Session) -> None:
        """Those that show where the card of this session is show it anew."""
        for session_id in relatives(session):
            await self._enqueue(session_id)

    async def _loaded(self, ids: Iterable[str]) -> list[Session]:
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
        return {key: await self._address(row) for key, row in cards.items() if row.ts and not row.gone}

    async def _address(self, row: Row) -> str:
        """Asked once a card; empty where Slack does not say."""
        place = (row.channel, row.ts)
        async with self._asking:
            asked_at, address = self._addresses.get(place, (0.0, ""))
            if not address and (not asked_at or time.monotonic() - asked_at > ASKED_AGAIN_SECONDS):
                address = await self._sender.permalink(*place)
                self._addresses[place] = (time.monotonic(), address)
            self._addresses.move_to_end(place)
            while len(self._addresses) > ADDRESSES_KEPT:
                self._addresses.popitem(last=False)
        return address
