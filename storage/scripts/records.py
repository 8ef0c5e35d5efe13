"""Scripts that read a log with its snapshot, and that write rows which only one of several writers may write."""

from __future__ import annotations

from datetime import timedelta
from typing import cast

from redis.asyncio import Redis

from storage import keys
from storage.scripts.lua import NOW, READ, Known, Script

# Atomic because the events must be those after the snapshot that is read with them.
# Between two reads another writer could replace the snapshot, or the whole log.
_LOAD = Script(READ + "return {read(KEYS[1], KEYS[2], ARGV[1], ARGV[2])}")


async def load(
    redis: Redis, session_id: str, *, known: Known
) -> tuple[bytes | None, bytes | None, list[bytes], int]:
    """Read the events after the `known` ones, or after the snapshot where none is known.

    Returns the version and the state of the snapshot (None where none was read), the events, and the number of all.
    """
    answer = await _LOAD(redis, [keys.log(session_id), keys.snapshot(session_id)], [*known])
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


# Atomic because two processes may record refusals of one actor, and neither may be lost or exceed the limit.
# The rows of an actor are one value, so that the script touches the named keys alone.
_REFUSE = Script(
    NOW
    + """
local at, rows, standing = now(), {}, redis.call('HGET', KEYS[1], ARGV[1])
for _, row in ipairs(standing and cjson.decode(standing) or {}) do
  if row.what == ARGV[2] and at - row.at < tonumber(ARGV[4]) then return 0 end
  rows[#rows + 1] = row
end
local number = redis.call('HINCRBY', KEYS[3], 'number', 1)
table.insert(rows, 1, {what = ARGV[2], at = at, number = number, row = ARGV[3]})
while #rows > tonumber(ARGV[5]) do table.remove(rows) end
redis.call('HSET', KEYS[1], ARGV[1], cjson.encode(rows))
redis.call('ZADD', KEYS[2], at, ARGV[1])
while redis.call('ZCARD', KEYS[2]) > tonumber(ARGV[6]) do
  redis.call('HDEL', KEYS[1], redis.call('ZPOPMIN', KEYS[2])[1])
end
return 1
"""
)


async def add_refusal(
    redis: Redis, *, actor: str, what: str, row: bytes, apart_ms: int, most_of_one: int, most_actors: int
) -> bool:
    """Store a row of an actor, unless it has one about `what` that is younger than `apart_ms`.

    The latest rows of an actor stay, and the actors that were refused last. Returns whether it was stored.
    """
    names = [keys.refusals(), keys.refused_actors(), keys.refusal_numbers()]
    arguments = [actor, what, row, apart_ms, most_of_one, most_actors]
    return bool(await _REFUSE(redis, names, arguments))


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


# Atomic because two requests with one key must get one place, and a place without an expiry would stay for good.
_DECIDE_PLACE = Script("""
redis.call('SET', KEYS[1], ARGV[1], 'NX')
redis.call('EXPIRE', KEYS[1], ARGV[2])
return redis.call('GET', KEYS[1])
""")


async def decide_place(redis: Redis, name: str, chosen: int, *, ttl: timedelta) -> int:
    """Store the partition `chosen` under a key that has none. Returns the one that is stored, for `ttl` from now on."""
    return int(await _DECIDE_PLACE(redis, [name], [chosen, int(ttl.total_seconds())]))


# Atomic because rows without an expiry would stay for good.
_PUT_RUNNING = Script("""
redis.call('HSET', KEYS[1], ARGV[1], ARGV[2])
redis.call('PEXPIRE', KEYS[1], ARGV[3])
redis.call('PUBLISH', ARGV[4], ARGV[5])
return 1
""")


async def put_running(redis: Redis, session_id: str, call_id: str, row: bytes, *, ttl: timedelta) -> None:
    """Replace the row of a running call, keep those of its session for `ttl`, and publish the id of the session."""
    feed = keys.running_channel(keys.partition_of(session_id))
    milliseconds = int(ttl.total_seconds() * 1000)
    await _PUT_RUNNING(redis, [keys.running(session_id)], [call_id, row, milliseconds, feed, session_id])
