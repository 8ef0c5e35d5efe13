"""Whole cycles through Slack's signed HTTP: launch, card, request, click, tool, end; the bot in a process of its own.

Slack and the provider of the model are stand-ins in this process.
"""

from __future__ import annotations

import asyncio
import os
import sys
import time
from pathlib import Path

from storage.connection import connect
from tests.benchmarks.report import Figure, median, percentile
from tests.benchmarks.slack_stand import Stand
from tests.support.ports import free_port

IN_FLIGHT, WARM, CYCLES = 50, 100, 600
# Slack takes one message a second in a channel.
CHANNELS = 600
TICKS = os.sysconf("SC_CLK_TCK")
WORDS = 'launch ops "Restart once."'


async def measure(url: str, folder: Path, rounds: int) -> list[Figure]:
    figures: list[Figure] = []
    least = await _rounds("posting", url, folder / "bare", "", rounds)
    for name, model in (("scripted model in the process", ""), ("OpenAI's client", "openai-chat:gpt-5-mini")):
        rate, processor, ack = await _rounds("busy", url, folder / name, model, rounds)
        what = f"cycle through Slack's HTTP, {name}"
        figures += [
            Figure(f"{what}, {IN_FLIGHT} in flight", rate, "/s", least[0], 90, more_is_better=True),
            Figure(f"{what}, processor", processor, "ms", least[1], None if model else 12),
            Figure(f"{what}, click acknowledged p99", ack, "ms", least[2], 60),
        ]
    return figures


async def _rounds(what: str, url: str, folder: Path, model: str, rounds: int) -> tuple[float, ...]:
    found = [await _round(what, url, folder / str(n), model) for n in range(min(rounds, 3))]
    return tuple(map(median, zip(*found, strict=True)))


async def _round(what: str, url: str, folder: Path, model: str) -> tuple[float, float, float]:
    """Cycles a second, milliseconds of the bot's processor a cycle, and the acknowledgement of a click (p99, ms)."""
    redis = connect(url)
    await redis.flushall()
    await redis.aclose()
    port = free_port()
    async with Stand(f"http://127.0.0.1:{port}/slack/events") as stand, stand.listen() as address:
        arguments = [what, str(folder), url, f"{address}/api/", str(port), "--http", "--model", model]
        process = await asyncio.create_subprocess_exec(
            sys.executable,
            *("-m", "tests.benchmarks.bot", *arguments),
            stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.PIPE,
            env={**os.environ, "OPENAI_BASE_URL": f"{address}/v1", "OPENAI_API_KEY": "none"},
        )
        assert process.stdin
        assert process.stdout
        try:
            assert await process.stdout.readline() == b"ready\n"
            await _cycles(stand, WARM)
            stand.acks.clear()
            used, begun = _processor(process.pid), time.perf_counter()
            await _cycles(stand, CYCLES)
            seconds = time.perf_counter() - begun
            milliseconds = (_processor(process.pid) - used) * 1000 / CYCLES
            return CYCLES / seconds, milliseconds, percentile(stand.acks, 0.99) * 1000
        finally:
            process.stdin.close()
            await process.wait()


async def _cycles(stand: Stand, number: int) -> None:
    left = iter(range(number))

    async def drive() -> None:
        for n in left:
            await stand.cycle(f"C{n % CHANNELS:05d}", WORDS)

    await asyncio.gather(*(drive() for _ in range(IN_FLIGHT)))


def _processor(pid: int) -> float:
    """Seconds of processor that a process has used so far."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / TICKS
