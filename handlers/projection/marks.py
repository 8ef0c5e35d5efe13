"""The mark by which a message in Slack is recognised as one of a session, however often it was changed."""

from __future__ import annotations

import re
from typing import Any

from handlers.blocks.text import Block

_EVENT_TYPE = "flagman_message"
_BLOCK = re.compile(r"flagman:([^:]+):(.+)")


def metadata(session_id: str, key: str) -> dict[str, Any]:
    """Return the metadata of a message."""
    return {"event_type": _EVENT_TYPE, "event_payload": {"session": session_id, "key": key}}


def named(blocks: tuple[Block, ...], session_id: str, key: str) -> list[Block]:
    """Return the blocks with the mark in the id of the first one, for readers that do not keep metadata."""
    first, *rest = blocks
    return [{"block_id": f"flagman:{session_id}:{key}", **first}, *rest]


def mark_of(message: dict[str, Any]) -> tuple[str, str] | None:
    """Return the session and the key of a message; None for one that is not marked."""
    payload = (message.get("metadata") or {}).get("event_payload") or {}
    if isinstance(payload.get("session"), str) and isinstance(payload.get("key"), str):
        return payload["session"], payload["key"]
    for block in message.get("blocks") or ():
        if found := _BLOCK.fullmatch(str(block.get("block_id") or "")):
            return found[1], found[2]
    return None
