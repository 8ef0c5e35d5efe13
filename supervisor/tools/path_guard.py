"""Opens files inside one folder only; links that lead out of it are refused, also where they are changed meanwhile."""

from __future__ import annotations

import errno
import os
import stat
import weakref
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path, PurePosixPath

from supervisor.core.errors import ToolError

MOST_LINKS = 40
FOLDER = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC


def relative_path(text: str) -> str:
    """Return the path in its normal form (`./a//b` is `a/b`). Raises ValueError if it is absolute or has `..`."""
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


class Folder:
    """An open folder. `path` is its name for people and commands, even if another folder is there by now.

    The descriptor is closed with the last reference to the object, which a running function may hold.
    """

    def __init__(self, path: Path, descriptor: int) -> None:
        self.path, self.descriptor = path, descriptor
        weakref.finalize(self, os.close, descriptor)


def open_folder(root: Path, name: str = ".", *, create: bool = False) -> Folder:
    """Open the folder `name` below `root`, step by step: below `root` no link is followed.

    `create` makes missing folders. Raises ToolError where a step is not a folder, OSError where it cannot be opened.
    """
    root = Path(os.path.realpath(root))
    steps = PurePosixPath(relative_path(name)).parts
    current = os.open(root, FOLDER)
    try:
        for step in steps:
            following = _step(current, step, create=create)
            os.close(current)
            current = following
    except OSError as error:
        os.close(current)
        if error.errno in (errno.ENOTDIR, errno.ELOOP):
            raise ToolError("The session's folder cannot be used: a link leads out of it.") from error
        raise
    return Folder(root.joinpath(*steps), current)


@contextmanager
def parent_of(folder: Folder, path: str, *, create: bool = False) -> Iterator[tuple[int, str]]:
    """Yield a descriptor of the folder that holds `path`, and the name in it (`.` for `folder` itself).

    Links inside `folder` are followed as long as they stay in it; each step is opened without following links, so that
    a link created in between is refused. `create` makes missing folders on the way. Raises ToolError for a path that
    leads outside, OSError for one that cannot be opened.
    """
    try:
        inner = relative_path(path)
    except ValueError as error:
        raise ToolError(f"`{path}` cannot be used: {error}.") from error
    # The folders from `folder` down to the current one: `..` is the one before, and never above the first.
    way = [os.dup(folder.descriptor)]
    try:
        name = _walk(folder.path, way, inner, path, create=create)
        yield way[-1], name
    finally:
        for descriptor in way:
            os.close(descriptor)


def _walk(root: Path, way: list[int], inner: str, path: str, *, create: bool) -> str:
    """Open what leads to `inner`, each folder appended to `way`; returns the last name, `.` for the last folder."""
    outside = ToolError(f"`{path}` leads out of the session's folder.")
    left, links = list(PurePosixPath(inner).parts), 0
    while left:
        step = left.pop(0)
        if step == "..":
            if len(way) == 1:
                raise outside
            os.close(way.pop())
            continue
        target = _target(way[-1], step)
        if target is None:
            if not left:
                return step
            way.append(_step(way[-1], step, create=create))
            continue
        links += 1
        if links > MOST_LINKS:
            raise OSError(errno.ELOOP, os.strerror(errno.ELOOP))
        if target.is_absolute():
            if not target.is_relative_to(root):
                raise outside
            target = target.relative_to(root)
            while len(way) > 1:
                os.close(way.pop())
        left[:0] = target.parts
    return "."


def _target(folder: int, name: str) -> PurePosixPath | None:
    """Return where a link leads; None if the entry is no link or is not there."""
    try:
        return PurePosixPath(os.readlink(name, dir_fd=folder))
    except OSError as error:
        if error.errno in (errno.EINVAL, errno.ENOENT):
            return None
        raise


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
    """Return the kind of an entry: `file`, `folder`, `absent`, `link` or `special` (a device, pipe or socket)."""
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
