"""Approval cycles: approve, start, run, finish; and the next proposal, which waits for an approval again."""

from __future__ import annotations

import asyncio
import time
from pathlib import Path

from bot.compose import Core
from tests.benchmarks.floor import Loops, floor
from tests.benchmarks.report import Figure, median, percentile
from tests.benchmarks.stand import PERSON, Scripted, Watch, flagman
from tests.support.seen import seen_now

# Each session goes through so many cycles: the question put to the model must not become what is measured.
EACH = 8
# Sessions in flight, and how often that many are launched in one round.
LOADS = {1: 20, 32: 5, 256: 1}
ONE_PROCESS = f"approver and worker in one process, nothing shown in Slack, {EACH} cycles a session"


async def measure(url: str, folder: Path, rounds: int) -> list[Figure]:
    async with flagman(folder, url, Scripted("restart")) as parts:
        watch = Watch(parts)
        await cycles(parts, watch, 8, 5)
        rows: dict[int, list[tuple[Loops, Loops]]] = {n: [] for n in LOADS}
        for _ in range(rounds):
            for in_flight, times in LOADS.items():
                ours = Loops()
                for _ in range(times):
                    ours.add(await cycles(parts, watch, in_flight, EACH))
                rows[in_flight].append((ours, await floor(url, in_flight, times * EACH)))
    return [*_latency(rows.pop(1)), *(f for n, found in rows.items() for f in _rates(n, found))]


async def cycles(parts: Core, watch: Watch, in_flight: int, each: int) -> Loops:
    """`in_flight` new sessions go through `each` cycles at the same time."""
    found = Loops()
    launched = [
        await parts.supervisor.launch("ops", "Bring the shop back up.", PERSON) for _ in range(in_flight)
    ]
    first = [await watch.asked(session.id) for session in launched]

    async def drive(session_id: str, call_id: str) -> None:
        for _ in range(each):
            seen = await seen_now(parts.supervisor, session_id, call_id)
            begun = time.perf_counter()
            await parts.supervisor.decide(session_id, call_id, "approve", PERSON, seen=seen)
            found.passes.append(await watch.finished(session_id) - begun)
            call_id = await watch.asked(session_id)

    begun, used = time.perf_counter(), time.process_time()
    await asyncio.gather(*(drive(s.id, call) for s, call in zip(launched, first, strict=True)))
    found.seconds, found.processor = time.perf_counter() - begun, time.process_time() - used
    return found


def _latency(rows: list[tuple[Loops, Loops]]) -> list[Figure]:
    def of(share: float, which: int) -> float:
        return median([percentile(row[which].passes, share) for row in rows]) * 1000

    return [
        Figure("approval to finished, alone, p50", of(0.5, 0), "ms", of(0.5, 1), 2.0, note=ONE_PROCESS),
        Figure("approval to finished, alone, p99", of(0.99, 0), "ms", of(0.99, 1)),
        Figure("cycles, alone", *_rate(rows, 0), _rate(rows, 1)[0], more_is_better=True),
    ]


def _rate(rows: list[tuple[Loops, Loops]], which: int) -> tuple[float, str]:
    return median([row[which].rate for row in rows]), "/s"


def _rates(in_flight: int, rows: list[tuple[Loops, Loops]]) -> list[Figure]:
    target = 1000.0 if in_flight == 32 else None
    return [
        Figure(
            f"cycles, {in_flight} in flight",
            *_rate(rows, 0),
            _rate(rows, 1)[0],
            target,
            more_is_better=True,
        ),
        Figure(
            f"processor a cycle, {in_flight} in flight",
            median([ours.processor_ms for ours, _ in rows]),
            "ms",
            median([floor.processor_ms for _, floor in rows]),
            note="of the Python process alone",
        ),
    ]
