"""Which commands, keys and feeds the user of the store needs, and which of them it is refused."""

from __future__ import annotations

from typing import Any

from redis.asyncio import Redis
from redis.exceptions import NoPermissionError, RedisError, ResponseError

from storage import keys

_ID = "0-1"
# Each command with arguments that are valid and change nothing but the key of the probe.
_COMMANDS = (
    *("DEL", "EXISTS", "EXPIRE 60", "PEXPIRE 60000", "PTTL", "TYPE", "RENAME {key}:2"),
    *("GET", "GETDEL", "SET 1"),
    *(
        "HDEL f",
        "HEXISTS f",
        "HGET f",
        "HGETALL",
        "HINCRBY f 1",
        "HMGET f",
        "HSCAN 0",
        "HSET f 1",
        "HSETNX f 1",
    ),
    *("LINDEX 0", "LLEN", "LRANGE 0 0", "LREM 1 x", "LTRIM 0 1", "RPUSH x"),
    *("SADD x", "SCARD", "SMEMBERS"),
    *("ZADD 1 x", "ZCARD", "ZPOPMIN", "ZRANGE 0 0", "ZRANGEBYSCORE 0 0", "ZREM x", "ZREMRANGEBYSCORE 0 0"),
    *("ZREVRANGE 0 0", "ZREVRANGEBYSCORE 0 0", "ZSCORE x"),
    *(f"XACK g {_ID}", "XADD * s x", f"XAUTOCLAIM g c 0 {_ID}", f"XCLAIM g c 0 {_ID}", f"XDEL {_ID}", "XLEN"),
    *("XPENDING g", "XRANGE - +", "XINFO|CONSUMERS g", "XGROUP|CREATE g 0", "XGROUP|DELCONSUMER g c"),
)
_KEYLESS = ("INFO server", "TIME", "SCAN 0", "WAIT 0 1", "PING")
_IN_A_CLUSTER = ("CLUSTER|SLOTS", "CLIENT|ID", "CLIENT|UNBLOCK 0")
# The rules of a user that has all of it, and what else a user of a cluster needs.
RULES = (
    f"~{keys.ALL} &{keys.ALL} {' '.join(f'&{pattern}' for pattern in keys.SUBSCRIPTIONS)} "
    "+@read +@write +@pubsub +@scripting +@connection -@dangerous +info +time +wait +config|get"
)
RULES_IN_A_CLUSTER = f"{RULES} +cluster|slots +client|unblock"
_PROBE = "return redis.call('EXISTS', KEYS[1])"


async def missing_permissions(redis: Redis, *, in_cluster: bool) -> list[str]:
    """Return what the user lacks, as in its ACL rules: `+xclaim`, `~flagman:*`, `&flagman:*`. Raises RedisError.

    A key of its own is written and removed.
    """
    key = keys.permission_probe()
    missing: list[str] = []
    for text in (*_KEYLESS, *(_IN_A_CLUSTER if in_cluster else ())):
        name, *arguments = text.split()
        await _try(redis, missing, name, *name.split("|"), *arguments)
    for text in _COMMANDS:
        name, *arguments = text.format(key=key).split()
        await _try(redis, missing, name, *name.split("|"), key, *arguments)
    await _try(redis, missing, "XREADGROUP", "XREADGROUP", "GROUP", "g", "c", "STREAMS", key, ">")
    await _try(redis, missing, "EVAL", "EVAL", _PROBE, 1, key)
    await _try(redis, missing, "EVALSHA", "EVALSHA", "0" * 40, 1, key)
    await _try(redis, missing, "PUBLISH", "PUBLISH", key, "x")
    await _subscribe(redis, missing)
    await _try(redis, missing, "DEL", "DEL", key)
    await _try(redis, missing, "DEL", "DEL", f"{key}:2")
    return list(dict.fromkeys(missing))


async def _try(redis: Redis, missing: list[str], name: str, *command: Any) -> None:
    try:
        await redis.execute_command(*command)  # type: ignore[no-untyped-call]
    except NoPermissionError as error:
        missing.append(_rule(name, error))
    except ResponseError:
        # It was allowed, and there is nothing that it could do.
        return


async def _subscribe(redis: Redis, missing: list[str]) -> None:
    """A pattern must be among the user's rules as it is; that another one contains it does not count."""
    for pattern in keys.SUBSCRIPTIONS:
        pubsub = redis.pubsub()
        try:
            await pubsub.psubscribe(pattern)
            await pubsub.get_message(timeout=1)
        except NoPermissionError as error:
            missing.append("+psubscribe" if _of_command(error) else f"&{pattern}")
        finally:
            await pubsub.aclose()  # type: ignore[no-untyped-call]


def _rule(name: str, error: RedisError) -> str:
    """The rule that allows what was refused."""
    if _of_command(error):
        return f"+{name.lower()}"
    return f"~{keys.ALL}" if " key" in str(error) else f"&{keys.ALL}"


def _of_command(error: RedisError) -> bool:
    """Whether a command was refused, and not what it is about."""
    return " command" in str(error)
