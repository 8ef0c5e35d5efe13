"""Which sessions change, as they change: told by every append, heard by whoever listens just then."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

from redis.asyncio import Redis

from storage import keys
from storage.connect import reaching_store


class ChangeFeed:
    """Nothing is kept for those who are away: who listens again must look again. Raises StoreUnavailable."""

    def __init__(self, blocking: Redis, *, partition: int = 0) -> None:
        self._blocking, self._partition = blocking, partition

    @asynccontextmanager
    async def listen(self) -> AsyncIterator[AsyncIterator[str]]:
        """Ids of sessions from now on."""
        pubsub = self._blocking.pubsub(ignore_subscribe_messages=True)
        try:
            with reaching_store():
                await pubsub.subscribe(keys.changed_channel(self._partition))
            yield _ids(pubsub)
        finally:
            await pubsub.aclose()  # type: ignore[no-untyped-call]


async def _ids(pubsub: Any) -> AsyncIterator[str]:
    while True:
        with reaching_store():
            message = await pubsub.get_message(timeout=20)
        if message is not None:
            yield message["data"].decode()
