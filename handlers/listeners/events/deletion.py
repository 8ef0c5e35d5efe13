"""A message of the bot that was deleted in Slack."""

from __future__ import annotations

from typing import Any

from handlers.context import ListenerContext
from handlers.projection.marks import mark_of
from handlers.projection.message_rows import Row


async def deleted(flagman: ListenerContext, event: dict[str, Any]) -> None:
    """Have the session of the message shown again: what it still asks is posted anew."""
    message = event.get("previous_message") or {}
    mark = mark_of(message)
    if mark is None:
        return
    session_id, key = mark
    stored = (await flagman.rows.column([session_id], key)).get(session_id)
    row = Row.model_validate_json(stored) if stored else None
    if stored is None or row is None or (row.channel, row.ts) != (event.get("channel"), message.get("ts")):
        return
    # A row that shows nothing is updated, and then Slack says that the message is gone.
    await flagman.rows.record_first(session_id, key, stored, row.model_copy(update={"shows": ""}).data)
    await flagman.show_again(session_id)
