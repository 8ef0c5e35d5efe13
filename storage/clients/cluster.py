"""A client of a cluster: each command goes to the node that has the slot of its keys."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from typing import Any

from redis.asyncio import Redis
from redis.asyncio.client import PubSub
from redis.crc import key_slot
from redis.exceptions import (
    AskError,
    ClusterDownError,
    MovedError,
)
from redis.exceptions import (
    ConnectionError as RedisConnectionError,
)
from redis.exceptions import (
    TimeoutError as RedisTimeoutError,
)

from storage.clients.address import Node
from storage.clients.readers import Readers
from storage.clients.topology import Topology

REDIRECTIONS = 8
# Commands without a key, which any node carries out.
_KEYLESS = frozenset(
    {"ACL", "CLIENT", "CLUSTER", "CONFIG", "INFO", "PING", "PUBLISH", "ROLE", "SCRIPT", "TIME", "WAIT"}
)
Command = Callable[[Redis], Awaitable[Any]]


class ClusterRedis(Redis):
    """A client whose commands each have keys of one slot. It repeats no command that may have been carried out.

    `durable` is this client, or where it is `replicated` one whose commands end when the replicas have them.
    """

    def __init__(self, topology: Topology, *, replicated: bool = False) -> None:
        super().__init__()
        self._topology, self._readers = topology, Readers(topology)
        self._is_durable, self.durable = False, self
        if replicated:
            self.durable = ClusterRedis(topology)
            self.durable._is_durable = True

    def evalsha(self, sha: str, numkeys: int, *keys_and_args: Any) -> Any:
        return self.execute_command("EVALSHA", sha, numkeys, *keys_and_args)

    async def execute_command(self, *args: Any, **options: Any) -> Any:
        key = _key_of(args)

        def run(node: Redis, **more: Any) -> Awaitable[Any]:
            answer: Awaitable[Any] = node.execute_command(*args, **options, **more)  # type: ignore[no-untyped-call]
            return answer

        if key is None:
            return await self._at(self._topology.next_node(), run)
        return await self._at_slot(key_slot(_bytes(key)), run)

    async def on_each(self, command: Command) -> dict[Node, Any]:
        """Return the answers of the nodes that have slots, to a command each."""
        nodes = await self._topology.primaries()
        return dict(
            zip(nodes, await asyncio.gather(*(self._at(node, command) for node in nodes)), strict=True)
        )

    async def scan(  # type: ignore[override]
        self, cursor: Any = 0, match: Any = None, count: Any = None, **_: Any
    ) -> Any:
        """Scan one node after the other; the cursor says which, too."""
        nodes = await self._topology.primaries()
        position, which = divmod(int(cursor), len(nodes))
        found = await self._at(nodes[which], lambda node: node.scan(position, match=match, count=count))
        if following := int(found[0]):
            return following * len(nodes) + which, found[1]
        return (which + 1) % len(nodes), found[1]

    async def xreadgroup(  # type: ignore[override]
        self,
        groupname: Any,
        consumername: Any,
        streams: Mapping[str, str],
        count: int | None = None,
        block: int | None = None,
        **more: Any,
    ) -> Any:
        """Read streams of several slots, each from its node; waits up to `block` ms for the first answer."""

        def read(node: Redis, stream: str) -> Awaitable[Any]:
            wanted: Any = {stream: streams[stream]}
            return node.xreadgroup(groupname, consumername, wanted, count=count, block=block, **more)

        return await self._readers.read(streams, read, waits=block is not None)

    def pubsub(self, **options: Any) -> PubSub:
        """A subscription at one of the nodes, each time at another one; messages reach all of them."""
        return self._topology.client(self._topology.next_node()).pubsub(**options)

    def pipeline(self, *_: Any, **__: Any) -> Any:
        raise NotImplementedError("commands given at once are sent at once; what must be atomic is a script")

    async def aclose(self, close_connection_pool: bool | None = None) -> None:
        await self._readers.aclose()
        await self._topology.aclose()
        await super().aclose(close_connection_pool)

    async def _at_slot(self, slot: int, run: Callable[..., Awaitable[Any]]) -> Any:
        """Run a command at the node that has the slot, wherever it has moved."""
        node, asking = await self._topology.owner(slot), False
        for _ in range(REDIRECTIONS):
            try:
                if asking:
                    return await self._at(node, lambda client: run(client, asking=True))
                return await self._at(node, run)
            except MovedError as moved:
                node, asking = (moved.host or node[0], moved.port), False
                self._topology.move(slot, node)
            except AskError as elsewhere:
                node, asking = (elsewhere.host or node[0], elsewhere.port), True
        raise RedisConnectionError("its cluster names another node for a slot without end")

    async def _at(self, node: Node, command: Command) -> Any:
        client = self._topology.client(node)
        try:
            return await command(client.durable if self._is_durable else client)  # type: ignore[attr-defined]
        except (RedisConnectionError, RedisTimeoutError, ClusterDownError):
            self._topology.doubt()
            raise


def _key_of(args: tuple[Any, ...]) -> Any:
    """The first key of a command; None where it has none."""
    name = str(args[0]).split()[0].upper()
    if name in _KEYLESS or len(args) == 1:
        return None
    return args[3] if name in ("EVAL", "EVALSHA") else args[1]


def _bytes(key: Any) -> bytes:
    return key if isinstance(key, bytes) else str(key).encode()
