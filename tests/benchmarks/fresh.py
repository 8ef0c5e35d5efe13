"""Run as a process: a whole Flagman; says when it was ready, and how long the first approval took to be carried out."""

from __future__ import annotations

import asyncio
import json
import sys
import time
from pathlib import Path

from tests.benchmarks.stand import PERSON, Scripted, Watch, flagman
from tests.support.seen import seen_now


async def main(folder: str, url: str, session_id: str) -> None:
    async with flagman(Path(folder), url or None, Scripted("restart")) as parts:
        watch = Watch(parts)
        ready = time.time()
        begun = time.perf_counter()
        seen = await seen_now(parts.supervisor, session_id)
        await parts.supervisor.decide(session_id, "1.1", "approve", PERSON, seen=seen)
        resumed = (await watch.finished(session_id) - begun) * 1000
        print(json.dumps({"ready": ready, "resumed": resumed}))


if __name__ == "__main__":
    asyncio.run(main(*sys.argv[1:]))
