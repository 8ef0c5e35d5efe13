"""Reads the version, the clock and the durability settings of the store."""

from __future__ import annotations

import time
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

from redis.asyncio import Redis
from redis.exceptions import ResponseError

from storage import keys
from storage.connection import reaching_store
from storage.errors import StoreRefused


@dataclass(frozen=True)
class StoreHealth:
    """State of the store; `ahead` is its clock minus that of this machine, an unknown setting is None."""

    server: str
    ahead: timedelta
    round_trip: timedelta
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
    name = "Valkey" if "valkey_version" in info else "Redis"
    version = info.get("valkey_version") or info.get("redis_version", "?")
    appendonly = await _setting(redis, "appendonly")
    fsync = await _setting(redis, "appendfsync")
    synced = None if appendonly is None else "off" if appendonly == "no" else fsync
    return StoreHealth(f"{name} {version}", ahead, took, synced, await _setting(redis, "maxmemory-policy"))


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


async def _setting(redis: Redis, name: str) -> str | None:
    """Return a setting of the server; None where it is unknown or not readable, as on many hosted servers."""
    try:
        with reaching_store():
            found: Any = await redis.config_get(name)
    except StoreRefused as error:
        if error.reply_code != "NOPERM":
            raise
        return None
    except ResponseError:
        return None
    return str(found[name]) if name in found else None
