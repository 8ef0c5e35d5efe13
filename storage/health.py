"""Reads the kind of the store, its version, its clock, its replicas and its durability settings."""

from __future__ import annotations

import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

from redis.asyncio import Redis
from redis.exceptions import ResponseError

from storage import keys
from storage.clients.cluster import ClusterRedis
from storage.clients.sentinel import SentinelPool
from storage.connection import reaching_store
from storage.errors import StoreRefused


@dataclass(frozen=True)
class StoreHealth:
    """State of the store; `ahead` is its clock minus that of this machine, an unknown setting is None.

    `form` says what it consists of, and `replicas` how many the primary with the fewest has.
    """

    server: str
    form: str
    ahead: timedelta
    round_trip: timedelta
    replicas: int
    synced: str | None
    evicts: str | None


async def health(redis: Redis) -> StoreHealth:
    """Read the state of the store. Raises StoreUnavailable."""
    with reaching_store():
        began = time.monotonic()
        seconds, micros = await redis.time()
        took = timedelta(seconds=time.monotonic() - began)
        theirs = datetime.fromtimestamp(seconds, UTC) + timedelta(microseconds=micros)
        ahead = theirs - (datetime.now(UTC) - took / 2)
        info: Any = await redis.info("server")
        of_each = await _each(redis, lambda node: node.info("replication"))
    name = "Valkey" if "valkey_version" in info else "Redis"
    version = info.get("valkey_version") or info.get("redis_version", "?")
    replicas = min(int(row.get("connected_slaves", 0)) for row in of_each)
    form = _form(redis, len(of_each))
    appendonly = await _setting(redis, "appendonly", "no")
    fsync = await _setting(redis, "appendfsync", "no", "everysec")
    synced = None if appendonly is None else "off" if appendonly == "no" else fsync
    evicts = await _setting(redis, "maxmemory-policy")
    return StoreHealth(f"{name} {version}", form, ahead, took, replicas, synced, evicts)


def _form(redis: Redis, primaries: int) -> str:
    if isinstance(redis, ClusterRedis):
        return f"a cluster of {primaries} {'primary' if primaries == 1 else 'primaries'}"
    return "a primary by Sentinel" if isinstance(redis.connection_pool, SentinelPool) else ""


async def check_writes(redis: Redis) -> None:
    """Write a key, to learn whether the store takes writes. Raises StoreUnavailable where it does not."""
    with reaching_store():
        await redis.set(keys.WRITE_PROBE, "1", ex=60)


async def eviction(redis: Redis) -> str | None:
    """Return the policy by which the store evicts keys when its memory is full. Raises StoreUnavailable.

    Returns None where it evicts none, has no memory limit, or does not tell its settings.
    """
    policy, limit = await _setting(redis, "maxmemory-policy"), await _setting(redis, "maxmemory")
    return None if policy in (None, "noeviction") or limit in (None, "0") else policy


async def _each(redis: Redis, command: Callable[[Redis], Awaitable[Any]]) -> list[Any]:
    """Return the answers of all primaries, of which one server is the only one."""
    if isinstance(redis, ClusterRedis):
        return list((await redis.on_each(command)).values())
    return [await command(redis)]


async def _setting(redis: Redis, name: str, *worst: str) -> str | None:
    """Return a setting of the server; None where it is unknown or not readable, as on many hosted servers.

    Where the nodes of a cluster differ, it is the first of `worst` that one has, or what differs from the first node.
    """
    try:
        with reaching_store():
            found = await _each(redis, lambda node: node.config_get(name))
    except StoreRefused as error:
        if error.reply_code != "NOPERM":
            raise
        return None
    except ResponseError:
        return None
    values = [str(row[name]) for row in found if name in row]
    bad = [value for value in worst if value in values] or [v for v in values if v != values[0]] or values
    return bad[0] if bad else None
