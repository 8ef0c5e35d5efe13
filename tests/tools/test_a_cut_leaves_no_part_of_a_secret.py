"""Where a long output, file or answer is cut, the rest of a secret is not shown: it is masked before."""

from __future__ import annotations

from dataclasses import replace

import pytest
from aiohttp import web
from aiohttp.test_utils import TestServer

from supervisor.core.errors import ToolError
from supervisor.core.text.masking import MASK, Masker
from supervisor.tools import files, http
from supervisor.tools.contract import ToolContext
from supervisor.tools.executor import KEPT_BYTES
from supervisor.tools.files import read_file
from supervisor.tools.http import http_tool
from supervisor.tools.shell import shell_tool

SECRET = "Kd02LqPz9Xw1mNbT7rYuHH33kkLLssDDqqWWeeRR"
shell = shell_tool()


def parts(text: str) -> list[str]:
    return [SECRET[at : at + 8] for at in range(len(SECRET) - 7) if SECRET[at : at + 8] in text]


@pytest.mark.parametrize("inside", [1, 9, 20, 39])
async def test_the_output_of_a_command(ctx: ToolContext, inside: int) -> None:
    half = KEPT_BYTES // 2
    text = "x" * (half - inside) + SECRET + "y" * 200_000 + SECRET + "z" * (half - inside)
    (ctx.folder / "long").write_text(text)
    given = replace(ctx, mask=Masker([SECRET]))
    found = (await shell.run(shell.validate({"command": "cat long"}), given)).content
    assert "are left out here" in found
    assert parts(found) == []


@pytest.mark.parametrize("inside", [1, 9, 20, 39])
async def test_a_file_in_parts(ctx: ToolContext, inside: int) -> None:
    (ctx.folder / "long").write_text("x" * (files.DEFAULT_BYTES - inside) + SECRET + "y" * 100_000)
    given = replace(ctx, mask=Masker([SECRET]))
    for offset in (0, files.DEFAULT_BYTES, files.DEFAULT_BYTES - inside + 2):
        found = (await read_file.run(read_file.validate({"path": "long", "offset": offset}), given)).content
        assert parts(found) == []
        assert "Cut: bytes" in found
    plain = (
        await read_file.run(read_file.validate({"path": "long", "offset": 100, "limit": 50}), given)
    ).content
    assert plain.startswith("x" * 50 + "\n[Cut: bytes 100 to 150 of")


@pytest.mark.parametrize(("status", "most"), [(200, http.MOST_BYTES), (500, http.ERROR_CHARACTERS)])
async def test_an_answer(ctx: ToolContext, status: int, most: int) -> None:
    async def answer(_: web.Request) -> web.Response:
        return web.Response(status=status, text="x" * (most - 20) + SECRET + "y" * 10_000)

    app = web.Application()
    app.router.add_get("/", answer)
    tool, given = http_tool(allow_private=True), replace(ctx, mask=Masker([SECRET]))
    async with TestServer(app) as server:
        arguments = tool.validate({"method": "GET", "url": str(server.make_url("/")), "headers": {}})
        try:
            found = (await tool.run(arguments, given)).content
        except ToolError as error:
            found = str(error)
    assert MASK in found
    assert parts(found) == []
    assert "[Cut: the first" in found
