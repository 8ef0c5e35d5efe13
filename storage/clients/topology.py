"""Which node of a cluster has which slot, and a client for each node."""

from __future__ import annotations

import asyncio
import itertools
from collections.abc import Callable, Sequence
from typing import Any

from redis.asyncio import Redis
from redis.exceptions import ConnectionError as RedisConnectionError
from redis.exceptions import RedisError

from storage.clients.address import Node

SLOTS = 16384
# The longest time in which a node says which has which slot.
TOLD_SECONDS = 3.0


class Topology:
    """The slots as they were told last; they are read again after `doubt`. `make` makes the client of a node."""

    def __init__(self, seeds: Sequence[Node], make: Callable[[Node], Redis]) -> None:
        self._seeds, self._make = tuple(seeds), make
        self._clients: dict[Node, Redis] = {}
        self._owners: dict[int, Node] = {}
        # Those of the last answer, also while there is doubt.
        self._primaries: list[Node] = []
        self._replicas: list[Node] = []
        self._reading: asyncio.Task[None] | None = None
        self._turns = itertools.count()

    @property
    def nodes(self) -> list[Node]:
        """The nodes known, those with slots first, in the order of their first slots; the seeds are last."""
        return list(dict.fromkeys([*self._primaries, *self._replicas, *self._seeds]))

    async def primaries(self) -> list[Node]:
        """The nodes that have slots, in the order of their first ones. Raises RedisConnectionError."""
        if not self._owners:
            await self._read()
        return self._primaries

    async def owner(self, slot: int) -> Node:
        """The node that has a slot. Raises RedisConnectionError where none is known."""
        if slot not in self._owners:
            await self._read()
        if (found := self._owners.get(slot)) is None:
            raise RedisConnectionError("its cluster has no node for some of its slots")
        return found

    def client(self, node: Node) -> Redis:
        if node not in self._clients:
            self._clients[node] = self._make(node)
        return self._clients[node]

    def next_node(self) -> Node:
        """One of the nodes, each time another one."""
        nodes = self.nodes
        return nodes[next(self._turns) % len(nodes)]

    def move(self, slot: int, node: Node) -> None:
        """Remember that a node has a slot, and read the others again, since a slot seldom moves alone."""
        self.doubt()
        self._owners[slot] = node

    def doubt(self) -> None:
        """Read the slots again before the next command: a node cannot be reached, or has lost slots."""
        self._owners.clear()

    async def aclose(self) -> None:
        if self._reading:
            self._reading.cancel()
            await asyncio.gather(self._reading, return_exceptions=True)
        for client in self._clients.values():
            await client.aclose()

    async def _read(self) -> None:
        """Read the slots, once for all who wait for them."""
        if self._reading is None or self._reading.done():
            self._reading = asyncio.create_task(self._read_anywhere())
        await asyncio.shield(self._reading)

    async def _read_anywhere(self) -> None:
        """Ask one node after the other, beginning with another one each time, since one may have an old view."""
        nodes = self.nodes
        first = next(self._turns) % len(nodes)
        problem: Exception = RedisConnectionError("its cluster has no node for any slot")
        for node in nodes[first:] + nodes[:first]:
            try:
                async with asyncio.timeout(TOLD_SECONDS):
                    rows: Any = await self.client(node).execute_command("CLUSTER", "SLOTS")  # type: ignore[no-untyped-call]
            except (RedisError, OSError) as error:
                problem = error
                continue
            if rows:
                self._take(node, rows)
                return
        if isinstance(problem, RedisError):
            raise problem
        raise RedisConnectionError(str(problem) or "no node of its cluster answers") from problem

    def _take(self, told_by: Node, rows: Any) -> None:
        primaries, replicas = [], []
        for first, last, primary, *others in sorted(rows, key=lambda row: row[0]):
            primaries.append(_named(primary, told_by))
            replicas += [_named(one, told_by) for one in others]
            self._owners |= dict.fromkeys(range(first, last + 1), primaries[-1])
        self._primaries, self._replicas = list(dict.fromkeys(primaries)), list(dict.fromkeys(replicas))


def _named(row: Any, told_by: Node) -> Node:
    """The address of a node; one without a host is at the host that told of it."""
    host = row[0].decode() if isinstance(row[0], bytes) else row[0]
    return (host if host and host != "?" else told_by[0]), int(row[1])
