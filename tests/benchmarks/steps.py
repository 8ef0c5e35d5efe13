"""What a step costs as a session grows: from one answer of the model to the next question put to it.

The question holds the whole conversation, so writing it grows with the session; it is also shown left out.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

from storage import keys
from supervisor.runtime import model_step as asking
from supervisor.runtime.prompt_cache import PromptCache
from tests.benchmarks.floor import floor
from tests.benchmarks.report import Figure, median
from tests.benchmarks.stand import PERSON, Scripted, flagman

LAST = 500
AT = {10: range(6, 16), 100: range(95, 106), LAST: range(LAST - 10, LAST + 1)}


async def measure(url: str, folder: Path, rounds: int) -> list[Figure]:
    times: dict[int, list[float]] = {n: [] for n in AT}
    without: dict[int, list[float]] = {n: [] for n in AT}
    everything: list[float] = []
    floors: list[float] = []
    stored = cached = 0
    for _ in range(rounds):
        gateway, writing = Scripted("look", spans=True), list[float]()
        async with _questions_timed(writing), flagman(folder, url, gateway) as parts:
            session = await parts.supervisor.launch("ops", "Watch the shop.", PERSON)
            assert gateway.spans is not None
            while len(gateway.spans) < LAST + 2:
                await asyncio.sleep(0.02)
            await parts.supervisor.cancel(session.id, PERSON)
            between = [
                (after[0] - before[1]) * 1000
                for before, after in zip(gateway.spans, gateway.spans[1:], strict=False)
            ]
            everything += between[:LAST]
            for n, around in AT.items():
                times[n] += [between[k - 1] for k in around]
                without[n] += [between[k - 1] - writing[k] for k in around]
            # Three events a step, launch aside.
            rows = await parts.redis.lrange(keys.log(session.id), 0, 3 * LAST)
            stored = sum(map(len, rows))
            state = await parts.redis.hget(keys.snapshot(session.id), "state")
            cached = len(state or b"")
        payload = b"x" * (stored // (3 * LAST))
        floors.append(median((await floor(url, 1, 100, payload=payload)).passes) * 1000)
    base = median(floors)
    return [
        *(
            Figure(f"step {n}, p50", median(found), "ms", base, 1.5, note="the model's own time left out")
            for n, found in times.items()
        ),
        *(
            Figure(f"step {n}, p50, but for writing the question", median(found), "ms", base, 1.5)
            for n, found in without.items()
        ),
        Figure(f"steps 1 to {LAST}, mean", sum(everything) / len(everything), "ms", base),
        Figure(f"log of {LAST} steps", stored / 1e6, "MB", target=1.2),
        Figure("its snapshot", cached / 1e6, "MB", note="a cache, every 200 events"),
    ]


@asynccontextmanager
async def _questions_timed(writing: list[float]) -> AsyncIterator[None]:
    """Adds the milliseconds that each question took to be written."""
    conversation = PromptCache.conversation
    request = asking.ModelStep._request
    turns_took: list[float] = []

    def told(*given: Any) -> Any:
        begun = time.perf_counter()
        turns = conversation(*given)
        turns_took.append((time.perf_counter() - begun) * 1000)
        return turns

    async def timed(self: Any, *given: Any) -> Any:
        begun = time.perf_counter()
        question = await request(self, *given)
        writing.append((time.perf_counter() - begun) * 1000 + turns_took[-1])
        return question

    PromptCache.conversation = told  # type: ignore[method-assign, assignment]
    asking.ModelStep._request = timed  # type: ignore[method-assign, assignment]
    try:
        yield
    finally:
        PromptCache.conversation = conversation  # type: ignore[method-assign]
        asking.ModelStep._request = request  # type: ignore[method-assign]
