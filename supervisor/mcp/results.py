"""The result of a call of an MCP server as bounded text for the model, and files."""

from __future__ import annotations

import base64
import binascii
import json
import os
import re
from collections.abc import Callable, Sequence
from mimetypes import guess_extension
from pathlib import PurePosixPath
from typing import TYPE_CHECKING, Any

from supervisor.core.errors import ToolError
from supervisor.core.text.sanitize import clean_text
from supervisor.tools.contract import ToolContext, ToolOutput
from supervisor.tools.path_guard import Folder, parent_of

if TYPE_CHECKING:
    from mcp_types import CallToolResult

# Characters of text for the model, and of one part that stands beside others.
MOST_TEXT = 64 * 1024
# Characters beyond a cut in which the rest of a secret is looked for.
BESIDE = 4 * 1024
MOST_PARTS = 100
MOST_FILES = 20
MOST_FILE_BYTES = 10 * 1024 * 1024
_EMPTY = "It ended without a result."


def output_of(result: CallToolResult, ctx: ToolContext, notes: Sequence[str] = ()) -> ToolOutput:
    """Return the output of a call; writes its files into the session's folder. Blocks the thread.

    Raises ToolError with the text of a result that is an error.
    """
    parts = _Parts(ctx)
    for block in result.content[:MOST_PARTS]:
        parts.add(block)
    if left := len(result.content) - MOST_PARTS:
        parts.note(f"{left:,} more parts are left out") if left > 0 else None
    structured = result.structured_content
    if structured is not None and not parts.has(structured):
        parts.text.append(json.dumps(structured, ensure_ascii=False))
    for said in notes:
        parts.note(said)
    content = bounded("\n\n".join(parts.text), ctx.mask) or _EMPTY
    if result.is_error:
        raise ToolError(content)
    return ToolOutput(content, tuple(parts.files))


def bounded(text: str, mask: Callable[[str], str]) -> str:
    """Return the text, of which the middle is left out where it is too long, without a part of a secret at a cut."""
    text = clean_text(text)
    if len(text) <= MOST_TEXT:
        return text
    half = MOST_TEXT // 2
    head = mask(text[: half + BESIDE])[:half]
    tail = mask(text[-half - BESIDE :])[-half:]
    return f"{head}\n[… {len(text) - MOST_TEXT:,} characters are left out here …]\n{tail}"


class _Parts:
    """The parts of a result: `text` for the model, and `files`, whose paths are in the session's folder."""

    def __init__(self, ctx: ToolContext) -> None:
        self._ctx = ctx
        self._names: set[str] = set()
        self.text: list[str] = []
        self.files: list[str] = []

    def note(self, words: str) -> None:
        self.text.append(f"[{words}.]")

    def has(self, structured: Any) -> bool:
        """Whether a part is this value as JSON, as servers send it for clients that know text only."""
        for text in self.text:
            try:
                if json.loads(text) == structured:
                    return True
            except (ValueError, RecursionError):
                continue
        return False

    def add(self, block: Any) -> None:
        """Take a part of any kind."""
        audience = getattr(block.annotations, "audience", None)
        if audience and "assistant" not in audience:
            self._for_people(block)
            return
        match block.type:
            case "text":
                self.text.append(block.text)
            case "image" | "audio":
                self._file(block.data, block.type, block.mime_type)
            case "resource_link":
                described = f": {block.description}" if block.description else ""
                self.note(f"a link to {block.title or block.name} at {block.uri}{described}")
            case "resource":
                self._resource(block.resource)
            case other:
                self.note(f"a part of the kind {str(other)[:40]}, which is not shown")

    def _for_people(self, block: Any) -> None:
        """Keep what the server means for people and not for the model in a file."""
        if block.type == "text":
            self._write(block.text.encode("utf-8", "replace"), "for-people", ".txt", "a text for people")
        elif block.type in ("image", "audio"):
            self._file(block.data, block.type, block.mime_type)
        elif block.type == "resource":
            self._resource(block.resource, for_people=True)
        else:
            self.note(f"a link for people: {block.uri}")

    def _resource(self, resource: Any, *, for_people: bool = False) -> None:
        text = getattr(resource, "text", None)
        if text is None:
            self._file(resource.blob, _base_name(resource.uri), resource.mime_type or "")
        elif for_people:
            self._write(text.encode("utf-8", "replace"), _base_name(resource.uri), ".txt", str(resource.uri))
        else:
            self.text.append(f"[{resource.uri}]\n{text}")

    def _file(self, data: str, name: str, mime_type: str) -> None:
        try:
            content = base64.b64decode(data, validate=True)
        except (binascii.Error, ValueError):
            self.note(f"a part of the type {mime_type[:80] or 'unknown'} is left out: it is no base64")
            return
        kind = mime_type.partition(";")[0].strip().lower()[:80]
        self._write(content, name, guess_extension(kind) or ".bin", kind or "a file")

    def _write(self, content: bytes, name: str, extension: str, what: str) -> None:
        if len(content) > MOST_FILE_BYTES or len(self.files) >= MOST_FILES:
            reason = (
                "there are too many" if len(self.files) >= MOST_FILES else f"it has {len(content):,} bytes"
            )
            self.note(f"{what}: the file is left out, since {reason}")
            return
        stem = PurePosixPath(name).stem[:60] or "file"
        folder = f"mcp/{self._ctx.call_id}-{self._ctx.attempt}"
        number = 1
        while (path := f"{folder}/{stem}{'' if number == 1 else f'-{number}'}{extension}") in self._names:
            number += 1
        self._names.add(path)
        try:
            _create(self._ctx.held(), path, content)
        except (OSError, ToolError) as error:
            self.note(f"{what}: the file could not be written ({error})")
            return
        self.files.append(path)
        self.note(f"{what}, {len(content):,} bytes, in the file {path}")


def _create(folder: Folder, path: str, content: bytes) -> None:
    flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC
    with (
        parent_of(folder, path, create=True) as (parent, name),
        os.fdopen(os.open(name, flags, 0o644, dir_fd=parent), "wb") as file,
    ):
        file.write(content)


def _base_name(uri: Any) -> str:
    """Return a name for a file by the last part of an address."""
    last = str(uri).rstrip("/").rpartition("/")[2]
    return re.sub(r"[^A-Za-z0-9._-]", "_", last).lstrip(".")[:60] or "resource"
