"""How late timers fire of which thousands are due at the same time, with two clock processes, one of them killed."""

from __future__ import annotations

import asyncio
import os
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import datetime, timedelta
from pathlib import Path

from bot.compose import Core, core, now
from supervisor.core.commands.control import pause
from supervisor.core.conditions import parse_condition
from supervisor.core.events import Resumed, SessionLaunched
from supervisor.core.reducer import fold
from supervisor.repository import new_session_id
from tests.benchmarks.report import Figure, percentile
from tests.benchmarks.stand import PERSON, TOOLS, settings

TIMERS, AT_ONCE = 10_000, 64
# From the making of the sessions until they are due; then one clock is killed in the middle of its work.
AHEAD, KILLED_AFTER = timedelta(seconds=60), timedelta(milliseconds=300)


async def measure(url: str, folder: Path, rounds: int) -> list[Figure]:
    due = (now() + AHEAD).replace(microsecond=0)
    async with core(settings(folder, url), tools=TOOLS) as parts:
        ids = await _paused(parts, due)
        async with _clock(folder, url) as first, _clock(folder, url):
            await asyncio.sleep((due + KILLED_AFTER - now()).total_seconds())
            first.kill()
            late, again = await _fired(parts, ids, due)
    what = f"{TIMERS:,} timers due at once"
    return [
        Figure(f"{what}, late, p50", percentile(late, 0.5), "s"),
        Figure(f"{what}, late, p99", percentile(late, 0.99), "s", target=3, note="two clocks, one killed"),
        Figure(f"{what}, late, max", percentile(late, 1), "s"),
        Figure(f"{what}, fired twice", again, "", target=0),
    ]


async def _paused(parts: Core, due: datetime) -> list[str]:
    """Sessions that are paused until `due`; no worker runs them."""
    persona, condition = parts.personas.get("ops"), parse_condition(f"at: {due.isoformat()}", now=now())
    about = {"task": "Bring the shop back up.", "persona": persona.name, "persona_digest": persona.digest}
    launched = SessionLaunched(at=now(), by=PERSON.id, by_name=PERSON.name, budgets=persona.budgets, **about)
    blobs = {persona.digest: persona.model_dump_json(exclude_defaults=True).encode()}
    gate = asyncio.Semaphore(AT_ONCE)

    async def one() -> str:
        async with gate:
            begun = fold(new_session_id(), [launched])
            paused = pause(begun, PERSON, now(), conditions=[condition])
            await parts.sessions.append(None, fold(begun.id, paused, begun), [launched, *paused], blobs=blobs)
            return begun.id

    ids = list(await asyncio.gather(*(one() for _ in range(TIMERS))))
    assert now() < due - timedelta(seconds=10), "the sessions were not made in time"
    return ids


async def _fired(parts: Core, ids: list[str], due: datetime) -> tuple[list[float], int]:
    """Wait until all have fired; returns how many seconds late each was, and how many fired more than once."""
    while await parts.timers().count():
        await asyncio.sleep(0.5)
    late = []
    for session_id in ids:
        events = await parts.sessions.events(session_id)
        late.append([(event.at - due).total_seconds() for event in events if isinstance(event, Resumed)])
    return [times[0] for times in late], sum(len(times) > 1 for times in late)


@asynccontextmanager
async def _clock(folder: Path, url: str) -> AsyncIterator[asyncio.subprocess.Process]:
    """A process of `flagman clock`."""
    given = {
        "REDIS_URL": url,
        "FLAGMAN_DATA": str(folder / "data"),
        "FLAGMAN_PERSONAS": str(folder / "personas"),
    }
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        "-m",
        "bot.cli",
        "clock",
        env={**os.environ, **given},
        stderr=asyncio.subprocess.DEVNULL,
    )
    try:
        yield process
    finally:
        if process.returncode is None:
            process.terminate()
        await process.wait()
