"""The tools `read_file` and `write_file`, for the session's own folder."""

from __future__ import annotations

import asyncio
import os
import secrets
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from difflib import unified_diff
from functools import partial
from typing import Annotated

from pydantic import AfterValidator, Field

from supervisor.core.errors import ToolError
from supervisor.core.messages import Json
from supervisor.core.text.format import count
from supervisor.core.text.visible import call_name
from supervisor.tools.contract import ToolContext, ToolOutput, Verdict
from supervisor.tools.path_guard import kind, open_regular, parent_of, relative_path
from supervisor.tools.typed_tool import tool

MOST_BYTES = 1024 * 1024
DEFAULT_BYTES = 64 * 1024
MOST_ENTRIES = 500
# The most bytes after the first of a character in UTF-8, through which a cut may go.
CONTINUATION = 3
# Bytes beyond a cut in which the rest of a secret is looked for.
BESIDE = 4 * 1024


def _not_too_long(content: str) -> str:
    size = len(content.encode())
    if size > MOST_BYTES:
        raise ValueError(f"has {size:,} bytes, and {MOST_BYTES:,} is the most; write it in several files")
    return content


Inner = Annotated[
    str,
    Field(description="Relative to the session's folder.", max_length=4_096),
    AfterValidator(relative_path),
]
Content = Annotated[str, Field(description="The whole new content, as text."), AfterValidator(_not_too_long)]


@tool(changes=False, idempotent=True)
async def read_file(
    path: Inner,
    ctx: ToolContext,
    offset: Annotated[int, Field(description="Byte to start at.", ge=0)] = 0,
    limit: Annotated[int, Field(description="Most bytes to read.", ge=1, le=MOST_BYTES)] = DEFAULT_BYTES,
) -> str:
    """Read a text file in the session's folder, or list a folder (`.` is the session's folder itself).

    A longer file is cut, with a note on how to read on.
    """
    return await asyncio.to_thread(_read, ctx, path, offset, limit)


async def _verify_written(arguments: Json, ctx: ToolContext) -> tuple[Verdict, str]:
    """Return whether the file has exactly the content that the call was to write."""
    path, content = str(arguments["path"]), str(arguments["content"]).encode()

    def compare() -> tuple[Verdict, str]:
        with _friendly(path), parent_of(ctx.held(), path) as (parent, name):
            if kind(parent, name) != "file":
                return "not_done", f"`{path}` is not there."
            with os.fdopen(open_regular(parent, name), "rb") as file:
                same = file.read(MOST_BYTES + 1) == content
        return (
            ("done", f"`{path}` has the content.") if same else ("not_done", f"`{path}` has other content.")
        )

    try:
        return await asyncio.to_thread(compare)
    except ToolError as error:
        return "unknown", str(error)


async def _preview_written(arguments: Json, ctx: ToolContext) -> str:
    """Return the difference that the call would make to the file as it is now."""
    path, content = str(arguments["path"]), str(arguments["content"])

    def compare() -> str:
        with _friendly(path), parent_of(ctx.held(), path) as (parent, name):
            if kind(parent, name) != "file":
                return f"A new file with {count(len(content.splitlines()), 'line')}."
            with os.fdopen(open_regular(parent, name), "rb") as file:
                before = file.read(MOST_BYTES + 1)
        try:
            old = before.decode()
        except UnicodeDecodeError:
            old = ""
        if len(before) > MOST_BYTES or (before and not old):
            return "It replaces a file that is too long, or no text, for a comparison."
        lines = unified_diff(old.splitlines(), content.splitlines(), "now", "then", n=2, lineterm="")
        return "\n".join(lines) or "The file has this content already."

    try:
        return await asyncio.to_thread(compare)
    except ToolError as error:
        # Its folder is made with it.
        return "A new file." if "There is no" in str(error) else str(error)


@tool(
    changes=True,
    idempotent=True,
    interruptible=False,
    verify=_verify_written,
    dry_run=_preview_written,
)
async def write_file(path: Inner, content: Content, ctx: ToolContext) -> ToolOutput:
    """Write a text file in the session's folder, whole: it is created with its folders, or replaced."""
    report = await asyncio.to_thread(_write, ctx, path, content.encode())
    return ToolOutput(report, artifacts=(path,))


def _read(ctx: ToolContext, path: str, offset: int, limit: int) -> str:
    with _friendly(path), parent_of(ctx.held(), path) as (parent, name):
        what = kind(parent, name)
        if what == "folder":
            return _list_folder(parent, name, path, ctx.mask)
        if what == "special":
            raise ToolError(f"`{path}` is a device, pipe or socket, not a file.")
        with os.fdopen(open_regular(parent, name), "rb") as file:
            size = os.fstat(file.fileno()).st_size
            if offset and offset >= size:
                raise ToolError(f"`{path}` has {size:,} bytes; offset={offset} is behind its end.")
            file.seek(max(0, offset - BESIDE))
            before, data, after = (file.read(n) for n in (min(offset, BESIDE), limit, BESIDE))
            return _shown(path, data, offset, size, partial(_mask_cuts, ctx.mask, before, after))


