"""`write_file` says what it would change, and changes nothing."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from supervisor.tools.contract import ToolContext
from supervisor.tools.files import write_file


async def preview(ctx: ToolContext, path: str, content: str) -> str:
    assert write_file.preview
    return await write_file.preview(write_file.validate({"path": path, "content": content}), ctx)


async def test_the_difference_to_a_file_as_it_is(ctx: ToolContext) -> None:
    (ctx.folder / "conf").write_text("a = 1\nb = 2\nc = 3\n")
    said = await preview(ctx, "conf", "a = 1\nb = 5\nc = 3\n")
    assert said.splitlines()[2:] == ["@@ -1,3 +1,3 @@", " a = 1", "-b = 2", "+b = 5", " c = 3"]
    assert (ctx.folder / "conf").read_text() == "a = 1\nb = 2\nc = 3\n"
    assert await preview(ctx, "conf", "a = 1\nb = 2\nc = 3\n") == "The file has this content already."


async def test_a_new_file_is_said_to_be_one_and_not_made(ctx: ToolContext) -> None:
    assert await preview(ctx, "new", "a\nb\n") == "A new file with 2 lines."
    assert await preview(ctx, "deep/er/new", "a\n") == "A new file."
    assert not os.listdir(ctx.folder)


@pytest.mark.parametrize("held", [b"\xff\xfe\x00", b"x" * (2**20 + 1)])
async def test_what_cannot_be_compared_is_said_so(ctx: ToolContext, held: bytes) -> None:
    (ctx.folder / "blob").write_bytes(held)
    assert "no text, for a comparison" in await preview(ctx, "blob", "text")


async def test_a_link_is_not_followed(ctx: ToolContext, tmp_path: Path) -> None:
    (tmp_path / "secret").write_text("of another")
    (ctx.folder / "link").symlink_to(tmp_path / "secret")
    assert "of another" not in await preview(ctx, "link", "text")
