"""Opens files inside one folder only, and below it follows no link, also none that is put there meanwhile.

A rule about a path, such as `within`, holds for the file that is opened: a link could give it another place.
"""

from __future__ import annotations

import errno
import os
import stat
import weakref
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path, PurePosixPath

from supervisor.core.errors import ToolError

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

    No link is followed, neither on the way nor at its end. `create` makes missing folders on the way. Raises ToolError
    for a path that leads outside or through a link, OSError for one that cannot be opened.
    """
    try:
        *steps, name = PurePosixPath(relative_path(path)).parts or (".",)
    except ValueError as error:
        raise ToolError(f"`{path}` cannot be used: {error}.") from error
    current = os.dup(folder.descriptor)
    try:
        for number, step in enumerate(steps, start=1):
            following = _inner_step(current, step, "/".join(steps[:number]), create=create)
            os.close(current)
            current = following
        if kind(current, name) == "link":
            raise _link("/".join((*steps, name)))
        yield current, name
    finally:
        os.close(current)


def _inner_step(current: int, name: str, path: str, *, create: bool) -> int:
    try:
        return _step(current, name, create=create)
    except OSError as error:
        if error.errno in (errno.ENOTDIR, errno.ELOOP) and kind(current, name) == "link":
            raise _link(path) from error
        raise


def _link(path: str) -> ToolError:
    return ToolError(f"`{path}` is a link, and links are not followed; name the file itself.")


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
