"""Help and completion import nothing that takes long."""

from __future__ import annotations

import subprocess
import sys

import pytest

from tests.cli.served import environment

# Typer itself loads pydantic to read the parameters of a command.
HEAVY = {
    "pydantic_settings",
    "aiohttp",
    "redis",
    "slack_bolt",
    "slack_sdk",
    "apscheduler",
    "pydantic_ai",
    "bot.settings",
}


@pytest.mark.parametrize("words", [["--help"], ["launch", "--help"], ["schedule", "add", "--help"]])
def test_help_imports_nothing_heavy(words: list[str]) -> None:
    done = subprocess.run(
        [sys.executable, "-X", "importtime", "-m", "bot.cli", *words],
        env=environment(),
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0
    assert "Usage:" in done.stdout
    loaded = {line.rpartition("|")[2].strip() for line in done.stderr.splitlines()}
    assert "bot.cli.app" in loaded
    assert loaded & HEAVY == set()


def test_completion_is_offered() -> None:
    done = subprocess.run(
        [sys.executable, "-c", "import sys; sys.argv = ['flagman']\nfrom bot.cli import main; main()"],
        env=environment(_FLAGMAN_COMPLETE="complete_bash", COMP_WORDS="flagman la", COMP_CWORD="1"),
        capture_output=True,
        text=True,
    )
    assert done.stdout.split() == ["launch"], done
