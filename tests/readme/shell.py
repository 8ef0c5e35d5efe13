"""Runs a line of the README in a shell, with nothing but its placeholders filled in."""

from __future__ import annotations

import subprocess
from dataclasses import replace
from pathlib import Path

from tests.cli.served import SCRIPT, Cli, Served
from tests.cli.terminal import Terminal
from tests.readme.examples import ADDRESS, CALL, SESSION

# `flagman` is found without its folder, as in the environment that `make run` makes.
PATH = str(Path(SCRIPT).parent)
# What is said to curl besides: fail on a refusal, and do not wait for ever.
CURL = "fail\nsilent\nshow-error\nmax-time = 30\n"


def filled_in(line: str, flagman: Served, session_id: str = "", call_id: str = "") -> str:
    """The line for this Flagman, this session and this call."""
    return line.replace(ADDRESS, flagman.url).replace(SESSION, session_id).replace(CALL, call_id)


def typed(line: str, flagman: Served) -> Terminal:
    """The line, typed on a terminal."""
    return Terminal(_at_home(flagman.cli), "-c", line, program="sh")


def output(line: str, flagman: Served, key: str = "") -> str:
    """What the line prints into a pipe, once it has ended well; `$KEY` is the key."""
    cli = _at_home(flagman.cli)
    (cli.folder / ".curlrc").write_text(CURL)
    done = subprocess.run(
        ["sh", "-c", line],
        cwd=cli.folder,
        env={**cli.environment, "KEY": key, "CURL_HOME": str(cli.folder)},
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert done.returncode == 0, (line, done.stdout, done.stderr)
    return done.stdout


def _at_home(cli: Cli) -> Cli:
    found = cli.environment.get("PATH", "")
    return replace(cli, environment={**cli.environment, "PATH": f"{PATH}:{found}"})
