"""Slots of a rate that every process keeps to."""

from __future__ import annotations

from redis.asyncio import Redis

from storage import keys
from storage.scripts.lua import NOW, Script

# Atomic because two callers that find the same slot free would both use it. A caller that waits has its turn stored,
# so that it need not ask before, unless it does not wait; a turn that passed unused is dropped after a minute.
_TAKE_SLOT = Script(
    NOW
    + """
local used, waiting = unpack(KEYS)
local member, interval, burst, waits, time = ARGV[1], tonumber(ARGV[2]), tonumber(ARGV[3]), ARGV[4], now()
local turn = redis.call('ZSCORE', waiting, member)
if turn and tonumber(turn) > time then return tonumber(turn) - time end
local until_ = math.max(tonumber(redis.call('GET', used) or '0'), time)
local wait = until_ - time - (burst - 1) * interval
if wait <= 0 then
  redis.call('ZREM', waiting, member)
  redis.call('SET', used, until_ + interval, 'PX', until_ + interval - time)
  return 0
end
if waits == '0' then return wait end
redis.call('ZREMRANGEBYSCORE', waiting, '-inf', time - 60000)
local last = redis.call('ZREVRANGE', waiting, 0, 0, 'WITHSCORES')
turn = math.max(time + wait, (tonumber(last[2]) or 0) + interval)
redis.call('ZADD', waiting, turn, member)
redis.call('PEXPIRE', waiting, turn - time + 60000)
return turn - time
"""
)


async def take_slot(
    redis: Redis, scope: str, member: str, *, interval_ms: int, burst: int, rank: int, waits: bool
) -> int:
    """Return 0 when a slot of the rate is taken, else the milliseconds until the turn of `member`, if it `waits`."""
    names = [keys.slots(scope), keys.slot_queue(scope, rank)]
    return int(await _TAKE_SLOT(redis, names, [member, interval_ms, burst, int(waits)]))
