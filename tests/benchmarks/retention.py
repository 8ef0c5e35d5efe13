"""What an ended session costs in the store before and after it is archived, and how long archiving it takes."""

from __future__ import annotations

import asyncio
import time
from datetime import timedelta
from pathlib import Path

from pydantic import SecretStr

from bot.compose import Core, core, now
from handlers.origin import Place
from storage.queue import StartedJob
from supervisor.runtime.worker import Done, Signals, Worker
from tests.benchmarks.holding import drain, held, used
from tests.benchmarks.report import Figure
from tests.benchmarks.stand import PERSON, TOOLS, settings

SESSIONS = 1_000
LATER = timedelta(days=1)


async def measure(url: str, folder: Path, rounds: int) -> list[Figure]:
    signed = settings(folder, url).model_copy(
        update={"secret_key": SecretStr("a-key-of-this-benchmark-alone")}
    )
    async with core(signed, tools=TOOLS) as parts:
        # What is there only once: scripts, buffers, a persona.
        await _ended(parts, 20)
        await _collect(parts)
        empty = await used(parts.redis)
        await _ended(parts, SESSIONS)
        whole = (await used(parts.redis) - empty) / SESSIONS
        begun = time.monotonic()
        archived = await _collect(parts)
        took = (time.monotonic() - begun) / SESSIONS * 1000
        left = (await used(parts.redis) - empty) / SESSIONS
    assert archived == SESSIONS
    return [
        Figure("an ended session", whole, "bytes", note="shown in Slack"),
        Figure("an archived session", max(left, 0), "bytes", None, 256, note="where it is"),
        Figure("archiving it", took, "ms", note="its SESSION_LOG is written and synced"),
    ]


async def _ended(parts: Core, count: int) -> None:
    """Sessions that were shown in Slack and have ended; no queue has them any more."""
    sessions = await held(parts, count, Place("C0OPS0001", user="U0ADA0001").origin())
    await drain(parts)
    await asyncio.gather(*(parts.supervisor.cancel(one.id, PERSON) for one in sessions))
    for queue in parts.queues():
        worker = Worker(queue, _nothing, parts.sessions.known)
        task = asyncio.create_task(worker.run())
        while await queue.depth():
            await asyncio.sleep(0.05)
        worker.stop()
        await task


async def _nothing(_: StartedJob, __: Signals) -> Done:
    return Done()


async def _collect(parts: Core) -> int:
    """Archive all, and return how many."""
    collector, archived = parts.collector(), 0
    while found := (await collector.step(now() + LATER, limit=50)).archived:
        archived += len(found)
    await collector.finish()
    return archived
