"""`python -m tests.chaos`: faults strike a running Flagman, and an independent record says whether it held."""

from __future__ import annotations

import argparse
import asyncio
import logging
import secrets
import sys
import tempfile
from pathlib import Path

from tests.chaos.campaign import run
from tests.chaos.faults import FAULTS


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m tests.chaos", description=__doc__)
    parser.add_argument("--seconds", type=float, default=600, help="how long faults strike (default: 600)")
    parser.add_argument(
        "--seed", type=int, help="what to draw faults and decisions with (default: a new one)"
    )
    parser.add_argument(
        "--faults",
        nargs="+",
        choices=sorted(FAULTS),
        default=list(FAULTS),
        metavar="fault",
        help=f"any of: {', '.join(FAULTS)} (default: all)",
    )
    options = parser.parse_args()
    logging.basicConfig(level=logging.ERROR)
    seed = secrets.randbelow(10**6) if options.seed is None else options.seed
    folder = Path(tempfile.mkdtemp(prefix="flagman-chaos-"))
    again = f"--seed {seed} --seconds {options.seconds:g}"
    if len(options.faults) < len(FAULTS):
        again += f" --faults {' '.join(options.faults)}"
    print(f'seed {seed}: make chaos ARGS="{again}" runs the same faults and decisions again', flush=True)
    print(f"ledger, acts, faults and logs: {folder}", flush=True)
    report = asyncio.run(run(folder, seed, options.seconds, options.faults))
    print(report.text())
    sys.exit(report.findings.any)


if __name__ == "__main__":
    main()
