"""`python -m tests.benchmarks [name ...]`: measures all that `CHOICES` names by default, beside a floor."""

from __future__ import annotations

import argparse
import asyncio
import logging
import tempfile
from pathlib import Path

from storage.embedded_server import embedded_server
from tests.benchmarks import (
    clicks,
    cycles,
    holding,
    replicas,
    requests,
    retention,
    slack_cycles,
    steps,
    timers,
)
from tests.benchmarks.report import Figure, show, write

CHOICES = {
    "cycles": cycles.measure,
    "steps": steps.measure,
    "holding": holding.measure,
    "retention": retention.measure,
    "clicks": clicks.measure,
    "requests": requests.measure,
    "slack": slack_cycles.measure,
    "timers": timers.measure,
    "replicas": replicas.measure,
}


async def run(chosen: list[str], rounds: int) -> list[Figure]:
    figures: list[Figure] = []
    for name in chosen:
        with tempfile.TemporaryDirectory(prefix="flagman-bench-") as folder:
            async with embedded_server(Path(folder), password="") as url:
                figures += await CHOICES[name](url, Path(folder), rounds)
    return figures


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m tests.benchmarks", description=__doc__)
    parser.add_argument(
        "what", nargs="*", metavar="what", help=f"any of: {', '.join(CHOICES)} (default: all)"
    )
    parser.add_argument("--rounds", type=int, default=5, help="the median of so many rounds is shown")
    parser.add_argument("--json", type=Path, metavar="FILE", help="write the figures there too")
    options = parser.parse_args()
    if unknown := set(options.what) - set(CHOICES):
        parser.error(f"unknown: {', '.join(sorted(unknown))}")
    logging.basicConfig(level=logging.ERROR)
    figures = asyncio.run(run(options.what or list(CHOICES), options.rounds))
    show(figures)
    if options.json:
        write(figures, options.json)


if __name__ == "__main__":
    main()
