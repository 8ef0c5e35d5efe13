"""Connections to the store: limits, which errors may be retried, and what an unreachable store is called."""

from __future__ import annotations

import asyncio
import re
from collections.abc import AsyncIterator, Collection, Iterator
from contextlib import asynccontextmanager, contextmanager
from datetime import timedelta
from typing import Any

from redis.asyncio import BlockingConnectionPool, ConnectionPool, Redis
from redis.asyncio.retry import Retry
from redis.backoff import ExponentialWithJitterBackoff
from redis.exceptions import (
    ConnectionError as RedisConnectionError,
)
from redis.exceptions import (
    InvalidResponse,
    OutOfMemoryError,
    ReadOnlyError,
    RedisError,
)
from redis.exceptions import (
    TimeoutError as RedisTimeoutError,
)
from redis.maint_notifications import MaintNotificationsConfig

from storage.errors import StoreRefused, StoreUnavailable
from storage.pipeline import PipeliningRedis

CLIENT_NAME = "flagman"
CONNECTIONS = 64
CONNECT_SECONDS = 2.0
ANSWER_SECONDS = 10.0
# A blocking read adds its own BLOCK time: callers keep that below this limit.
BLOCKING_ANSWER_SECONDS = 40.0
HEALTH_CHECK_SECONDS = 30

UNAVAILABLE = (RedisConnectionError, RedisTimeoutError, InvalidResponse, ReadOnlyError, OutOfMemoryError)
# Answers of a server that is there and cannot do what it is for; none is a fault of the command.
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
# The first word of an answer; that of a command in a pipeline stands in a sentence of the client's.
_CODE = re.compile(r"(?:Command # .* of pipeline caused error: \(['\"])?([A-Z]+)\b", re.DOTALL)


def connect(url: str, *, blocking: bool = False) -> Redis:
    """A client for `redis://`, `rediss://` or `unix://`; answers are bytes. Connects at the first command.

    `blocking=True` is for XREADGROUP … BLOCK: waits up to 40 s for an answer, with as many connections as
    there are readers. Raises ValueError for a URL of another form. Close it with `aclose()`.
    """
    limits = {
        "socket_connect_timeout": CONNECT_SECONDS,
        "socket_timeout": BLOCKING_ANSWER_SECONDS if blocking else ANSWER_SECONDS,
        "health_check_interval": HEALTH_CHECK_SECONDS,
        "client_name": CLIENT_NAME,
        "retry": _retry(),
        "protocol": 3,
        # Asked of every server otherwise, and only Redis Enterprise answers.
        "maint_notifications_config": MaintNotificationsConfig(enabled=False),
    }
    if not url.startswith("unix://"):
        limits["socket_keepalive"] = True
    pool: ConnectionPool
    if blocking:
        pool = ConnectionPool.from_url(url, **limits)
    else:
        pool = BlockingConnectionPool.from_url(
            url, max_connections=CONNECTIONS, timeout=ANSWER_SECONDS, **limits
        )
    return PipeliningRedis.from_pool(pool)


def _retry() -> Retry:
    """Retries making a connection, never a command.

    A refused or absent socket raises Python's own errors; an answer that got lost is a RedisError, and the command
    may have run: only the caller knows whether it may be sent again. A time-out is not retried, since people wait.
    """
    backoff = ExponentialWithJitterBackoff(base=0.02, cap=0.5)
    return Retry(backoff, retries=4, supported_errors=(ConnectionError, FileNotFoundError))  # type: ignore[arg-type]


@contextmanager
def reaching_store() -> Iterator[None]:
    """Turns errors of the connection, and answers that say that the server cannot work now, into StoreUnavailable."""
    try:
        yield
    except RedisError as error:
        found = _CODE.match(str(error))
        code = str(getattr(error, "status_code", None) or (found and found[1]))
        if code in REFUSALS:
            raise StoreRefused(code, REFUSALS[code]) from error
        if isinstance(error, UNAVAILABLE):
            raise StoreUnavailable(str(error) or type(error).__name__) from error
        raise


async def end(tasks: Collection[asyncio.Task[Any]]) -> None:
    """Cancel tasks that use the store until they have ended.

    Once is not enough: redis-py takes a cancellation that falls into the making of a connection for a broken one.
    """
    left = set(tasks)
    while left:
        for task in left:
            task.cancel()
        _, left = await asyncio.wait(left, timeout=0.2)


async def wait_ready(client: Redis, timeout: timedelta) -> None:
    """Return when the store answers PING; raise StoreUnavailable with its last error after `timeout`."""
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
    """Messages published from now on to the channels that match `pattern`, at least one at a time.

    What comes within `pause` seconds after the first is read at once, which costs far less when there is much.
    Nothing is kept for those who are away. Raises StoreUnavailable.
    """
    pubsub = blocking.pubsub()
    try:
        with reaching_store():
            await pubsub.psubscribe(pattern)
            # What is published after the confirmation is heard.
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
    """The next message; empty where none came in time, and for the confirmation after a reconnection."""
    message = await pubsub.get_message(timeout=timeout)
    return [message["data"]] if message and message["type"] == "pmessage" else []
