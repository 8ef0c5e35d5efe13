"""Messages of the bot that were deleted in Slack."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any

from handlers.projection.marks import mark_of
from handlers.projection.message_rows import Row
from storage.projections import ProjectionStore


class Deletions:
    """Handler of deletions; `enqueue` puts a session into the outbox queue, which shows its message again."""

    def __init__(self, rows: ProjectionStore, enqueue: Callable[[str], Awaitable[None]]) -> None:
        self._rows, self._enqueue = rows, enqueue

    async def receive(self, channel: str, message: dict[str, Any]) -> None:
        """Queue the session of a message that was deleted, so that what it still asks is posted again."""
        mark = mark_of(message)
        if mark is None:
            return
        session_id, key = mark
        stored = (await self._rows.column([session_id], key)).get(session_id)
        if stored is None:
            return
        row = Row.model_validate_json(stored)
        if (row.channel, row.ts) != (channel, message.get("ts")):
            return
        # A row that shows nothing is updated, and then Slack answers that the message is gone.
        emptied = row.model_copy(update={"shows": ""})
        await self._rows.record_first(session_id, key, stored, emptied.data)
        await self._enqueue(session_id)
