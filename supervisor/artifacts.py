"""Artifacts: lists the files that a session has written, and reads them."""

from __future__ import annotations

import asyncio
import os
from dataclasses import dataclass
from pathlib import Path

from supervisor.core.errors import ArtifactNotFound, ArtifactTooLarge, ToolError
from supervisor.core.state import Session
from supervisor.tools.path_guard import (
    Folder,
    kind,
    open_folder,
    open_regular,
    parent_of,
    relative_path,
)

MOST_BYTES = 10 * 1024 * 1024
# The folder with an empty file for each session whose inherited files are copied; no session id begins with a dot.
_MARKS = ".begun"


@dataclass(frozen=True)
class Artifact:
    """A path in the session's folder; `size` in bytes is None where the file is not there.

    Then `removed` tells whether a call of the session has removed it; otherwise it is not on this machine.
    """

    path: str
    size: int | None
    removed: bool = False


class Artifacts:
    """Reads regular files below `workspace` that are in the session's log, and nothing else."""

    def __init__(self, workspace: Path) -> None:
        self._workspace = workspace

    def list(self, session: Session) -> list[Artifact]:
        """Return the files of a session, in the order of their last writing."""
        found = ((path, self._size(session, path), there) for path, there in session.files.items())
        return [Artifact(path, size, removed=size is None and not there) for path, size, there in found]

    def missing(self, session: Session) -> tuple[str, ...]:
        """Return those of its files that are not on this machine, though none of its calls has removed them."""
        return tuple(file.path for file in self.list(session) if file.size is None and not file.removed)

    async def read(self, session: Session, path: str) -> bytes:
        """Return the content of a file, at most 10 MiB. Raises ArtifactNotFound or ArtifactTooLarge."""
        listed = _path_in_log(session, path)
        try:
            return await asyncio.to_thread(self._read, session, listed)
        except (OSError, ToolError) as error:
            raise ArtifactNotFound(self._why(session, listed)) from error

    def _read(self, session: Session, path: str) -> bytes:
        with (
            parent_of(self._folder(session), path) as (parent, name),
            os.fdopen(open_regular(parent, name), "rb") as file,
        ):
            content = file.read(MOST_BYTES + 1)
        if len(content) > MOST_BYTES:
            raise ArtifactTooLarge(path, MOST_BYTES)
        return content

    def _size(self, session: Session, path: str) -> int | None:
        try:
            with parent_of(self._folder(session), path) as (parent, name):
                if kind(parent, name) != "file":
                    return None
                return os.stat(name, dir_fd=parent, follow_symlinks=False).st_size
        except (OSError, ToolError):
            return None

    def _folder(self, session: Session) -> Folder:
        """Open the session's folder, or that from which a copy will take its files as its first tool runs."""
        files = session.forked.files if session.forked else None
        if files and not mark_of(self._workspace, session).exists():
            return open_folder(self._workspace, files.folder)
        # A tool may have replaced the folder itself by a link, which is not followed.
        return open_folder(self._workspace, session.folder)

    def _why(self, session: Session, path: str) -> str:
        """Return why a file of the session cannot be read."""
        if not session.files[path]:
            return f"`{path}` is not there any more: a command of the session has removed it."
        try:
            self._folder(session)
        except (OSError, ToolError):
            return (
                f"`{path}` is not on this machine: the session worked on another one, or with another "
                "FLAGMAN_WORKSPACE."
            )
        return f"`{path}` is not on this machine any more."


def mark_of(workspace: Path, session: Session) -> Path:
    """Return the file that is there as soon as the files that the session inherits are in its folder."""
    return marks_folder(workspace) / session.id


def marks_folder(workspace: Path) -> Path:
    return workspace / _MARKS


def _path_in_log(session: Session, path: str) -> str:
    """Return the path as the log names it. Raises ArtifactNotFound."""
    try:
        plain = relative_path(path.strip())
    except ValueError:
        plain = path
    for listed in (path, plain):
        if listed in session.files:
            return listed
    known = ", ".join(f"`{listed[:80]}`" for listed in session.artifacts[-5:])
    hint = f"Among its files are {known}." if known else "It has written none."
    raise ArtifactNotFound(f"This session has written no file `{path[:200]}`. {hint}")
