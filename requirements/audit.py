"""Checks the pinned dependencies: their hashes, where they come from, their licenses, and known vulnerabilities.

    python requirements/audit.py [--offline | --offline-ok]

All but the last needs no network. For the last, pip-audit asks an advisory service; it is installed into an environment
of its own. `--offline` leaves it out; with `--offline-ok`, a service that does not answer is told and no failure.
The exit code is 1 where something is wrong, and where nothing could be asked.
"""

from __future__ import annotations

import argparse
import json
import re
import subprocess
import sys
import tomllib
import venv
from collections.abc import Iterator
from importlib.metadata import PackageNotFoundError, distribution
from pathlib import Path
from typing import Any

from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

ROOT = Path(__file__).resolve().parent.parent
AUDITOR = "pip-audit==2.10.1"
HOME = ROOT / ".venv" / "audit"
_PIN = re.compile(r"^(?P<name>[A-Za-z0-9._-]+)==(?P<version>[^ ;\\]+)")
SECONDS = 300


def entries(file: Path) -> Iterator[str]:
    """The requirements of a file, each with its hashes and the comments below it."""
    entry: list[str] = []
    for line in file.read_text(encoding="utf-8").splitlines():
        if line and not line.startswith((" ", "#")):
            if entry:
                yield "\n".join(entry)
            entry = []
        entry.append(line)
    yield "\n".join(entry)


def pins(file: Path, problems: list[str]) -> dict[str, str]:
    """The entries by the name of their package. Adds a problem for each that is not pinned with a hash."""
    found: dict[str, str] = {}
    for entry in entries(file):
        pin = _PIN.match(entry)
        if pin is None or "--hash=sha256:" not in entry:
            problems.append(f"{file.name}: {entry.splitlines()[0]} is not pinned with hashes")
        if pin:
            found[canonicalize_name(pin["name"])] = entry
    return found


def reached(declared: list[str], pinned: dict[str, str]) -> set[str]:
    """The pinned packages that a declared one needs, by the metadata of what is installed.

    What is not installed here, since it is for another system, needs what the file says that it does.
    """
    found: set[tuple[str, str]] = set()
    left = [Requirement(line) for line in declared]
    while left:
        wanted = left.pop()
        name = canonicalize_name(wanted.name)
        for extra in ("", *wanted.extras):
            if (name, extra) in found or name not in pinned:
                continue
            found.add((name, extra))
            left += [
                each
                for each in needs(name, pinned)
                if each.marker is None or _may_hold(str(each.marker), extra)
            ]
    return {name for name, _ in found}


def needs(name: str, pinned: dict[str, str]) -> list[Requirement]:
    """What a package requires."""
    try:
        return [Requirement(line) for line in distribution(name).requires or ()]
    except PackageNotFoundError:
        via = re.compile(rf"^ +#(?: +via)? +{re.escape(name)}$", re.MULTILINE)
        return [Requirement(other) for other, entry in pinned.items() if via.search(entry)]


def _may_hold(marker: str, extra: str) -> bool:
    """Whether a marker may be true with this extra, on some system."""
    asked = re.findall(r"extra == ['\"]([^'\"]+)", marker)
    return not asked or canonicalize_name(extra) in map(canonicalize_name, asked)


def unlicensed(name: str) -> bool:
    """Whether an installed package names no license."""
    try:
        about = distribution(name).metadata
    except PackageNotFoundError:
        return False
    named = [about[key] for key in ("License-Expression", "License", "License-File") if key in about]
    named += [one for one in about.get_all("Classifier") or () if one.startswith("License ::")]
    return not any(named)


def offline() -> list[str]:
    """The problems that are found without any network."""
    problems: list[str] = []
    project: dict[str, Any] = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
    runs = project["project"]["dependencies"]
    for file, declared in (("base.txt", runs), ("dev.txt", [*runs, *project["dependency-groups"]["dev"]])):
        pinned = pins(ROOT / "requirements" / file, problems)
        stray = pinned.keys() - reached(declared, pinned)
        problems += [f"{file}: nothing in pyproject.toml needs {name}" for name in sorted(stray)]
        problems += [f"{file}: {name} names no license" for name in sorted(pinned) if unlicensed(name)]
    return problems


def ask() -> tuple[list[str], str]:
    """The known vulnerabilities, and why they could not be asked for; empty where they were."""
    program = HOME / "bin" / "pip-audit"
    try:
        if not program.exists():
            venv.create(HOME, with_pip=True)
            _run(
                str(HOME / "bin" / "pip"),
                "install",
                "--quiet",
                "--disable-pip-version-check",
                AUDITOR,
                check=True,
            )
        ran = _run(
            str(program), "--disable-pip", "--require-hashes", "--progress-spinner", "off", "--format", "json",
            "--requirement", str(ROOT / "requirements" / "base.txt"),
        )  # fmt: skip
        rows = json.loads(ran.stdout)["dependencies"]
    except (OSError, subprocess.SubprocessError) as error:
        return [], f"pip-audit cannot be installed ({type(error).__name__})"
    except ValueError:
        said = ran.stderr.strip().splitlines() or [f"exit code {ran.returncode}"]
        return [], f"the advisory service does not answer ({said[-1][:200]})"
    found = [
        f"{row['name']} {row['version']}: {one['id']}, fixed in {', '.join(one['fix_versions']) or 'no version'}"
        for row in rows
        for one in row.get("vulns", ())
    ]
    skipped = [f"{row['name']}: {row['skip_reason']}" for row in rows if "skip_reason" in row]
    if rows and len(skipped) == len(rows):
        return [], "the advisory service knows none of them, as where a mirror stands in for the registry"
    return found + skipped, ""


def _run(*line: str, check: bool = False) -> subprocess.CompletedProcess[str]:
    return subprocess.run(line, capture_output=True, text=True, timeout=SECONDS, check=check)  # noqa: S603


def main() -> int:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--offline", action="store_true", help="ask no advisory service")
    parser.add_argument("--offline-ok", action="store_true", help="an advisory service may be out of reach")
    given = parser.parse_args()
    problems, unasked = offline(), "not asked"
    if not given.offline:
        vulnerable, unasked = ask()
        problems += vulnerable
    told = f"Nothing was audited for vulnerabilities: {unasked}." if unasked else "No known vulnerabilities."
    if not problems:
        told = f"Pinned with hashes, needed by pyproject.toml, and licensed: all dependencies. {told}"
    lines = problems if problems and not unasked else [*problems, told]
    sys.stdout.write("".join(f"{line}\n" for line in lines))
    return int(bool(problems) or (bool(unasked) and not (given.offline or given.offline_ok)))


if __name__ == "__main__":
    sys.exit(main())
