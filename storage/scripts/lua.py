"""Runs scripts by their digest, and sends their text to a server that does not know them."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Sequence
from typing import Any

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

# Returns the snapshot and the events after it, or the events after the first `known`, and the number of all events.
READ = """
local function read(log, snapshot, known)
  local position, snap = tonumber(known), {false, false}
  if position == 0 then
    snap = redis.call('HMGET', snapshot, 'version', 'state')
    if snap[1] then position = tonumber(snap[1]) end
  end
  return snap[1], snap[2], redis.call('LRANGE', log, position, -1), redis.call('LLEN', log)
end
"""


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
