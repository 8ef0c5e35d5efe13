"""The Lua scripts. Each is one atomic step; the functions that call them are in `log` and `queue`."""

from __future__ import annotations

# Shared by every script that puts a session into a queue.
_ENQUEUE = """
local function enqueue(stream, sid, channel)
  local state = redis.call('HGET', stream..':state', sid)
  if not state or state == 'later' then
    if state then redis.call('ZREM', stream..':later', sid) end
    redis.call('HSET', stream..':state', sid, 'queued')
    redis.call('XADD', stream, '*', 's', sid)
  elseif state ~= 'queued' then
    redis.call('HSET', stream..':state', sid, 'd:'..string.sub(state, 3))
    if channel then redis.call('PUBLISH', channel, sid) end
  end
end
"""

# KEYS: log, partition tag. ARGV: sid, expected version, idempotency key, its value, its ttl in s,
# own lease token, number of events, events…, number of logs begun with it, their session ids…, then operations,
# which are about the session of the log until `for` names another.
# Returns {ok, version or the stored idempotency value, released}.
# Atomic because the version is the fence: events, indexes, timers and queues move together or not at all, and so
# do the logs of the sessions that this one launches.
APPEND = (
    _ENQUEUE
    + """
local tag, sid, expected = KEYS[2], ARGV[1], tonumber(ARGV[2])
if ARGV[3] ~= '' then
  local known = redis.call('GET', tag..':idem:'..ARGV[3])
  if known then return {'known', known, 0} end
end
local version = redis.call('LLEN', KEYS[1])
if ARGV[6] ~= '' and string.sub(redis.call('HGET', tag..':ready:state', sid) or '', 3) ~= ARGV[6] then
  return {'lost', version, 0}
end
if version ~= expected then return {'conflict', version, 0} end
local first = 9 + tonumber(ARGV[7])
local births = tonumber(ARGV[first - 1])
for k = first, first + births - 1 do
  if redis.call('EXISTS', tag..':log:'..ARGV[k]) == 1 then return {'conflict', version, 0} end
end
if ARGV[3] ~= '' then redis.call('SET', tag..':idem:'..ARGV[3], ARGV[4], 'EX', ARGV[5]) end
local n, i = tonumber(ARGV[7]), 8
for k = 1, n do
  version = redis.call('RPUSH', KEYS[1], ARGV[i])
  i = i + 1
end
redis.call('PUBLISH', tag..':changed', sid)
local released = 0
i = first + births
while i <= #ARGV do
  local op = ARGV[i]
  if op == 'index' then
    redis.call('ZADD', tag..':idx:'..ARGV[i+1], ARGV[i+2], sid); i = i + 3
  elseif op == 'unindex' then
    redis.call('ZREM', tag..':idx:'..ARGV[i+1], sid); i = i + 2
  elseif op == 'timer' then
    redis.call('ZADD', tag..':timers', ARGV[i+2], ARGV[i+1])
    redis.call('PUBLISH', 'flagman:timer', ARGV[i+2]); i = i + 3
  elseif op == 'untimer' then
    redis.call('ZREM', tag..':timers', ARGV[i+1]); i = i + 2
  elseif op == 'blob' then
    redis.call('HSETNX', tag..':blobs', ARGV[i+1], ARGV[i+2]); i = i + 3
  elseif op == 'for' then
    sid = ARGV[i+1]; i = i + 2
  elseif op == 'push' then
    redis.call('RPUSH', tag..':log:'..sid, ARGV[i+1])
    redis.call('PUBLISH', tag..':changed', sid); i = i + 2
  elseif op == 'enqueue' then
    local stream = tag..':'..ARGV[i+1]
    local state = redis.call('HGET', stream..':state', sid)
    if ARGV[6] == '' or not state or string.sub(state, 3) ~= ARGV[6] then
      enqueue(stream, sid, tag..':dirty')
    end
    i = i + 2
  elseif op == 'release' then
    local stream = tag..':ready'
    if redis.call('HGET', stream..':state', sid) == 'b:'..ARGV[6] then
      redis.call('HDEL', stream..':state', sid)
      redis.call('HDEL', stream..':tries', sid)
      redis.call('XACK', stream, 'flagman', ARGV[i+1])
      redis.call('XDEL', stream, ARGV[i+1])
      released = 1
    end
    i = i + 2
  else
    return redis.error_reply('unknown operation '..tostring(op))
  end
end
return {'ok', version, released}
"""
)

# KEYS: stream. ARGV: sid, channel or ''.
ENQUEUE = _ENQUEUE + "enqueue(KEYS[1], ARGV[1], ARGV[2] ~= '' and ARGV[2]); return 1"

# KEYS: stream, log, snapshot. ARGV: sid, entry id, token, version known to the caller.
# Marks the job busy before the log is read, so that whatever is appended later marks it dirty.
# Returns {tries or -1 where the job is gone, snapshot version, snapshot, events, how many events there are in all}.
START = """
local state = redis.call('HGET', KEYS[1]..':state', ARGV[1])
if not state or state == 'later' then
  redis.call('XACK', KEYS[1], 'flagman', ARGV[2]); redis.call('XDEL', KEYS[1], ARGV[2])
  return {-1}
end
local tries = 0
if state ~= 'queued' then tries = redis.call('HINCRBY', KEYS[1]..':tries', ARGV[1], 1)
else tries = tonumber(redis.call('HGET', KEYS[1]..':tries', ARGV[1]) or '0') end
redis.call('HSET', KEYS[1]..':state', ARGV[1], 'b:'..ARGV[3])
local known, snap = tonumber(ARGV[4]), {false, false}
if known == 0 then
  snap = redis.call('HMGET', KEYS[3], 'version', 'state')
  if snap[1] then known = tonumber(snap[1]) end
end
return {tries, snap[1], snap[2], redis.call('LRANGE', KEYS[2], known, -1), redis.call('LLEN', KEYS[2])}
"""

