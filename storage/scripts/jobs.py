"""Jobs of a queue, from the moment they are queued until they are done or put off.

The state of a session in a queue is `queued`, `b:<token>` (busy), `d:<token>` (busy, and something was appended
meanwhile), or `later` (it waits for its time); no state means that the queue does not hold it.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from redis.asyncio import Redis

from storage import keys
from storage.keys import QueueKeys
from storage.scripts.lua import ENQUEUE, READ, Script

# Atomic because two who enqueue one session at the same time would add two jobs, and one who enqueues while the
# job ends would mark a session dirty that no worker looks at any more.
_ENQUEUE = Script(ENQUEUE + "enqueue(KEYS[1], KEYS[2], KEYS[3], ARGV[1], ARGV[2]); return 1")


async def enqueue(redis: Redis, queue: QueueKeys, session_id: str) -> None:
    """Queue a session, or mark it dirty where a worker is at it, and tell that worker."""
    await _ENQUEUE(redis, [queue.stream, queue.state, queue.later], [session_id, queue.dirty])


# Atomic because the job is marked busy before the log is read: whatever is appended after the reading marks it
# dirty, and so no event falls between the two.
_START = Script(
    READ
    + """
local stream, states, counts, log, snapshot = unpack(KEYS)
local sid, entry, token, known = unpack(ARGV)
local state = redis.call('HGET', states, sid)
if not state or state == 'later' then
  redis.call('XACK', stream, GROUP, entry); redis.call('XDEL', stream, entry)
  return false
end
local tries = 0
if state ~= 'queued' then tries = redis.call('HINCRBY', counts, sid, 1)
else tries = tonumber(redis.call('HGET', counts, sid) or '0') end
redis.call('HSET', states, sid, 'b:'..token)
return {tries, read(log, snapshot, known)}
"""
)


async def start(
    redis: Redis, queue: QueueKeys, *, session_id: str, entry: str, token: str, known: int
) -> tuple[int, bytes | None, bytes | None, list[bytes], int] | None:
    """Mark a taken job busy and read its log after `known` events; None where the job is gone.

    The result is the tries that failed; version and content of the snapshot, where one was read; the events after
    it; how many events there are in all.
    """
    names = [queue.stream, queue.state, queue.tries, keys.log(session_id), keys.snapshot(session_id)]
    answer = await _START(redis, names, [session_id, entry, token, known])
    return None if answer is None else tuple(answer)


# Atomic because a job that is taken over between the look and the renewal would have two workers at it. A stream
# that is lost has no entry that another worker could take.
_CONFIRM = Script("""
local stream, states = unpack(KEYS)
local sid, entry, token = unpack(ARGV)
local state = redis.call('HGET', states, sid)
if state ~= 'b:'..token and state ~= 'd:'..token then return 0 end
local pending = redis.pcall('XPENDING', stream, GROUP, entry, entry, 1)
if pending[1] then redis.call('XCLAIM', stream, GROUP, pending[1][2], 0, entry, 'JUSTID') end
return 1
""")


async def confirm(redis: Redis, queue: QueueKeys, *, session_id: str, entry: str, token: str) -> bool:
    """Renew a lease, if it is still the caller's."""
    return bool(await _CONFIRM(redis, [queue.stream, queue.state], [session_id, entry, token]))


# A lease that was lost to another worker was counted as a failed try; this worker lives, so it was none. A session
# whose log is gone is not queued.
_LOST = """
local function lost(stream, states, later, tries, log, sid)
  if tonumber(redis.call('HGET', tries, sid) or '0') > 0 then redis.call('HINCRBY', tries, sid, -1) end
  if redis.call('EXISTS', log) == 1 then enqueue(stream, states, later, sid, false) end
end
"""

# Atomic because an append between the look at the state and the end of the job would be lost. Where the job is no
# longer ours, what was done since may be older than what the new holder did: the session is looked at once more.
_DONE = Script(
    ENQUEUE
    + _LOST
    + """
local stream, states, later, tries, troubles, log = unpack(KEYS)
local sid, entry, token = unpack(ARGV)
local state = redis.call('HGET', states, sid)
local mine, dirty = state == 'b:'..token, state == 'd:'..token
if not mine and not dirty then
  lost(stream, states, later, tries, log, sid)
  return 0
end
redis.call('XACK', stream, GROUP, entry); redis.call('XDEL', stream, entry)
redis.call('HDEL', tries, sid); redis.call('HDEL', troubles, sid)
if mine then redis.call('HDEL', states, sid); return 1 end
redis.call('HSET', states, sid, 'queued')
redis.call('XADD', stream, '*', 's', sid)
return 1
"""
)


