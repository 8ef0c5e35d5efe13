"""Blocking reads of streams in several slots of a cluster, which one command cannot read together."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Iterable
from typing import Any

from redis.asyncio import Redis
from redis.crc import key_slot
from redis.exceptions import AskError, RedisError
from redis.exceptions import ConnectionError as RedisConnectionError

from storage.clients.address import Node
from storage.clients.topology import Topology

# The pause before a read that still waits is told again to end.
UNBLOCK_SECONDS = 0.01
Read = Callable[[Redis, str], Awaitable[Any]]


class Readers:
    """Reads one stream over one connection, so that a read which waits can be ended without losing its answer."""

    def __init__(self, topology: Topology) -> None:
        self._topology = topology
        self._idle: dict[str, _Reader] = {}

    async def read(self, streams: Iterable[str], read: Read, *, waits: bool) -> dict[Any, Any]:
        """Return the answers of all streams that have one; where `waits`, as soon as one of them has.

        Raises the error of a stream only where no stream has an answer.
        """
        used: dict[str, _Reader] = {}
        tasks = [asyncio.create_task(self._one(stream, read, used)) for stream in streams]
        try:
            if waits and len(tasks) > 1:
                _, left = await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
                while left:
                    # One that is only about to wait is not ended by it, so it is told again.
                    await asyncio.gather(*(reader.unblock() for reader in list(used.values())))
                    _, left = await asyncio.wait(left, timeout=UNBLOCK_SECONDS)
            await asyncio.wait(tasks)
        except asyncio.CancelledError:
            for task in tasks:
                task.cancel()
            await asyncio.wait(tasks)
            raise
        found: dict[Any, Any] = {}
        problem: BaseException | None = None
        for task in tasks:
            if error := task.exception():
                problem = error
            else:
                found |= task.result() or {}
        if problem and not found:
            raise problem
        return found

    async def aclose(self) -> None:
        for reader in self._idle.values():
            await reader.aclose()
        self._idle.clear()

    async def _one(self, stream: str, read: Read, used: dict[str, _Reader]) -> Any:
        slot = key_slot(stream.encode())
        node = await self._topology.owner(slot)
        reader = self._idle.pop(stream, None)
        if reader and reader.node != node:
            await reader.aclose()
            reader = None
        try:
            reader = reader or await _Reader.connect(node, self._topology.client(node))
            used[stream] = reader
            answer = await read(reader.client, stream)
        except BaseException as error:
            used.pop(stream, None)
            if reader:
                await reader.aclose()
            if isinstance(error, AskError):
                self._topology.doubt()
                raise RedisConnectionError("its cluster is moving keys") from error
            if isinstance(error, RedisConnectionError):
                self._topology.doubt()
            raise
        used.pop(stream, None)
        self._idle[stream] = reader
        return answer


class _Reader:
    """A client with one connection, and the number of that connection at the node."""

    def __init__(self, node: Node, parent: Redis, client: Redis, number: int) -> None:
        self.node, self.client = node, client
        self._parent, self._number = parent, number

    @classmethod
    async def connect(cls, node: Node, parent: Redis) -> _Reader:
        client = parent.client()
        await client.initialize()
        return cls(node, parent, client, await client.client_id())

    async def unblock(self) -> None:
        """End its read, which then has no answer, or the one that came before. A read that has ended stays as it is."""
        try:
            await self._parent.client_unblock(self._number)
        except RedisError:
            # It ends after its own time.
            return

    async def aclose(self) -> None:
        await self.client.aclose()
