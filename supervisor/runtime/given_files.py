"""Takes files that people attached into the session's folder, each under a name of its own in `attached/`.

A file is put in place whole, by a link that replaces nothing: taken again after a crash it is the same file, and
another file of its name keeps its own.
"""

from __future__ import annotations

import asyncio
import logging
import os
import re
import secrets
from collections.abc import Awaitable, Callable
from contextlib import suppress
from pathlib import PurePosixPath

from supervisor.core.commands.conversation import MOST_FILE_BYTES
from supervisor.core.errors import ToolError
from supervisor.core.events import LostFile, TakenFile
from supervisor.core.records import Attached
from supervisor.core.state import Session
from supervisor.core.text.sanitize import clean_text
from supervisor.core.text.visible import visible
from supervisor.runtime.work_dirs import WorkDirs
from supervisor.tools.path_guard import Folder, kind, open_regular, parent_of

# The most bytes of all files that are taken at once.
MOST_TOTAL = 200 * 2**20
INTO = "attached"
# Seconds before a file is asked for again, and the most seconds for all tries of one.
PAUSES, PATIENCE = (0.5, 2.0), 60.0
LONGEST_NAME = 100
# Other characters of a name are replaced: those with a meaning in paths and shells, and what is not seen.
_UNSAFE = re.compile(r"[^\w. ()+,=@-]+")
# The content of a file by its source, at most so many bytes. Raises ToolError with a reason, or OSError to try again.
Fetch = Callable[[str, int], Awaitable[bytes]]
_log = logging.getLogger("flagman.files")


async def no_fetch(source: str, most: int) -> bytes:
    """The default of a process that reaches no place from which files come."""
    raise ToolError("this Flagman cannot reach the place where it was attached")


class GivenFiles:
    """Takes the files of a session by `fetch`, or by what `fetch_of` returns for the session."""

    def __init__(
        self,
        folders: WorkDirs,
        fetch: Fetch = no_fetch,
        fetch_of: Callable[[Session], Awaitable[Fetch]] | None = None,
    ) -> None:
        self._folders, self._fetch, self._fetch_of = folders, fetch, fetch_of

    async def take(self, session: Session) -> tuple[list[TakenFile], list[LostFile]]:
        """Take every file that is to be taken. Returns those that are in the folder now, and those that are not."""
        taken: list[TakenFile] = []
        lost: list[LostFile] = []
        left = MOST_TOTAL
        fetch = (
            await self._fetch_of(session) if self._fetch_of and session.attachments.awaited else self._fetch
        )
        for file in session.attachments.awaited:
            try:
                content = await self._content(fetch, file, min(MOST_FILE_BYTES, left))
                folder = await self._folders.of(session)
                path = await asyncio.to_thread(_put, folder, safe_name(file.name), content)
            except ToolError as error:
                lost.append(LostFile(source=file.source, name=file.name, problem=str(error)))
            except OSError as error:
                _log.error("session %s: %s was not taken: %r", session.id, file.name, error)
                problem = "it could not be fetched or stored; attach it again in a while"
                lost.append(LostFile(source=file.source, name=file.name, problem=problem))
            else:
                left -= len(content)
                taken.append(TakenFile(source=file.source, path=path, size=len(content)))
        return taken, lost

    async def _content(self, fetch: Fetch, file: Attached, most: int) -> bytes:
        """The content of a file. Raises ToolError, or OSError after the last try."""
        if file.size > most:
            raise ToolError(too_large(file.size, most))
        try:
            async with asyncio.timeout(PATIENCE):
                for pause in PAUSES:
                    try:
                        return await fetch(file.source, most)
                    except OSError as error:
                        _log.info("%s is fetched again: %r", file.name, error)
                        await asyncio.sleep(pause)
                return await fetch(file.source, most)
        except TimeoutError as error:
            raise OSError("it took too long") from error


def too_large(size: int, most: int) -> str:
    return f"it has {size:,} bytes, and {most:,} is the most"


def safe_name(name: str) -> str:
    """Return the name of a file without any folder, and with characters that mean nothing to a path or a shell."""
    plain = PurePosixPath(visible(clean_text(name)).replace("\\", "/")).name
    plain = _UNSAFE.sub("_", plain).strip(" .")
    stem, dot, ending = plain.rpartition(".")
    if not dot or len(ending) > 16:
        return _shortened(plain, LONGEST_NAME) or "file"
    return f"{_shortened(stem, LONGEST_NAME - len(ending.encode()) - 1) or 'file'}.{ending}"


def _shortened(text: str, most: int) -> str:
    """Return the beginning of the text with at most so many bytes, which file systems count."""
    return text.encode()[:most].decode(errors="ignore")


def _put(folder: Folder, name: str, content: bytes) -> str:
    """Put a file into the folder and return its path there. Raises ToolError or OSError."""
    stem, dot, ending = name.rpartition(".")
    stem, ending = (stem, dot + ending) if stem else (name, "")
    for number in range(1, 1000):
        path = f"{INTO}/{stem}{f'-{number}' if number > 1 else ''}{ending}"
        with parent_of(folder, f"{INTO}/name", create=True) as (parent, _):
            if _link(parent, PurePosixPath(path).name, content):
                return path
    raise ToolError("there are too many files of its name")


def _link(parent: int, name: str, content: bytes) -> bool:
    """Put a file in place whole; False where another one of this name is there. The same one counts as put."""
    what = kind(parent, name)
    if what == "file":
        with os.fdopen(open_regular(parent, name), "rb") as file:
            return file.read(len(content) + 1) == content
    if what != "absent":
        return False
    beside = f".flagman-{secrets.token_hex(8)}"
    flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC
    try:
        with os.fdopen(os.open(beside, flags, 0o644, dir_fd=parent), "wb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        os.link(beside, name, src_dir_fd=parent, dst_dir_fd=parent, follow_symlinks=False)
    except FileExistsError:
        return False
    finally:
        with suppress(FileNotFoundError):
            os.unlink(beside, dir_fd=parent)
    os.fsync(parent)
    return True
