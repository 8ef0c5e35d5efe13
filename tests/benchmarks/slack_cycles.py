"""Whole cycles through Slack's signed HTTP: launch, card, request, click, tool, end; the bot in a process of its own.

Slack and the provider of the model are stand-ins in this process, each session in a channel of its own, since Slack
takes one message a second in a channel.
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
TICKS = os.sysconf("SC_CLK_TCK")
WORDS = 'launch ops "Restart once."'


async def measure(url: str, folder: Path, rounds: int) -> list[Figure]:
    figures: list[Figure] = []
    for name, model in (("scripted model in the process", ""), ("OpenAI's client", "openai-chat:gpt-5-mini")):
        found = [await _round(url, folder / f"{n}-{bool(model)}", model) for n in range(min(rounds, 3))]
        rates, processor, acks = zip(*found, strict=True)
        what = f"cycle through Slack's HTTP, {name}"
        figures += [
            Figure(f"{what}, {IN_FLIGHT} in flight", median(rates), "/s", target=90, more_is_better=True),
            Figure(f"{what}, processor", median(processor), "ms", target=None if model else 12),
            Figure(f"{what}, click acknowledged p99", median(acks), "ms", target=60),
        ]
    return figures


async def _round(url: str, folder: Path, model: str) -> tuple[float, float, float]:
    """Cycles a second, milliseconds of the bot's processor a cycle, and the acknowledgement of a click (p99, ms)."""
    redis = connect(url)
    await redis.flushall()
    await redis.aclose()
    port = free_port()
    async with Stand(f"http://127.0.0.1:{port}/slack/events") as stand, stand.listen() as address:
        arguments = ["busy", str(folder), url, f"{address}/api/", str(port), "--http", "--model", model]
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
            await _cycles(stand, "WARM", WARM)
            stand.acks.clear()
            used, begun = _processor(process.pid), time.perf_counter()
            await _cycles(stand, "C", CYCLES)
            seconds = time.perf_counter() - begun
            milliseconds = (_processor(process.pid) - used) * 1000 / CYCLES
            return CYCLES / seconds, milliseconds, percentile(stand.acks, 0.99) * 1000
        finally:
            process.stdin.close()
            await process.wait()


async def _cycles(stand: Stand, prefix: str, number: int) -> None:
    left = iter(range(number))

    async def drive() -> None:
        for n in left:
            await stand.cycle(f"C{prefix}{n:05d}", WORDS)

    await asyncio.gather(*(drive() for _ in range(IN_FLIGHT)))


def _processor(pid: int) -> float:
    """Seconds of processor that a process has used so far."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / TICKS
