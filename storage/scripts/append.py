"""The script that appends events to a session's log and makes all changes that belong to them."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any, Literal, cast

from redis.asyncio import Redis

from storage import keys
from storage.keys import QueueKeys, TimerKey
from storage.scripts.lua import ENQUEUE, MARKED, NOW, Known, Script

Outcome = Literal["ok", "known", "full", "lost", "conflict"]


@dataclass(frozen=True)
class ClaimRow:
    """An idempotency key of a sender, its value and lifetime, and the most that are stored of the sender."""

    key: str
    value: bytes
    ttl: timedelta
    sender: str
    most: int


@dataclass
class Operations:
    """The changes made with an append to a log of `partition`, in order, each with its keys and arguments."""

    partition: int
    names: list[str] = field(default_factory=list)
    arguments: list[Any] = field(default_factory=list)

    def set_index(self, name: str, score: float) -> None:
        self._add("index", [keys.index(self.partition, name)], score)

    def unset_index(self, name: str) -> None:
        self._add("unindex", [keys.index(self.partition, name)])

    def set_timer(self, timer: TimerKey, due_ms: float) -> None:
        self._add("timer", [keys.timers(self.partition)], timer.encode(), due_ms)

    def unset_timer(self, timer: TimerKey) -> None:
        self._add("untimer", [keys.timers(self.partition)], timer.encode())

    def keep_blob(self, digest: str, content: bytes) -> None:
        self._add("blob", [keys.blobs(self.partition)], digest, content)

    def switch_to(self, session_id: str) -> None:
        """Make the following changes for this session."""
        self._add("for", [], session_id)

    def begin_log(self, session_id: str, events: Iterable[bytes]) -> None:
        for event in events:
            self._add("push", [keys.log(session_id)], event)

    def enqueue(self, name: keys.QueueName, *, hurried: bool = True) -> None:
        """Queue the session; not `hurried`, a job that is due later stays so."""
        queue = keys.queue(self.partition, name)
        self._add("enqueue", [queue.stream, queue.state, queue.later], queue.dirty, int(hurried))

    def release(self, queue: QueueKeys, entry: str) -> None:
        self._add("release", [queue.stream, queue.state, queue.tries, queue.troubles], entry)

    def _add(self, operation: str, names: Sequence[str], *arguments: Any) -> None:
        self.names += names
        self.arguments += (operation, *arguments)


# Atomic because the version is checked once for all changes: events, indexes, timers, queues and the logs of launched
# sessions are changed together or not at all.
_APPEND = Script(
    NOW
    + MARKED
    + ENQUEUE
    + """
local key_at, argument_at = 0, 0
local function key() key_at = key_at + 1; return KEYS[key_at] end
local function argument() argument_at = argument_at + 1; return ARGV[argument_at] end

local log, ready_state = key(), key()
local sid, expected, mark, token = argument(), tonumber(argument()), argument(), argument()
local changed, timer = argument(), argument()
local claim_value, claim_ttl, most_claims = argument(), tonumber(argument()), tonumber(argument())
local claim, claims = nil, nil
local version = redis.call('LLEN', log)
if claim_ttl > 0 then
  claim, claims = key(), key()
  local known = redis.call('GET', claim)
  if known then
    -- Written again, as the caller waits until replicas have what was written last.
    redis.call('SET', claim, known, 'KEEPTTL')
    return {'known', known, 0}
  end
  redis.call('ZREMRANGEBYSCORE', claims, '-inf', now())
  if redis.call('ZCARD', claims) >= most_claims then return {'full', version, 0} end
end
if token ~= '' and string.sub(redis.call('HGET', ready_state, sid) or '', 3) ~= token then
  return {'lost', version, 0}
end
if version ~= expected or not marked(log, expected, mark) then return {'conflict', version, 0} end
for _ = 1, tonumber(argument()) do
  if redis.call('EXISTS', key()) == 1 then return {'conflict', version, 0} end
end
if claim then
  redis.call('SET', claim, claim_value, 'EX', claim_ttl)
  redis.call('ZADD', claims, now() + claim_ttl * 1000, claim)
  redis.call('EXPIRE', claims, claim_ttl)
end
for _ = 1, tonumber(argument()) do version = redis.call('RPUSH', log, argument()) end
redis.call('PUBLISH', changed, sid)

local released = 0
while argument_at < #ARGV do
  local operation = argument()
  if operation == 'index' then
    redis.call('ZADD', key(), argument(), sid)
  elseif operation == 'unindex' then
    redis.call('ZREM', key(), sid)
  elseif operation == 'timer' then
    local row, due = argument(), argument()
    redis.call('ZADD', key(), due, row)
    redis.call('PUBLISH', timer, due)
  elseif operation == 'untimer' then
    redis.call('ZREM', key(), argument())
  elseif operation == 'blob' then
    local digest, content = argument(), argument()
    redis.call('HSETNX', key(), digest, content)
  elseif operation == 'for' then
    sid = argument()
  elseif operation == 'push' then
    redis.call('RPUSH', key(), argument())
    redis.call('PUBLISH', changed, sid)
  elseif operation == 'enqueue' then
    local stream, states, later, dirty, hurried = key(), key(), key(), argument(), argument() == '1'
    local state = redis.call('HGET', states, sid)
    local waits = state == 'later' and not hurried
    if not waits and (token == '' or not state or string.sub(state, 3) ~= token) then
      enqueue(stream, states, later, sid, dirty)
    end
  elseif operation == 'release' then
    local stream, states, tries, troubles, entry = key(), key(), key(), key(), argument()
    if redis.call('HGET', states, sid) == 'b:'..token then
      redis.call('HDEL', states, sid)
      redis.call('HDEL', tries, sid)
      redis.call('HDEL', troubles, sid)
      redis.call('XACK', stream, GROUP, entry)
      redis.call('XDEL', stream, entry)
      released = 1
    end
  else
    return redis.error_reply('unknown operation '..tostring(operation))
  end
end
return {'ok', version, released}
"""
)


async def append(
    redis: Redis,
    session_id: str,
    *,
    expected: Known,
    events: Sequence[bytes],
    token: str,
    claim: ClaimRow | None,
    new_logs: Sequence[str],
    operations: Operations,
) -> tuple[Outcome, int | bytes, bool]:
    """Append `events` after those `expected` and carry out `operations`, or change nothing.

    `token` is that of the writer's own lease, or empty; `claim` is the idempotency key of the request, if it has one;
    `new_logs` are the ids of sessions that must not exist. Returns the outcome; the version, or the value of the claim
    where the outcome is `known`; and whether the lease was released.
    """
    partition = operations.partition
    names = [keys.log(session_id), keys.queue(partition, "ready").state]
    claimed: tuple[Any, ...] = (b"", 0, 0)
    if claim:
        names += [keys.claim(partition, claim.key), keys.claims_of(partition, claim.sender)]
        claimed = claim.value, int(claim.ttl.total_seconds()), claim.most
    names += [keys.log(other) for other in new_logs]
    channels = keys.changed_channel(partition), keys.timer_channel()
    arguments = [session_id, *expected, token, *channels, *claimed, len(new_logs), len(events), *events]
    outcome, found, released = await _APPEND(
        redis, names + operations.names, arguments + operations.arguments
    )
    return cast(Outcome, outcome.decode()), found, bool(released)
