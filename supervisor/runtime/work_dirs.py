"""The folder in which a session's tools work, with the files that the session inherits from others."""

from __future__ import annotations

import asyncio
import logging
import os
import shutil
from pathlib import Path

from supervisor.artifacts import mark_of
from supervisor.core.errors import ToolError
from supervisor.core.events.subagents import Inherited
from supervisor.core.state import Session
from supervisor.tools.path_guard import Folder, open_folder, open_regular, parent_of

# The most bytes that are copied for one session.
MOST_COPIED = 2 * 2**30
_log = logging.getLogger("flagman.tools")


class WorkDirs:
    """One folder for each session, below `workspace`; that of a sub-agent is inside the folder of its parent."""

    def __init__(self, workspace: Path) -> None:
        self._workspace = workspace
        self._missing: dict[str, tuple[str, ...]] = {}

    async def of(self, session: Session) -> Folder:
        """Return the open folder of the session, created and filled with the inherited files at the first call.

        A sub-agent's folder is inside one in which others write, so no link on the way to it is followed. Raises
        ToolError where there is one, OSError.
        """
        try:
            folder = open_folder(self._workspace, session.folder)
        except FileNotFoundError:
            # A new folder is on the disk before it is used, for which the event loop would wait.
            folder = await asyncio.to_thread(open_folder, self._workspace, session.folder, create=True)
        if session.inherited:
            mark = mark_of(self._workspace, session)
            if not mark.exists():
                missing = await asyncio.to_thread(self._inherit, session.inherited, folder, mark)
                self._missing[session.id] = missing
        return folder

    def take_missing(self, session_id: str) -> tuple[str, ...]:
        """Return, once, the inherited files that could not be copied, as they would be named in its folder."""
        return self._missing.pop(session_id, ())

    def _inherit(self, inherited: tuple[Inherited, ...], folder: Folder, mark: Path) -> tuple[str, ...]:
        missing: list[str] = []
        left = MOST_COPIED
        for given in inherited:
            for path in given.paths:
                to = path if given.into == "." else f"{given.into}/{path}"
                try:
                    left -= _copy(open_folder(self._workspace, given.folder), path, folder, to, left)
                except (ToolError, OSError, ValueError) as error:
                    # The file was removed, is on another machine, or is too large.
                    _log.warning("%s of %s could not be taken along: %s", path, given.folder, error)
                    missing.append(to)
        # The mark comes last, so that interrupted copying is repeated.
        mark.parent.mkdir(exist_ok=True)
        mark.touch()
        return tuple(missing)


def _copy(source: Folder, path: str, target: Folder, to: str, most: int) -> int:
    """Copy one regular file of at most `most` bytes, replacing the target whole; returns its size in bytes."""
    with parent_of(source, path) as (parent, name), parent_of(target, to, create=True) as (into, new):
        with os.fdopen(open_regular(parent, name), "rb") as found:
            seen = os.fstat(found.fileno())
            if seen.st_size > most:
                raise ToolError(f"it has {seen.st_size:,} bytes, and there is room for {most:,}")
            partial = f".{new}.partial"
            flags = os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_NOFOLLOW | os.O_CLOEXEC
            with os.fdopen(os.open(partial, flags, 0o644, dir_fd=into), "wb") as copy:
                # A program stays one that can be run.
                os.fchmod(copy.fileno(), 0o644 | (seen.st_mode & 0o111))
                shutil.copyfileobj(found, copy)
        os.replace(partial, new, src_dir_fd=into, dst_dir_fd=into)
    return seen.st_size
