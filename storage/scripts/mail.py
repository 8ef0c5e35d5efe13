"""Scripts of the mailboxes, which are limited by count and bytes: those of a signal, of a sender, and all together.

A row has the bytes, the sender, the mark and the signal of one item, of which the first two are not in the item.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal, cast

from redis.asyncio import Redis

from storage import keys
from storage.scripts.lua import NOW, Script

Kept = Literal["kept", "seen", "full"]

_COUNT = """
local function scopes(row)
  local bytes, sender, signal = string.match(row, '^(%d+) (%x+) %x+ (.*)$')
  return tonumber(bytes), {'all', 'from '..sender, 'for '..signal}
end
local function add(use, name, more)
  if redis.call('HINCRBY', use, name, more) <= 0 then redis.call('HDEL', use, name) end
end
local function count(use, row, sign)
  local bytes, names = scopes(row)
  for _, name in ipairs(names) do
    add(use, 'n '..name, sign)
    add(use, 'b '..name, sign * bytes)
  end
end
"""

# Atomic so that no mark is stored without its item: after a crash between the two, a repeated delivery would be lost.
# The counts change with the items, so they cannot drift apart.
_KEEP = Script(
    NOW
    + _COUNT
    + """
local box, seen, rows, use = unpack(KEYS)
local item, row, ttl, seen_for = unpack(ARGV)
if redis.call('EXISTS', seen) == 1 then
  -- Written again, as the caller waits until replicas have what was written last.
  redis.call('SET', seen, '1', 'KEEPTTL')
  return 'seen'
end
for _, old in ipairs(redis.call('ZRANGEBYSCORE', rows, '-inf', now())) do
  redis.call('ZREM', rows, old)
  count(use, old, -1)
end
local bytes, names = scopes(row)
for at, name in ipairs(names) do
  local number = tonumber(redis.call('HGET', use, 'n '..name) or '0')
  local size = tonumber(redis.call('HGET', use, 'b '..name) or '0')
  if number + 1 > tonumber(ARGV[3 + 2 * at]) or size + bytes > tonumber(ARGV[4 + 2 * at]) then return 'full' end
end
redis.call('SET', seen, '1', 'EX', seen_for)
redis.call('ZADD', rows, now() + ttl * 1000, row)
count(use, row, 1)
redis.call('RPUSH', box, item)
redis.call('LTRIM', box, -tonumber(redis.call('HGET', use, 'n '..names[3])), -1)
redis.call('EXPIRE', box, ttl)
return 'kept'
"""
)


async def keep(
    redis: Redis,
    signal: str,
    mark: str,
    *,
    item: bytes,
    row: str,
    ttl: int,
    seen_for: int,
    limits: Sequence[int],
) -> Kept:
    """Keep an item in a mailbox for `ttl` seconds, unless its mark was set in the last `seen_for` seconds.

    `limits` are the most items and bytes of all mailboxes, of one sender and of one signal. Nothing is changed where
    one would be exceeded. What has expired no longer counts.
    """
    names = [keys.mailbox(signal), keys.mailbox_seen(mark), keys.mailbox_rows(), keys.mailbox_use()]
    return cast(Kept, (await _KEEP(redis, names, [item, row, ttl, seen_for, *limits])).decode())


# Atomic so that an item that is removed is counted out once.
REMOVE = Script(
    _COUNT
    + """
local box, rows, use = unpack(KEYS)
local item, row = unpack(ARGV)
if redis.call('LREM', box, 1, item) == 0 then return 0 end
if redis.call('ZREM', rows, row) == 1 then count(use, row, -1) end
return 1
"""
)


async def remove(redis: Redis, signal: str, *, item: bytes, row: str) -> bool:
    """Remove an item. Returns False where it was removed before."""
    names = [keys.mailbox(signal), keys.mailbox_rows(), keys.mailbox_use()]
    return bool(await REMOVE(redis, names, [item, row]))
