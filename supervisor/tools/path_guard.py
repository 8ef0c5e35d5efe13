"""Opens files inside one folder only; links that lead out of it are refused, also where they are changed meanwhile."""

from __future__ import annotations

import os
import stat
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path, PurePosixPath

from supervisor.core.errors import ToolError

FOLDER = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC


def relative_path(text: str) -> str:
    """The path in its normal form (`./a//b` is `a/b`). Raises ValueError unless it is relative and without `..`."""
    if "\0" in text:
        raise ValueError("a path has no NUL character")
    if not text.strip():
        raise ValueError("the path is empty; `.` is the folder itself")
    path = PurePosixPath(text)
    if path.is_absolute():
        raise ValueError("the path must be relative to the session's folder")
    if ".." in path.parts:
        raise ValueError("the path must not contain `..`")
    return str(path)


@contextmanager
def parent_of(folder: Path, path: str, *, create: bool = False) -> Iterator[tuple[int, str]]:
    """A descriptor of the folder that holds `path`, and the name in it (`.` for `folder` itself).

    Links inside `folder` are followed as long as they stay in it. Then each step is opened without following links, so
    that a link created in between is refused. `create` makes missing folders on the way. Raises ToolError for a path
    that leads outside, OSError for one that cannot be opened.
    """
    try:
        inner = relative_path(path)
    except ValueError as error:
        raise ToolError(f"`{path}` cannot be used: {error}.") from error
    root = os.path.realpath(folder)
    target = os.path.realpath(os.path.join(root, inner))
    if os.path.commonpath([root, target]) != root:
        raise ToolError(f"`{path}` leads out of the session's folder.")
    *steps, name = PurePosixPath(os.path.relpath(target, root)).parts or (".",)
    current = os.open(root, FOLDER)
    try:
        for step in steps:
            following = _step(current, step, create=create)
            os.close(current)
            current = following
        yield current, name
    finally:
        os.close(current)


def _step(current: int, name: str, *, create: bool) -> int:
    if create:
        try:
            os.mkdir(name, 0o755, dir_fd=current)
        except FileExistsError:
            pass
        else:
            os.fsync(current)
    return os.open(name, FOLDER, dir_fd=current)


def kind(parent: int, name: str) -> str:
    """The kind of an entry: `file`, `folder`, `absent`, `link` or `special` (a device, pipe or socket)."""
    try:
        mode = os.stat(name, dir_fd=parent, follow_symlinks=False).st_mode
    except FileNotFoundError:
        return "absent"
    if stat.S_ISREG(mode):
        return "file"
    if stat.S_ISDIR(mode):
        return "folder"
    return "link" if stat.S_ISLNK(mode) else "special"


def open_regular(parent: int, name: str) -> int:
    """Open a regular file for reading and return its descriptor. Raises ToolError where it is of another kind."""
    # O_NONBLOCK: opening a pipe in its place must not block.
    descriptor = os.open(name, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC, dir_fd=parent)
    if not stat.S_ISREG(os.fstat(descriptor).st_mode):
        os.close(descriptor)
        raise ToolError(f"`{name}` is not a regular file.")
    return descriptor
