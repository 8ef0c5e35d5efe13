"""The floor: as many minimal appends as the domain needs, by plain calls of redis-py, one after the other."""

from __future__ import annotations

import asyncio
import time
from dataclasses import dataclass, field
from uuid import uuid4

from redis.asyncio import Redis

from storage.connection import connect

# Approve, start, finish.
APPENDS = 3
PAYLOAD = b"x" * 300
# The least that an append at an expected version is.
MINIMAL = """
local version = redis.call('LLEN', KEYS[1])
if version ~= tonumber(ARGV[1]) then return {'conflict', version} end
return {'ok', redis.call('RPUSH', KEYS[1], ARGV[2])}
"""


@dataclass
class Loops:
    """What a number of concurrent loops took: each pass in seconds, the whole, and our share of a processor."""

    passes: list[float] = field(default_factory=list)
    seconds: float = 0.0
    processor: float = 0.0

    def add(self, more: Loops) -> None:
        """What was measured right after."""
        self.passes += more.passes
        self.seconds, self.processor = self.seconds + more.seconds, self.processor + more.processor

    @property
    def rate(self) -> float:
        return len(self.passes) / self.seconds

    @property
    def processor_ms(self) -> float:
        """Milliseconds of processor a pass, in this process."""
        return self.processor / len(self.passes) * 1000


async def floor(url: str, in_flight: int, passes: int, *, payload: bytes = PAYLOAD) -> Loops:
    """`in_flight` loops of `passes` passes, each of them three appends."""
    # The same connections, without what we put on top of redis-py.
    redis = Redis.from_pool(connect(url).connection_pool)
    append = redis.register_script(MINIMAL)
    found = Loops()

    async def loop(key: str) -> None:
        for n in range(passes):
            begun = time.perf_counter()
            for k in range(APPENDS):
                await append(keys=[key], args=[n * APPENDS + k, payload])
            found.passes.append(time.perf_counter() - begun)

    keys = [f"floor:{uuid4().hex}" for _ in range(in_flight)]
    try:
        await append(keys=["floor:warm"], args=[-1, payload])
        begun, used = time.perf_counter(), time.process_time()
        await asyncio.gather(*map(loop, keys))
        found.seconds, found.processor = time.perf_counter() - begun, time.process_time() - used
        await redis.delete(*keys)
    finally:
        await redis.aclose()
    return found
