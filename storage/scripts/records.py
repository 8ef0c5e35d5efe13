"""Scripts that read a log with its snapshot, and that write rows which only one of several writers may write."""

from __future__ import annotations

from typing import cast

from redis.asyncio import Redis

from storage import keys
from storage.scripts.lua import READ, Script

# Atomic because the events must be those after the snapshot that is read with them.
# Between two reads another writer could replace the snapshot, or the whole log.
_LOAD = Script(READ + "return {read(KEYS[1], KEYS[2], ARGV[1])}")


async def load(
    redis: Redis, session_id: str, *, known: int
) -> tuple[bytes | None, bytes | None, list[bytes], int]:
    """Read the events after the first `known`, or after the snapshot where `known` is 0.

    Returns the version and the state of the snapshot (None where none was read), the events, and the number of all.
    """
    answer = await _LOAD(redis, [keys.log(session_id), keys.snapshot(session_id)], [known])
    return tuple(answer)


# Atomic because only one of two writers that posted the same message may record it.
# The other one must learn of it, to delete its own message.
_RECORD_FIRST = Script("""
local standing = redis.call('HGET', KEYS[1], ARGV[1])
if standing and standing ~= ARGV[2] then return standing end
redis.call('HSET', KEYS[1], ARGV[1], ARGV[3])
return false
""")


async def record_first(redis: Redis, session_id: str, *, key: str, intent: bytes, row: bytes) -> bytes | None:
    """Replace the row `intent` under `key` by `row`. Where there is another row, it stays and is returned."""
    answer = await _RECORD_FIRST(redis, [keys.projection(session_id)], [key, intent, row])
    return cast(bytes | None, answer)


# Atomic because a row that another process wrote or deleted since it was read must not be overwritten.
_REPLACE = Script("""
if redis.call('HGET', KEYS[1], ARGV[1]) ~= ARGV[2] then return 0 end
redis.call('HSET', KEYS[1], ARGV[1], ARGV[3])
return 1
""")


async def replace_row(redis: Redis, table: str, row_id: str, *, before: bytes, row: bytes) -> bool:
    """Replace the row `before` of a table. Returns whether it was still that row."""
    return bool(await _REPLACE(redis, [table], [row_id, before, row]))


# Atomic so that only one of two clocks gets a due row.
# The due time is moved and the row kept, so that the row is due again if that clock dies.
_CLAIM_TIMERS = Script("""
local due = redis.call('ZRANGEBYSCORE', KEYS[1], '-inf', ARGV[1], 'LIMIT', 0, ARGV[3])
for _, row in ipairs(due) do redis.call('ZADD', KEYS[1], ARGV[2], row) end
return due
""")


async def claim_timers(
    redis: Redis, partition: int, *, now_ms: int, hidden_until_ms: int, limit: int
) -> list[bytes]:
    """Return the rows of a partition due at `now_ms`, at most `limit`; other clocks get them at `hidden_until_ms`."""
    arguments = [now_ms, hidden_until_ms, limit]
    return cast(list[bytes], await _CLAIM_TIMERS(redis, [keys.timers(partition)], arguments))
