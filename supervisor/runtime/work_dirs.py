"""The folder in which a session's tools work, with the files that the session inherits from others."""

from __future__ import annotations

import asyncio
import logging
import os
import shutil
from pathlib import Path

from supervisor.core.errors import ToolError
from supervisor.core.events.subagents import Inherited
from supervisor.core.state import Session
from supervisor.tools.path_guard import Folder, open_folder, open_regular, parent_of

# The folder with an empty file for each session whose files are copied; no session id begins with a dot.
_MARKS = ".begun"
_log = logging.getLogger("flagman.tools")


class WorkDirs:
    """One folder for each session, below `workspace`; that of a sub-agent is inside the folder of its parent."""

    def __init__(self, workspace: Path) -> None:
        self._workspace = workspace

    async def of(self, session: Session) -> Folder:
        """Return the open folder of the session, created and filled with the inherited files at the first call.

        A sub-agent's folder is inside one in which others write, so no link on the way to it is followed. Raises
        ToolError where there is one, OSError.
        """
        folder = open_folder(self._workspace, session.folder, create=True)
        if session.inherited:
            mark = self._workspace / _MARKS / session.id
            if not mark.exists():
                await asyncio.to_thread(self._inherit, session.inherited, folder, mark)
        return folder

    def _inherit(self, inherited: tuple[Inherited, ...], folder: Folder, mark: Path) -> None:
        for given in inherited:
            for path in given.paths:
                try:
                    _copy(open_folder(self._workspace, given.folder), path, folder, f"{given.into}/{path}")
                except (ToolError, OSError, ValueError) as error:
                    # The file was removed, or is on another machine; the agent notices that it is missing.
                    _log.warning("%s of %s could not be taken along: %s", path, given.folder, error)
        # The mark comes last, so that interrupted copying is repeated.
        mark.parent.mkdir(exist_ok=True)
        mark.touch()


def _copy(source: Folder, path: str, target: Folder, to: str) -> None:
    """Copy one regular file, replacing the target whole."""
    with parent_of(source, path) as (parent, name), parent_of(target, to, create=True) as (into, new):
        with os.fdopen(open_regular(parent, name), "rb") as found:
            partial = f".{new}.partial"
            flags = os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_NOFOLLOW | os.O_CLOEXEC
            with os.fdopen(os.open(partial, flags, 0o644, dir_fd=into), "wb") as copy:
                shutil.copyfileobj(found, copy)
        os.replace(partial, new, src_dir_fd=into, dst_dir_fd=into)
