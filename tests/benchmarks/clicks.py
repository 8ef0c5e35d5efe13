"""How long Slack waits for the acknowledgement of a click while 200 sessions run, in both modes, with real Bolt.

The playground and the clicking people are in this process, the bot in one of its own.
"""

from __future__ import annotations

import asyncio
import json
import sys
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

from bot.compose import Core, core
from handlers.origin import Place
from storage.connection import connect
from tests.benchmarks.bot import APPROVING, RUNNING, configured
from tests.benchmarks.report import Figure, percentile
from tests.benchmarks.stand import PERSON, TOOLS
from tests.support.ports import free_port
from tests.support.seen import recent_sessions
from tests.support.slack import ADA, OPS, RATE_SCALE, Slack, wait_for

SESSIONS, CLICKED, ROUNDS, BARE = 200, 20, 10, 100
PAUSE = 0.05


async def measure(url: str, folder: Path, rounds: int) -> list[Figure]:
    figures: list[Figure] = []
    for http in (False, True):
        mode = "HTTP" if http else "Socket Mode"
        least = await _bare(url, folder / f"bare-{mode}", http=http)
        busy, steps = await _busy(url, folder / mode.replace(" ", "-"), http=http)
        note = (
            f"{len(busy)} clicks, {steps:.0f} steps/s beside them (floor: a Bolt app that only acknowledges)"
        )
        figures += [
            Figure(f"click acknowledged, {mode}, p50", _ms(busy, 0.5), "ms", _ms(least, 0.5), note=note),
            Figure(f"click acknowledged, {mode}, p99", _ms(busy, 0.99), "ms", _ms(least, 0.99)),
            Figure(f"click acknowledged, {mode}, max", _ms(busy, 1), "ms", _ms(least, 1), 3000),
        ]
    return figures


def _ms(seconds: list[float], share: float) -> float:
    return percentile(seconds, share) * 1000


async def _bare(url: str, folder: Path, *, http: bool) -> list[float]:
    async with scene("bare", url, folder, http=http) as (slack, times):
        button = {
            "type": "button",
            "text": {"type": "plain_text", "text": "Approve"},
            "action_id": "call_approve",
            "value": "1.1",
        }
        blocks = [{"type": "actions", "block_id": "act", "elements": [button]}]
        posted = await slack.api("chat.postMessage", channel=OPS, text="Approve?", blocks=blocks)
        for _ in range(BARE):
            answer = await slack.click(ADA, OPS, posted["ts"], "call_approve")
            assert answer["ok"], answer
            await asyncio.sleep(PAUSE / 5)
    return times


async def _busy(url: str, folder: Path, *, http: bool) -> tuple[list[float], float]:
    """Acknowledgement times, and how many steps a second the running sessions made meanwhile."""
    async with (
        scene("busy", url, folder, http=http) as (slack, times),
        core(configured(folder, url, slack.api_url, 1, http=http), tools=TOOLS) as parts,
    ):
        origin = Place(OPS, user=ADA).origin()
        launch = parts.supervisor.launch
        running = [await launch("ops", RUNNING, PERSON, origin=origin) for _ in range(SESSIONS)]
        clicked = [await launch("ops", APPROVING, PERSON, origin=origin) for _ in range(CLICKED)]

        async def all_shown() -> bool:
            return all([await parts.rows.rows(s.id) for s in running])

        await wait_for(all_shown, timeout=60, pause=0.5)
        before, begun = await _steps(parts), time.monotonic()
        times.clear()
        await asyncio.gather(*(_click(slack, parts, s.id) for s in clicked))
        rate = (await _steps(parts) - before) / (time.monotonic() - begun)
        for session in (*running, *clicked):
            await parts.supervisor.cancel(session.id, PERSON)
    return times, rate


async def _steps(parts: Core) -> int:
    """Steps of the sessions that run, so far."""
    found = await recent_sessions(parts, "running", limit=SESSIONS + CLICKED)
    return sum(len(s.steps) for s in found if s.task == RUNNING)


async def _click(slack: Slack, parts: Core, session_id: str) -> None:
    """Approve whatever the session asks, so many times."""
    done: set[str] = {"card"}

    async def ask() -> tuple[str, str] | None:
        rows = await parts.rows.rows(session_id)
        shown = {key: json.loads(row).get("ts") for key, row in rows.items() if key not in done}
        return next(((key, ts) for key, ts in shown.items() if ts), None)

    for _ in range(ROUNDS):
        key, ts = await wait_for(ask, timeout=30, pause=PAUSE)
        done.add(key)
        answer = await slack.click(ADA, OPS, ts, "call_approve")
        assert answer["ok"], answer


@asynccontextmanager
async def scene(
    what: str, url: str, folder: Path, *, http: bool, rate_scale: float = RATE_SCALE
) -> AsyncIterator[tuple[Slack, list[float]]]:
    """A playground whose app is in a process of its own; the list grows by each click's acknowledgement."""
    port = free_port()
    events_url = f"http://127.0.0.1:{port}/slack/events" if http else None
    # Sessions of another playground must not be looked for in this one.
    redis = connect(url)
    await redis.flushall()
    await redis.aclose()
    async with Slack(events_url=events_url, rate_scale=rate_scale) as slack:
        times = _timed(slack)
        arguments = [what, str(folder), url, slack.api_url, str(port), *(["--http"] if http else [])]
        process = await asyncio.create_subprocess_exec(
            sys.executable,
            "-m",
            "tests.benchmarks.bot",
            *arguments,
            stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.PIPE,
        )
        assert process.stdin is not None
        assert process.stdout is not None
        try:
            assert await process.stdout.readline() == b"ready\n"
            yield slack, times
        finally:
            process.stdin.close()
            await process.wait()


def _timed(slack: Slack) -> list[float]:
    delivery, times = slack.playground.delivery, []
    ask = delivery.ask

    async def timed(kind: Any, payload: Any) -> Any:
        begun = time.perf_counter()
        answer = await ask(kind, payload)
        times.append(time.perf_counter() - begun)
        return answer

    delivery.ask = timed  # type: ignore[method-assign]
    return times
