"""What FLAGMAN_WAIT_REPLICAS costs: approval cycles that wait for a replica, beside the same ones that do not."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from tests.benchmarks.cycles import EACH, cycles
from tests.benchmarks.floor import Loops
from tests.benchmarks.report import Figure, median, percentile
from tests.benchmarks.stand import Scripted, Watch, flagman
from tests.support.store_servers import LOOPBACK, Server, linked, until

# Sessions in flight, and how often that many are launched in one round.
LOADS = {1: 20, 32: 5}
WAITS = ("", "1")
NOTE = "a primary and a replica on this machine, both with appendfsync always"


async def measure(_url: str, folder: Path, rounds: int) -> list[Figure]:
    rows: dict[tuple[int, str], list[Loops]] = {(n, wait): [] for n in LOADS for wait in WAITS}
    with pair() as url:
        for turn in range(rounds):
            for wait in WAITS:
                place = folder / f"{turn}-{wait}"
                async with flagman(place, url, Scripted("restart"), wait_replicas=wait) as parts:
                    watch = Watch(parts)
                    await cycles(parts, watch, 8, 5)
                    for in_flight, times in LOADS.items():
                        found = Loops()
                        for _ in range(times):
                            found.add(await cycles(parts, watch, in_flight, EACH))
                        rows[in_flight, wait].append(found)
    alone = [median([percentile(row.passes, 0.5) for row in rows[1, wait]]) * 1000 for wait in ("1", "")]
    at_once = [median([row.rate for row in rows[32, wait]]) for wait in ("1", "")]
    return [
        Figure("approval to finished, alone, p50, with a replica", alone[0], "ms", alone[1], note=NOTE),
        Figure(
            "cycles, 32 in flight, with a replica",
            at_once[0],
            "/s",
            at_once[1],
            more_is_better=True,
            note="the floor is the same run without FLAGMAN_WAIT_REPLICAS",
        ),
    ]


@contextmanager
def pair() -> Iterator[str]:
    """A primary and a replica that write to disk as the embedded server does."""
    options: dict[str, Any] = {"appendonly": "yes", "appendfsync": "always", "repl_diskless_sync_delay": 0}
    with tempfile.TemporaryDirectory(prefix="flagman-bench-") as folder:
        primary = Server(Path(folder), **options)
        replica = Server(Path(folder), replicaof=f"{LOOPBACK} {primary.port}", **options)
        try:
            for server in (primary, replica):
                server.start()
            until(lambda: linked(replica))
            yield f"redis://{LOOPBACK}:{primary.port}"
        finally:
            replica.kill()
            primary.kill()
