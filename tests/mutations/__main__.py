"""`python -m tests.mutations`: runs the tests of storage against each mutant of its scripts, and prints the score."""

from __future__ import annotations

import argparse
import shutil
import subprocess
import sys
import tempfile
from concurrent.futures import ThreadPoolExecutor
from itertools import count
from pathlib import Path
from queue import Queue

from tests.mutations.lua import Mutant, mutants

ROOT = Path(__file__).parents[2]
COPIED = ("bot", "flagman", "handlers", "storage", "supervisor", "tests", "pyproject.toml")
# Seconds after which a run counts as hanging, which is a mistake found.
PATIENCE = 900


def copy_to(folder: Path) -> Path:
    """Copy what the tests need to a folder of its own."""
    for name in COPIED:
        source = ROOT / name
        if source.is_dir():
            shutil.copytree(source, folder / name, ignore=shutil.ignore_patterns("__pycache__"))
        else:
            shutil.copy(source, folder / name)
    return folder


def is_found(folder: Path, mutant: Mutant, tests: list[str]) -> bool:
    """Whether the tests fail with this mistake in the copy; the copy is as before afterwards."""
    file = folder / mutant.path.relative_to(ROOT)
    whole = file.read_text(encoding="utf-8")
    file.write_text(mutant.text, encoding="utf-8")
    command = [sys.executable, "-m", "pytest", "-x", "-q", "-p", "no:cacheprovider", *tests]
    try:
        done = subprocess.run(command, cwd=folder, capture_output=True, timeout=PATIENCE, check=False)
    except subprocess.TimeoutExpired:
        return True
    finally:
        file.write_text(whole, encoding="utf-8")
    if done.returncode not in (0, 1):
        raise RuntimeError(done.stdout.decode()[-2000:] + done.stderr.decode()[-2000:])
    return done.returncode == 1


def main() -> None:
    options = argparse.ArgumentParser(description=__doc__)
    options.add_argument("--jobs", type=int, default=2, help="runs at a time")
    options.add_argument(
        "--file", action="append", default=[], help="scripts, such as append.py (default: all)"
    )
    options.add_argument("--tests", nargs="+", default=["tests/storage"])
    given = options.parse_args()
    paths = sorted((ROOT / "storage" / "scripts").glob("*.py"))
    wanted = [one for path in paths if not given.file or path.name in given.file for one in mutants(path)]
    with tempfile.TemporaryDirectory() as temporary:
        copies: Queue[Path] = Queue()
        for number in range(given.jobs):
            copies.put(copy_to(Path(temporary) / str(number)))
        numbers = count(1)

        def tried(mutant: Mutant) -> bool:
            folder = copies.get()
            try:
                found = is_found(folder, mutant, given.tests)
            finally:
                copies.put(folder)
            mark = "found" if found else "LEFT "
            print(
                f"{next(numbers)}/{len(wanted)} {mark} {mutant.path.name}:{mutant.line} {mutant.change}",
                flush=True,
            )
            return found

        with ThreadPoolExecutor(given.jobs) as pool:
            score = sum(pool.map(tried, wanted))
    print(f"{score} of {len(wanted)} mistakes were found")


if __name__ == "__main__":
    main()
