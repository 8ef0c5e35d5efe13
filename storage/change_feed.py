"""Which sessions change, as they change: told by every append, heard by whoever listens just then."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

from redis.asyncio import Redis

from storage import keys
from storage.connection import reaching_store


class ChangeFeed:
    """Nothing is kept for those who are away: who listens again must look again. Raises StoreUnavailable."""

    def __init__(self, blocking: Redis, *, partition: int = 0) -> None:
        self._blocking, self._partition = blocking, partition

    @asynccontextmanager
    async def listen(self) -> AsyncIterator[AsyncIterator[str]]:
        """Ids of sessions from now on."""
        async with self._subscribed() as pubsub:
            yield _ids(pubsub)

    @asynccontextmanager
    async def listen_for_many(self, pause: float) -> AsyncIterator[AsyncIterator[set[str]]]:
        """The same for who is in no hurry: what came within `pause` seconds is read at once, which costs far less."""
        async with self._subscribed() as pubsub:
            yield _many(pubsub, pause)

    @asynccontextmanager
    async def _subscribed(self) -> AsyncIterator[Any]:
        pubsub = self._blocking.pubsub(ignore_subscribe_messages=True)
        try:
            with reaching_store():
                await pubsub.subscribe(keys.changed_channel(self._partition))
            yield pubsub
        finally:
            await pubsub.aclose()  # type: ignore[no-untyped-call]


async def _ids(pubsub: Any) -> AsyncIterator[str]:
    while True:
        with reaching_store():
            message = await pubsub.get_message(timeout=20)
        if message is not None:
            yield message["data"].decode()


async def _many(pubsub: Any, pause: float) -> AsyncIterator[set[str]]:
    while True:
        with reaching_store():
            message = await pubsub.get_message(timeout=20)
        if message is None:
            continue
        await asyncio.sleep(pause)
        found = {message["data"].decode()}
        with reaching_store():
            while (message := await pubsub.get_message(timeout=0)) is not None:
                found.add(message["data"].decode())
        yield found
