"""Runs scripts by their digest, and sends their text to a server that does not know them."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Sequence
from typing import Any, NamedTuple

from redis.asyncio import Redis
from redis.exceptions import NoScriptError

from storage import keys

# Queues a session; a busy one is marked as dirty, and its id is published to `channel` unless that is false.
ENQUEUE = """
local function enqueue(stream, states, later, sid, channel)
  local state = redis.call('HGET', states, sid)
  if not state or state == 'later' then
    if state then redis.call('ZREM', later, sid) end
    redis.call('HSET', states, sid, 'queued')
    redis.call('XADD', stream, '*', 's', sid)
  elseif state ~= 'queued' then
    redis.call('HSET', states, sid, 'd:'..string.sub(state, 3))
    if channel then redis.call('PUBLISH', channel, sid) end
  end
end
"""

# Milliseconds since 1970 by the clock of the store, since the clocks of several processes may be apart.
NOW = """
local function now()
  local time = redis.call('TIME')
  return time[1] * 1000 + math.floor(time[2] / 1000)
end
"""

# Whether the last of the first `version` events has the text `mark`. Where a primary was lost with events that no
# replica had, others may have been appended in their place, which their number does not tell.
MARKED = """
local function marked(log, version, mark)
  if mark == '' or version == 0 then return true end
  return string.find(redis.call('LINDEX', log, version - 1) or '', mark, 1, true) ~= nil
end
"""

# Returns the snapshot and the events after it, or the events after the first `known`, and the number of all events;
# that is 0 where the known events are not those of the log.
READ = (
    MARKED
    + """
local function read(log, snapshot, known, mark)
  local position, snap = tonumber(known), {false, false}
  if not marked(log, position, mark) then return false, false, {}, 0 end
  if position == 0 then
    snap = redis.call('HMGET', snapshot, 'version', 'state', 'mark')
    if snap[1] and marked(log, tonumber(snap[1]), snap[3] or '') then position = tonumber(snap[1])
    else snap = {false, false} end
  end
  return snap[1], snap[2], redis.call('LRANGE', log, position, -1), redis.call('LLEN', log)
end
"""
)


class Known(NamedTuple):
    """How many events of a log are known, and a text that the last of them has; without one it is not compared."""

    version: int = 0
    mark: bytes = b""


NOTHING = Known()


class Script:
    """A script, which is run by calling it; `sha` is its name in the store.

    GROUP in the text is replaced by the name of the consumer group.
    """

    def __init__(self, text: str) -> None:
        self._text = text.replace("GROUP", f"'{keys.GROUP}'")
        self.sha = hashlib.sha1(self._text.encode(), usedforsecurity=False).hexdigest()

    async def __call__(self, redis: Redis, names: Sequence[str], arguments: Iterable[Any] = ()) -> Any:
        call: Sequence[Any] = (self.sha, len(names), *names, *arguments)
        try:
            return await redis.evalsha(*call)
        except NoScriptError:
            # A server does not know the script after a restart, nor does a new primary; nothing was carried out.
            return await redis.eval(self._text, *call[1:])
