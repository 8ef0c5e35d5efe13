"""Scripts that remove what a session has in the store, and what is left of it outside of its partition."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal, cast

from redis.asyncio import Redis

from storage import keys
from storage.keys import TimerKey
from storage.scripts.lua import Script

Outcome = Literal["collected", "changed", "busy"]
# The index of archived sessions, by the time at which they ended in ms since 1970.
ARCHIVED = "archived"

# Atomic because a session of which a part is gone could be neither read nor collected again, and because one that was
# changed since it was archived must stay. A queued job without a state is dropped as it is taken.
_COLLECT = Script("""
local sid, expected, ended, most = ARGV[1], tonumber(ARGV[2]), ARGV[3], tonumber(ARGV[4])
local own, indexes, timers = tonumber(ARGV[5]), tonumber(ARGV[6]), tonumber(ARGV[7])
local log, timer_rows, archived, unbound = unpack(KEYS, 1, 4)
if redis.call('LLEN', log) ~= expected then return 'changed' end
for queue = 0, 1 do
  local state = string.sub(redis.call('HGET', KEYS[5 + 4 * queue], sid) or '', 1, 2)
  if state == 'b:' or state == 'd:' then return 'busy' end
end
for queue = 0, 1 do
  local states, later, tries, troubles = unpack(KEYS, 5 + 4 * queue, 8 + 4 * queue)
  redis.call('HDEL', states, sid)
  redis.call('ZREM', later, sid)
  redis.call('HDEL', tries, sid)
  redis.call('HDEL', troubles, sid)
end
redis.call('UNLINK', log)
for at = 13, 12 + own do redis.call('UNLINK', KEYS[at]) end
for at = 13 + own, 12 + own + indexes do redis.call('ZREM', KEYS[at], sid) end
for at = 8, 7 + timers do redis.call('ZREM', timer_rows, ARGV[at]) end
for at = 8 + timers, #ARGV do redis.call('SADD', unbound, ARGV[at]) end
redis.call('ZADD', archived, ended, sid)
redis.call('ZREMRANGEBYRANK', archived, 0, -(most + 1))
return 'collected'
""")


async def collect(
    redis: Redis,
    session_id: str,
    *,
    expected: int,
    ended_ms: int,
    most: int,
    indexes: Sequence[str],
    timers: Sequence[TimerKey],
    places: Sequence[str],
) -> Outcome:
    """Remove all that a session has in its partition if its log has `expected` events and no worker is at it.

    It is noted as archived, beside at most `most` others. `places` are rows of those whose bindings are still to be
    removed, since they are in other partitions.
    """
    partition = keys.partition_of(session_id)
    own = [keys.snapshot(session_id), keys.projection(session_id), keys.running(session_id)]
    names = [keys.log(session_id), keys.timers(partition), keys.index(partition, ARCHIVED)]
    names.append(keys.unbound_places(partition))
    for queue in (keys.queue(partition, "ready"), keys.queue(partition, "outbox")):
        names += [queue.state, queue.later, queue.tries, queue.troubles]
    names += [*own, *(keys.index(partition, name) for name in indexes)]
    sizes = len(own), len(indexes), len(timers)
    rows = [timer.encode() for timer in timers]
    outcome = await _COLLECT(redis, names, [session_id, expected, ended_ms, most, *sizes, *rows, *places])
    return cast(Outcome, outcome.decode())


# Atomic because another session may be bound to the place between the two steps.
_UNBIND = Script("""
if redis.call('GET', KEYS[1]) == ARGV[1] then redis.call('UNLINK', KEYS[1]) end
return 1
""")


async def unbind(redis: Redis, place: str, session_id: str) -> None:
    """Remove the binding of a place if it is to this session."""
    await _UNBIND(redis, [keys.place(place)], [session_id])


# Atomic because a session that begins in between may name one of the blobs; it adds a row to the index of all sessions.
_FORGET_BLOBS = Script("""
if redis.call('ZCARD', KEYS[2]) ~= tonumber(ARGV[1]) then return 0 end
redis.call('HDEL', KEYS[1], unpack(ARGV, 2))
return 1
""")


async def forget_blobs(redis: Redis, partition: int, digests: Sequence[str], *, sessions: int) -> bool:
    """Remove blobs of a partition if it still has so many sessions. Returns whether it had."""
    names = [keys.blobs(partition), keys.index(partition, "all")]
    return bool(await _FORGET_BLOBS(redis, names, [sessions, *digests]))


# Atomic because two processes may ask for the turn at the same moment, and a late one must not prolong another's.
_TAKE_TURN = Script("""
local holder = redis.call('GET', KEYS[1])
if holder and holder ~= ARGV[1] then return 0 end
redis.call('SET', KEYS[1], ARGV[1], 'PX', ARGV[2])
return 1
""")


async def take_turn(redis: Redis, token: str, *, ttl_ms: int) -> bool:
    """Take the turn to collect, or prolong it. Returns False where another process has it."""
    return bool(await _TAKE_TURN(redis, [keys.collection_turn()], [token, ttl_ms]))


# Atomic because the turn may have expired and be that of another process by now.
_END_TURN = Script("""
if redis.call('GET', KEYS[1]) == ARGV[1] then redis.call('DEL', KEYS[1]) end
return 1
""")


async def end_turn(redis: Redis, token: str) -> None:
    await _END_TURN(redis, [keys.collection_turn()], [token])