def _mask_cuts(mask: Callable[[str], str], before: bytes, after: bytes, text: str) -> str:
    """Return the text masked together with what is before and after it, since a part of a secret is not found."""
    if not before and not after:
        return text
    left, right = (part.decode(errors="ignore") for part in (before, after))
    whole, left_masked, right_masked = mask(left + text + right), mask(left), mask(right)
    begin = len(os.path.commonprefix([whole, left_masked]))  # noqa: RUF071  by characters
    rest = whole[begin:]
    end = len(os.path.commonprefix([rest[::-1], right_masked[::-1]]))  # noqa: RUF071  by characters
    return rest[: len(rest) - end]


def _shown(path: str, data: bytes, offset: int, size: int, mask: Callable[[str], str]) -> str:
    """Return the part as text with a note on what follows it, or a description of a binary file."""
    start = offset
    if offset:
        cut = next((i for i, byte in enumerate(data[: CONTINUATION + 1]) if byte & 0xC0 != 0x80), 0)
        data, start = data[cut:], offset + cut
    if start + len(data) < size:
        data = _whole_characters(data)
    try:
        text = data.decode()
    except UnicodeDecodeError:
        text = "\0"
    if "\0" in text:
        return f"`{path}` is not text but binary: {size:,} bytes; these begin with {data[:16].hex(' ')}."
    text, end = mask(text), start + len(data)
    if end >= size:
        return text
    return (
        f"{text}\n[Cut: bytes {start} to {end} of {size}; {size - end} are left. Read on with offset={end}.]"
    )


def _whole_characters(data: bytes) -> bytes:
    """Return the data without an incomplete character at its end; never empty."""
    for back in range(1, min(CONTINUATION, len(data) - 1) + 1):
        byte = data[-back]
        if byte & 0xC0 == 0x80:
            continue
        length = 1 if byte < 0x80 else 2 if byte < 0xE0 else 3 if byte < 0xF0 else 4
        return data[:-back] if length > back else data
    return data


def _list_folder(parent: int, name: str, path: str, mask: Callable[[str], str]) -> str:
    folder = os.open(name, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC, dir_fd=parent)
    try:
        with os.scandir(folder) as entries:
            names = sorted(entry.name + "/" * entry.is_dir(follow_symlinks=False) for entry in entries)
    finally:
        os.close(folder)
    # A name with a line break is not to look like two.
    shown = "\n".join(call_name(mask(name)) for name in names[:MOST_ENTRIES])
    left = len(names) - MOST_ENTRIES
    note = f"\n[Cut: {left} more entries are not listed.]" if left > 0 else ""
    return f"`{path}` is a folder with {len(names)} entries.\n{shown}{note}".strip()


def _write(ctx: ToolContext, path: str, content: bytes) -> str:
    with _friendly(path), parent_of(ctx.held(), path, create=True) as (parent, name):
        what = kind(parent, name)
        if what not in ("file", "absent"):
            raise ToolError(f"`{path}` is a {what} and cannot be written as a file.")
        mode = (
            os.stat(name, dir_fd=parent, follow_symlinks=False).st_mode & 0o777 if what == "file" else 0o644
        )
        _replace(parent, name, content, mode)
    return (
        f"Wrote {len(content):,} bytes to `{path}`, {'a new file' if what == 'absent' else 'replacing it'}."
    )


def _replace(parent: int, name: str, content: bytes, mode: int) -> None:
    """Write a new file and rename it, so that readers, also after a crash, see the old or the new content."""
    beside = f".flagman-{secrets.token_hex(8)}"
    flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC
    try:
        with os.fdopen(os.open(beside, flags, mode, dir_fd=parent), "wb") as file:
            file.write(content)
            file.flush()
            os.fchmod(file.fileno(), mode)
            os.fsync(file.fileno())
        os.replace(beside, name, src_dir_fd=parent, dst_dir_fd=parent)
    except BaseException:
        with suppress(FileNotFoundError):
            os.unlink(beside, dir_fd=parent)
        raise
    os.fsync(parent)


@contextmanager
def _friendly(path: str) -> Iterator[None]:
    """Raise ToolError, with a message for the model, in place of OSError."""
    try:
        yield
    except FileNotFoundError as error:
        raise ToolError(f"There is no `{path}` in the session's folder.") from error
    except OSError as error:
        raise ToolError(f"`{path}` cannot be used: {error.strerror or error}.") from error
