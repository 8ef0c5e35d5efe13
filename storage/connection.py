"""Connections to the store: limits, retries, subscriptions, and the errors of a store that is not available."""

from __future__ import annotations

import asyncio
import re
from collections.abc import AsyncIterator, Awaitable, Collection, Iterable, Iterator
from contextlib import asynccontextmanager, contextmanager
from datetime import timedelta
from typing import Any

from redis.asyncio import BlockingConnectionPool, ConnectionPool, Redis
from redis.asyncio.retry import Retry
from redis.backoff import ExponentialWithJitterBackoff
from redis.exceptions import (
    AskError,
    InvalidResponse,
    OutOfMemoryError,
    ReadOnlyError,
    RedisError,
    ResponseError,
)
from redis.exceptions import (
    ConnectionError as RedisConnectionError,
)
from redis.exceptions import (
    TimeoutError as RedisTimeoutError,
)
from redis.maint_notifications import MaintNotificationsConfig

from storage.clients.address import Address, Node, parse_address
from storage.clients.cluster import ClusterRedis
from storage.clients.replicas import Replicas, TooFewReplicas
from storage.clients.sentinel import SentinelPool
from storage.clients.topology import Topology
from storage.errors import NotReplicated, StoreRefused, StoreUnavailable
from storage.pipeline import PipeliningRedis

CLIENT_NAME = "flagman"
CONNECTIONS = 64
CONNECT_SECONDS = 2.0
ANSWER_SECONDS = 10.0
# Must be longer than the BLOCK time of any read.
BLOCKING_ANSWER_SECONDS = 40.0
HEALTH_CHECK_SECONDS = 30

UNAVAILABLE = (RedisConnectionError, RedisTimeoutError, InvalidResponse, ReadOnlyError, OutOfMemoryError)
# Error answers of a server that cannot work now; none of them is caused by the command.
REFUSALS = {
    "BUSY": "a script blocks it",
    "UNKILLABLE": "a script blocks it",
    "CLUSTERDOWN": "its cluster is down",
    "LOADING": "it is still loading its data",
    "MASTERDOWN": "its replica has lost the primary",
    "MISCONF": "it cannot save to its disk and takes no writes",
    "NOPERM": "its user lacks a permission that Flagman needs",
    "NOREPLICAS": "it has too few replicas to take a write",
    "OOM": "its memory is full",
    "READONLY": "it is a replica and takes no writes",
    "TRYAGAIN": "its cluster is moving keys",
}
_A_CLUSTER = "it is a node of a cluster, so REDIS_URL must begin with redis+cluster:// or rediss+cluster://"
# Error answers that are caused by the command: they are faults, and trying again does not help.
_FAULTS = {
    "ERR",
    "WRONGTYPE",
    "NOSCRIPT",
    "NOGROUP",
    "BUSYGROUP",
    "BUSYKEY",
    "CROSSSLOT",
    "EXECABORT",
    "NOPROTO",
}
# The first word of an answer; for a command in a pipeline, the client puts the answer into a sentence.
_CODE = re.compile(r"(?:Command # .* of pipeline caused error: \(['\"])?([A-Z]+)\b", re.DOTALL)


def connect(url: str, *, blocking: bool = False, replicas: Replicas | None = None) -> Redis:
    """Return a client for a URL of one of the forms in `parse_address`; answers are bytes. It connects at first use.

    `blocking=True` is for XREADGROUP … BLOCK: it waits up to 40 s for an answer and opens a connection for each reader.
    `replicas` are those that must have what is written by `durable` of the client.
    Close the client with `aclose()`. Raises ValueError for a URL of another form.
    """
    address = parse_address(url)
    limits: dict[str, Any] = {
        "socket_connect_timeout": CONNECT_SECONDS,
        "socket_timeout": BLOCKING_ANSWER_SECONDS if blocking else ANSWER_SECONDS,
        "health_check_interval": HEALTH_CHECK_SECONDS,
        "client_name": CLIENT_NAME,
        "retry": _retry(),
        "protocol": 3,
        # Otherwise each connection sends the version of redis-py to the server, in two more commands.
        "driver_info": None,
        # Otherwise redis-py asks every server for it, and only Redis Enterprise supports it.
        "maint_notifications_config": MaintNotificationsConfig(enabled=False),
    }
    if not url.startswith("unix://"):
        limits["socket_keepalive"] = True
    limits |= address.options
    if address.kind != "cluster":
        return _client(_pool(address, limits, blocking=blocking), blocking=blocking, replicas=replicas)

    def of(node: Node) -> Redis:
        host, port = node
        pool = ConnectionPool(**limits, host=host, port=port)
        return _client(pool, blocking=blocking, replicas=replicas)

    return ClusterRedis(Topology(address.nodes, of), replicated=replicas is not None)


