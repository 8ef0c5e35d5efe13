"""Scripts for the jobs of a queue.

The state of a session in a queue is `queued`, `b:<token>` (busy), `d:<token>` (dirty: busy, and another writer has
appended since), or `later` (to be queued at its due time). A session without a state is not in the queue.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from redis.asyncio import Redis

from storage import keys
from storage.keys import QueueKeys
from storage.scripts.lua import ENQUEUE, NOW, READ, Known, Script

# Atomic because two writers that enqueue a session at the same time would add two jobs, and one that enqueues it while
# its job ends would mark a session as dirty that no worker has any more.
_ENQUEUE = Script(ENQUEUE + "enqueue(KEYS[1], KEYS[2], KEYS[3], ARGV[1], ARGV[2]); return 1")


async def enqueue(redis: Redis, queue: QueueKeys, session_id: str) -> None:
    """Queue a session; where a worker has it, mark it as dirty and publish its id to that worker."""
    await _ENQUEUE(redis, [queue.stream, queue.state, queue.later], [session_id, queue.dirty])


# Atomic because an event appended between reading the log and marking the job as busy would be missed. Events appended
# after both mark the job as dirty.
_START = Script(
    READ
    + """
local stream, states, counts, log, snapshot = unpack(KEYS)
local sid, entry, token, known, mark = unpack(ARGV)
local state = redis.call('HGET', states, sid)
if not state or state == 'later' then
  redis.call('XACK', stream, GROUP, entry); redis.call('XDEL', stream, entry)
  return false
end
local tries = 0
if state ~= 'queued' then tries = redis.call('HINCRBY', counts, sid, 1)
else tries = tonumber(redis.call('HGET', counts, sid) or '0') end
redis.call('HSET', states, sid, 'b:'..token)
return {tries, read(log, snapshot, known, mark)}
"""
)


async def start(
    redis: Redis, queue: QueueKeys, *, session_id: str, entry: str, token: str, known: Known
) -> tuple[int, bytes | None, bytes | None, list[bytes], int] | None:
    """Mark a taken job as busy and read its log after the `known` events. Returns None where the job is gone.

    Returns the number of failed tries, the version and the state of the snapshot (None where none was read), the
    events after it, and the number of all events.
    """
    names = [queue.stream, queue.state, queue.tries, keys.log(session_id), keys.snapshot(session_id)]
    answer = await _START(redis, names, [session_id, entry, token, *known])
    return None if answer is None else tuple(answer)


# Atomic because a job that is taken over between the check and the renewal would have two workers. Without the entry,
# in a stream that was lost, no other worker can take the job.
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
    """Renew a lease if the caller still holds it. Returns whether it does."""
    return bool(await _CONFIRM(redis, [queue.stream, queue.state], [session_id, entry, token]))


# When another worker took the lease over, a failed try was counted, which is undone here since this worker is alive.
# A session without a log is not queued.
_LOST = """
local function lost(stream, states, later, tries, log, sid)
  if tonumber(redis.call('HGET', tries, sid) or '0') > 0 then redis.call('HINCRBY', tries, sid, -1) end
  if redis.call('EXISTS', log) == 1 then enqueue(stream, states, later, sid, false) end
end
"""

# Atomic because an append between reading the state and ending the job would be missed. Where the caller has lost the
# job, its work may have overwritten newer work of the new holder, so the session is queued once more.
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
    """End a job; a dirty session is queued again. Returns False where the caller had lost the job."""
    names = [queue.stream, queue.state, queue.later, queue.tries, queue.troubles, keys.log(session_id)]
    return bool(await _DONE(redis, names, [session_id, entry, token]))


# Atomic because the job must be either in the stream or in the set `later`: in both, two workers would take it, in
# neither, none would.
_RETRY = Script(
    ENQUEUE
    + NOW
    + _LOST
    + """
local stream, states, later, counts, troubles, log = unpack(KEYS)
local sid, entry, token, wait, failed, trouble = unpack(ARGV)
local state = redis.call('HGET', states, sid)
if state ~= 'b:'..token and state ~= 'd:'..token then
  lost(stream, states, later, counts, log, sid)
  return -1
end
if trouble ~= '' then redis.call('HSET', troubles, sid, trouble) end
redis.call('XACK', stream, GROUP, entry); redis.call('XDEL', stream, entry)
local tries = 0
if failed == '1' then tries = redis.call('HINCRBY', counts, sid, 1) end
if wait == '' or state == 'd:'..token then
  redis.call('HSET', states, sid, 'queued')
  redis.call('XADD', stream, '*', 's', sid)
else
  redis.call('HSET', states, sid, 'later')
  redis.call('ZADD', later, now() + tonumber(wait), sid)
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
    wait_ms: int | None,
    failed: bool,
    trouble: str,
) -> int:
    """Put a job off for `wait_ms`, or queue it again at once, as also where something was appended meanwhile.

    `trouble` is the reason why it cannot be done yet, which is listed until the job is done. Returns the number of
    failed tries so far, or -1 where the caller had lost the job; then the session is queued once more.
    """
    names = [queue.stream, queue.state, queue.later, queue.tries, queue.troubles, keys.log(session_id)]
    wait: Any = "" if wait_ms is None else wait_ms
    return int(await _RETRY(redis, names, [session_id, entry, token, wait, int(failed), trouble]))


# Atomic because a session that is enqueued while it is promoted would have two jobs, and so would one that two workers
# promote at the same time.
_PROMOTE_DUE = Script(
    NOW
    + """
local stream, states, later = unpack(KEYS)
local due = redis.call('ZRANGEBYSCORE', later, '-inf', now(), 'LIMIT', 0, ARGV[1])
for _, sid in ipairs(due) do
  redis.call('ZREM', later, sid)
  redis.call('HSET', states, sid, 'queued')
  redis.call('XADD', stream, '*', 's', sid)
end
return #due
"""
)


async def promote_due(redis: Redis, queue: QueueKeys, *, limit: int) -> int:
    """Queue at most `limit` sessions of the set `later` that are due. Returns how many."""
    return int(await _PROMOTE_DUE(redis, [queue.stream, queue.state, queue.later], [limit]))


# Atomic because a job that is queued, taken or ended between reading the stream and the repair would be added twice,
# and two workers would have one session.
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
    """Queue sessions again that have no job and still the state in `seen`. Returns how many."""
    pairs = [part for row in seen.items() for part in row]
    return int(await _REPAIR(redis, [queue.stream, queue.state, queue.later], pairs))


# Atomic because a worker that died between the steps would leave a queued session with no job or with two.
# A job that was started or taken over in the meantime has another state and is not changed.
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
    """Return a job that was taken and not started to the end of its queue."""
    await _HAND_BACK(redis, [queue.stream, queue.state], [session_id, entry])
