"""Checks the files of an installation for `flagman doctor`: its personas, and its own tools."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator
from pathlib import Path

from bot.mcp_servers import configured
from bot.own_tools import all_tools, own_tools
from bot.settings import Settings
from bot.store_check import Finding
from supervisor.core.errors import FlagmanError
from supervisor.personas.loader import SHIPPED, load_personas, persona_paths


def check_personas(settings: Settings) -> Finding:
    """Whether the personas can be read, by people who may change them alone."""
    try:
        found = load_personas(settings.personas or SHIPPED, all_tools(settings), configured(settings))
    except FlagmanError as error:
        mend = "mend that line: a running Flagman uses the version before, and none starts with it"
        return Finding("Personas", "wrong", str(error), mend)
    if settings.personas:
        # What is changed in it counts at once.
        folder = settings.personas.resolve()
        if problem := _open(settings, "Personas", "FLAGMAN_PERSONAS", folder, persona_paths(folder)):
            return problem
    return Finding("Personas", "ok", ", ".join(sorted(found)))


def check_tools(settings: Settings) -> Iterator[Finding]:
    """The installation's own tools, each with where it comes from; nothing where there are none."""
    try:
        found = own_tools(settings)
    except FlagmanError as error:
        yield Finding("Own tools", "wrong", str(error), "mend it there: no Flagman starts with it")
        return
    if settings.tools:
        folder = settings.tools.resolve()
        if problem := _open(settings, "Own tools", "FLAGMAN_TOOLS", folder, folder.glob("*.py")):
            yield problem
    if found:
        said = "; ".join(f"{name} ({one.tool.risk}), {one.source}" for name, one in sorted(found.items()))
        yield Finding("Own tools", "ok", said)


def _open(
    settings: Settings, what: str, variable: str, folder: Path, files: Iterable[Path]
) -> Finding | None:
    """What is wrong with who may write the files; None where nothing is."""
    loose = [str(path) for path in (folder, *files) if writable(path, 0o002)]
    if loose:
        names = " ".join(loose)
        return Finding(what, "wrong", f"everybody may write {names}", f"chmod o-w {names}")
    if folder.is_relative_to(settings.workspace_folder.resolve()):
        said = f"{folder} is in the workspace, where commands of agents write"
        return Finding(what, "wrong", said, f"set {variable} to a folder elsewhere")
    return None


def writable(path: Path, others: int) -> bool:
    """Whether these others may write, by the mode of a file or folder that can be written at all."""
    return bool(path.stat().st_mode & others) and not os.statvfs(path).f_flag & os.ST_RDONLY