def _pool(address: Address, limits: dict[str, Any], *, blocking: bool) -> ConnectionPool:
    if address.kind == "sentinel":
        return SentinelPool(address, limits, CONNECT_SECONDS)
    if blocking:
        return ConnectionPool(**limits)
    return BlockingConnectionPool(max_connections=CONNECTIONS, timeout=ANSWER_SECONDS, **limits)


def _client(pool: ConnectionPool, *, blocking: bool, replicas: Replicas | None) -> Redis:
    client = (
        Redis(connection_pool=pool) if blocking else PipeliningRedis(connection_pool=pool, replicas=replicas)
    )
    client.auto_close_connection_pool = True
    return client


async def together(asked: Iterable[Awaitable[Any]]) -> list[Any]:
    """Return the answers to commands that are sent at once, each to where its keys are. Raises the first error."""
    return await asyncio.gather(*asked)


def durable(redis: Redis) -> Redis:
    """Return the client for what must not be lost once it is acknowledged: it waits for the replicas asked for."""
    found: Redis = getattr(redis, "durable", redis)
    return found


def _retry() -> Retry:
    """Return the policy that retries making a connection, but no command.

    A refused or missing socket raises Python's own errors. After a lost answer, which raises a RedisError, the command
    may have run, and only the caller knows whether it may be repeated. A time-out is not retried, since people wait.
    """
    backoff = ExponentialWithJitterBackoff(base=0.02, cap=0.5)
    return Retry(backoff, retries=4, supported_errors=(ConnectionError, FileNotFoundError))  # type: ignore[arg-type]


@contextmanager
def reaching_store() -> Iterator[None]:
    """Raise StoreUnavailable for errors of the connection, and StoreRefused for the answers in `REFUSALS`."""
    try:
        yield
    except RedisError as error:
        found = _CODE.match(str(error))
        code = str(getattr(error, "status_code", None) or (found and found[1]))
        if isinstance(error, TooFewReplicas):
            raise NotReplicated(str(error)) from error
        if isinstance(error, AskError):
            raise StoreRefused("MOVED", _A_CLUSTER) from error
        if code in REFUSALS:
            raise StoreRefused(code, REFUSALS[code]) from error
        if isinstance(error, UNAVAILABLE):
            raise StoreUnavailable(str(error) or type(error).__name__) from error
        if isinstance(error, ResponseError) and found and code not in _FAULTS:
            raise StoreRefused(code, "it gives an answer that is not known here") from error
        raise


async def end(tasks: Collection[asyncio.Task[Any]]) -> None:
    """Cancel tasks that use the store, repeatedly until they have ended.

    Redis-py takes a cancellation while it makes a connection for an error of that connection, and tries again.
    """
    left = set(tasks)
    while left:
        for task in left:
            task.cancel()
        _, left = await asyncio.wait(left, timeout=0.2)


async def wait_ready(client: Redis, timeout: timedelta) -> None:
    """Wait until the store answers PING. Raises StoreUnavailable with the last error after `timeout`."""
    loop = asyncio.get_running_loop()
    deadline = loop.time() + timeout.total_seconds()
    while True:
        try:
            async with asyncio.timeout_at(deadline):
                await client.ping()
                return
        except (RedisError, TimeoutError) as error:
            if loop.time() >= deadline:
                raise StoreUnavailable(str(error) or "no answer in time") from error
        await asyncio.sleep(0.05)


@asynccontextmanager
async def subscribe(
    blocking: Redis, pattern: str, *, pause: float = 0
) -> AsyncIterator[AsyncIterator[list[bytes]]]:
    """Yield batches of the messages published from now on to the channels that match `pattern`; no batch is empty.

    Messages that come within `pause` seconds after the first are in its batch, which makes many messages far cheaper.
    Messages published while there is no connection are lost. Raises StoreUnavailable.
    """
    pubsub = blocking.pubsub()
    try:
        with reaching_store():
            await pubsub.psubscribe(pattern)
            # Messages are received from the confirmation on.
            if await pubsub.get_message(timeout=ANSWER_SECONDS) is None:
                raise StoreUnavailable("a subscription was not confirmed")
        yield _messages(pubsub, pause)
    finally:
        await pubsub.aclose()  # type: ignore[no-untyped-call]


async def _messages(pubsub: Any, pause: float) -> AsyncIterator[list[bytes]]:
    while True:
        with reaching_store():
            found = await _next(pubsub, timeout=20)
        if found and pause:
            await asyncio.sleep(pause)
            with reaching_store():
                while more := await _next(pubsub, timeout=0):
                    found += more
        if found:
            yield found


async def _next(pubsub: Any, *, timeout: float) -> list[bytes]:
    """Return the next message as a list; empty if none came in time, or for the confirmation of a reconnection."""
    message = await pubsub.get_message(timeout=timeout)
    return [message["data"]] if message and message["type"] == "pmessage" else []