async def done(redis: Redis, queue: QueueKeys, *, session_id: str, entry: str, token: str) -> bool:
    """End a job; a session that is dirty is queued again. False where the job was no longer the caller's."""
    names = [queue.stream, queue.state, queue.later, queue.tries, queue.troubles, keys.log(session_id)]
    return bool(await _DONE(redis, names, [session_id, entry, token]))


# Atomic because the job must be in the stream or in the set of those that come later, never in both or in none:
# then no worker would ever come to it, or two at once.
_RETRY = Script(
    ENQUEUE
    + _LOST
    + """
local stream, states, later, counts, troubles, log = unpack(KEYS)
local sid, entry, token, due, failed, trouble = unpack(ARGV)
local state = redis.call('HGET', states, sid)
if state ~= 'b:'..token and state ~= 'd:'..token then
  lost(stream, states, later, counts, log, sid)
  return -1
end
if trouble ~= '' then redis.call('HSET', troubles, sid, trouble) end
redis.call('XACK', stream, GROUP, entry); redis.call('XDEL', stream, entry)
local tries = 0
if failed == '1' then tries = redis.call('HINCRBY', counts, sid, 1) end
if due == '' or state == 'd:'..token then
  redis.call('HSET', states, sid, 'queued')
  redis.call('XADD', stream, '*', 's', sid)
else
  redis.call('HSET', states, sid, 'later')
  redis.call('ZADD', later, due, sid)
end
return tries
"""
)


async def retry(
    redis: Redis,
    queue: QueueKeys,
    *,
    session_id: str,
    entry: str,
    token: str,
    due_ms: int | None,
    failed: bool,
    trouble: str,
) -> int:
    """Put a job off until `due_ms`, or queue it again at once, as also where something was appended meanwhile.

    `trouble` says why it cannot be done yet; it is listed until the job is done. The result is the tries that failed so
    far; -1 where the job was no longer the caller's, and then the session is looked at once more.
    """
    names = [queue.stream, queue.state, queue.later, queue.tries, queue.troubles, keys.log(session_id)]
    due: Any = "" if due_ms is None else due_ms
    return int(await _RETRY(redis, names, [session_id, entry, token, due, int(failed), trouble]))


# Atomic because a session that is enqueued while it is promoted would have two jobs.
# The same holds for two workers that promote at the same time.
_PROMOTE_DUE = Script("""
local stream, states, later = unpack(KEYS)
local due = redis.call('ZRANGEBYSCORE', later, '-inf', ARGV[1], 'LIMIT', 0, ARGV[2])
for _, sid in ipairs(due) do
  redis.call('ZREM', later, sid)
  redis.call('HSET', states, sid, 'queued')
  redis.call('XADD', stream, '*', 's', sid)
end
return #due
""")


async def promote_due(redis: Redis, queue: QueueKeys, *, now_ms: int, limit: int) -> int:
    """Queue what was to come later and is due, at most `limit`; the result is how many."""
    return int(await _PROMOTE_DUE(redis, [queue.stream, queue.state, queue.later], [now_ms, limit]))


# Atomic because a job that is queued, taken or ended between the look at the stream and the repair would be there
# twice, and two workers would be at one session.
_REPAIR = Script("""
local stream, states, later = unpack(KEYS)
local queued, repaired = {}, 0
for _, entry in ipairs(redis.call('XRANGE', stream, '-', '+')) do queued[entry[2][2]] = true end
for at = 1, #ARGV, 2 do
  local sid, seen = ARGV[at], ARGV[at + 1]
  local held = queued[sid] or (seen == 'later' and redis.call('ZSCORE', later, sid))
  if not held and redis.call('HGET', states, sid) == seen then
    redis.call('HSET', states, sid, 'queued')
    redis.call('XADD', stream, '*', 's', sid)
    repaired = repaired + 1
  end
end
return repaired
""")


async def repair(redis: Redis, queue: QueueKeys, seen: Mapping[str, str]) -> int:
    """Queue the sessions again that have the state in which they were seen and no job; the result is how many."""
    pairs = [part for row in seen.items() for part in row]
    return int(await _REPAIR(redis, [queue.stream, queue.state, queue.later], pairs))


# Atomic because a worker that died between the two steps would leave no job, or two, for a session that is queued.
# A job that was started meanwhile, or taken over, has another state and stays as it is.
_HAND_BACK = Script("""
local stream, states = unpack(KEYS)
local sid, entry = unpack(ARGV)
if redis.call('HGET', states, sid) ~= 'queued' then return 0 end
if redis.call('XACK', stream, GROUP, entry) == 0 then return 0 end
redis.call('XDEL', stream, entry)
redis.call('XADD', stream, '*', 's', sid)
return 1
""")


async def hand_back(redis: Redis, queue: QueueKeys, *, session_id: str, entry: str) -> None:
    """Queue a job again that was taken and not started, at the end of its queue."""
    await _HAND_BACK(redis, [queue.stream, queue.state], [session_id, entry])
