"""The folder in which a session's tools work, with the files that it was given at its beginning."""

from __future__ import annotations

import asyncio
import logging
import os
import shutil
from pathlib import Path

from supervisor.core.errors import ToolError
from supervisor.core.events.subagents import Inherited
from supervisor.core.state import Session
from supervisor.tools.path_guard import open_regular, parent_of

# Where it is noted which sessions have their files; no session id begins with a dot.
_MARKS = ".begun"
_log = logging.getLogger("flagman.tools")


class WorkDirs:
    """One folder a session, below `workspace`; a sub-agent's lies inside the one of who launched it."""

    def __init__(self, workspace: Path) -> None:
        self._workspace = workspace

    async def of(self, session: Session) -> Path:
        """The folder, which exists. What it inherits is copied before it is used first.

        Raises ToolError where a link that somebody put in the way leads elsewhere.
        """
        folder = self._made(session.folder)
        if session.inherited:
            mark = self._workspace / _MARKS / session.id
            if not mark.exists():
                await asyncio.to_thread(self._inherit, session.inherited, folder, mark)
        return folder

    def _made(self, name: str) -> Path:
        folder = self._workspace / name
        if os.path.realpath(folder) != os.path.join(os.path.realpath(self._workspace), name):
            raise ToolError("The session's folder cannot be used: a link leads out of it.")
        folder.mkdir(parents=True, exist_ok=True)
        return folder

    def _inherit(self, inherited: tuple[Inherited, ...], folder: Path, mark: Path) -> None:
        for given in inherited:
            for path in given.paths:
                try:
                    _copy(self._workspace / given.folder, path, folder, f"{given.into}/{path}")
                except (ToolError, OSError) as error:
                    # It was removed since, or lies on another machine; the agent sees that it is not there.
                    _log.warning("%s of %s could not be taken along: %s", path, given.folder, error)
        # The mark comes last: what was cut off is made up for.
        mark.parent.mkdir(exist_ok=True)
        mark.touch()


def _copy(source: Path, path: str, target: Path, to: str) -> None:
    """One regular file, which stays as it is where it is there already."""
    with parent_of(source, path) as (parent, name), parent_of(target, to, create=True) as (into, new):
        with os.fdopen(open_regular(parent, name), "rb") as found:
            partial = f".{new}.partial"
            flags = os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_NOFOLLOW | os.O_CLOEXEC
            with os.fdopen(os.open(partial, flags, 0o644, dir_fd=into), "wb") as copy:
                shutil.copyfileobj(found, copy)
        os.replace(partial, new, src_dir_fd=into, dst_dir_fd=into)