# KEYS: log, snapshot. ARGV: version known to the caller.
# Returns {snapshot version, snapshot, events, how many events there are in all}.
LOAD = """
local known, snap = tonumber(ARGV[1]), {false, false}
if known == 0 then
  snap = redis.call('HMGET', KEYS[2], 'version', 'state')
  if snap[1] then known = tonumber(snap[1]) end
end
return {snap[1], snap[2], redis.call('LRANGE', KEYS[1], known, -1), redis.call('LLEN', KEYS[1])}
"""

# KEYS: stream. ARGV: sid, entry id, token. Returns 1 done, 2 dirty and queued again, 0 no longer ours: what was done
# since may be older than what the new holder did, so the session is looked at once more.
DONE = (
    _ENQUEUE
    + """
local state = redis.call('HGET', KEYS[1]..':state', ARGV[1])
local mine, dirty = state == 'b:'..ARGV[3], state == 'd:'..ARGV[3]
if not mine and not dirty then
  enqueue(KEYS[1], ARGV[1])
  return 0
end
redis.call('XACK', KEYS[1], 'flagman', ARGV[2]); redis.call('XDEL', KEYS[1], ARGV[2])
redis.call('HDEL', KEYS[1]..':tries', ARGV[1])
if mine then redis.call('HDEL', KEYS[1]..':state', ARGV[1]); return 1 end
redis.call('HSET', KEYS[1]..':state', ARGV[1], 'queued')
redis.call('XADD', KEYS[1], '*', 's', ARGV[1])
return 2
"""
)

# KEYS: stream. ARGV: sid, entry id, token, due in ms ('' hands it back at once), count it as a failed try.
# Returns the number of tries, or -1 where the job is no longer ours (and is looked at once more, as in DONE).
RETRY = (
    _ENQUEUE
    + """
local state = redis.call('HGET', KEYS[1]..':state', ARGV[1])
local mine, dirty = state == 'b:'..ARGV[3], state == 'd:'..ARGV[3]
if not mine and not dirty then
  enqueue(KEYS[1], ARGV[1])
  return -1
end
redis.call('XACK', KEYS[1], 'flagman', ARGV[2]); redis.call('XDEL', KEYS[1], ARGV[2])
local tries = 0
if ARGV[5] == '1' then tries = redis.call('HINCRBY', KEYS[1]..':tries', ARGV[1], 1) end
if ARGV[4] == '' then
  redis.call('HSET', KEYS[1]..':state', ARGV[1], 'queued')
  redis.call('XADD', KEYS[1], '*', 's', ARGV[1])
else
  redis.call('HSET', KEYS[1]..':state', ARGV[1], 'later')
  redis.call('ZADD', KEYS[1]..':later', ARGV[4], ARGV[1])
end
return tries
"""
)

# KEYS: stream. ARGV: now in ms, limit. Moves what is due from later to the stream; returns how many.
PUMP = """
local due = redis.call('ZRANGEBYSCORE', KEYS[1]..':later', '-inf', ARGV[1], 'LIMIT', 0, ARGV[2])
for _, sid in ipairs(due) do
  redis.call('ZREM', KEYS[1]..':later', sid)
  redis.call('HSET', KEYS[1]..':state', sid, 'queued')
  redis.call('XADD', KEYS[1], '*', 's', sid)
end
return #due
"""

# KEYS: stream. ARGV: sid, entry id, token, why. Takes a job that fails again and again out of the queue.
PARK = """
local state = redis.call('HGET', KEYS[1]..':state', ARGV[1])
if state ~= 'b:'..ARGV[3] and state ~= 'd:'..ARGV[3] then return 0 end
redis.call('XACK', KEYS[1], 'flagman', ARGV[2]); redis.call('XDEL', KEYS[1], ARGV[2])
redis.call('HDEL', KEYS[1]..':state', ARGV[1]); redis.call('HDEL', KEYS[1]..':tries', ARGV[1])
redis.call('HSET', KEYS[1]..':parked', ARGV[1], ARGV[4])
return 1
"""

# KEYS: projection rows. ARGV: message key, the intent, the row that takes its place. Returns the row that stands
# there instead of the intent, if another writer was first.
RECORD_FIRST = """
local standing = redis.call('HGET', KEYS[1], ARGV[1])
if standing and standing ~= ARGV[2] then return standing end
redis.call('HSET', KEYS[1], ARGV[1], ARGV[3])
return false
"""

# KEYS: timers. ARGV: now in ms, hidden until in ms, limit. Atomic so that two clocks never get the same row.
CLAIM_TIMERS = """
local due = redis.call('ZRANGEBYSCORE', KEYS[1], '-inf', ARGV[1], 'LIMIT', 0, ARGV[3])
for _, row in ipairs(due) do redis.call('ZADD', KEYS[1], ARGV[2], row) end
return due
"""

# KEYS: mailbox, seen mark. ARGV: item, ttl in s, how long an id is known in s, most items. Returns 1 the first time.
# Atomic so that an id is never known whose item was not kept.
KEEP = """
if not redis.call('SET', KEYS[2], '1', 'NX', 'EX', ARGV[3]) then return 0 end
redis.call('RPUSH', KEYS[1], ARGV[1])
redis.call('LTRIM', KEYS[1], -tonumber(ARGV[4]), -1)
redis.call('EXPIRE', KEYS[1], ARGV[2])
return 1
"""
