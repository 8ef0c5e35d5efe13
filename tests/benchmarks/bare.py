"""Run as a process: the floor of `fresh`, with nothing but redis-py and three minimal appends."""

from __future__ import annotations

import asyncio
import json
import sys
import time

from tests.benchmarks.floor import floor


async def main(url: str) -> None:
    from redis.asyncio import Redis

    redis = Redis.from_url(url)
    await redis.ping()
    ready = time.time()
    await redis.aclose()
    first = await floor(url, 1, 1)
    print(json.dumps({"ready": ready, "resumed": first.passes[0] * 1000}))


if __name__ == "__main__":
    asyncio.run(main(*sys.argv[1:]))
