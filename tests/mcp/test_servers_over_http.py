"""Streamable HTTP: headers, a restart of the server, and errors of the network, each of one request."""

from __future__ import annotations

import asyncio
import gzip
import sys
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace

import httpx2
import pytest
from aiohttp import ClientError, ClientSession, web

from supervisor.mcp import bearer, servers
from supervisor.mcp.config import Server
from supervisor.mcp.errors import NO_ANSWER
from supervisor.mcp.http import http_client
from supervisor.tools.contract import OutcomeUnknown, ToolContext, Toolset
from supervisor.tools.executor import NotBegun
from tests.mcp.conftest import Open
from tests.mcp.hosted import SCRIPT, Hosted, described
from tests.support.ports import free_port
from tests.support.slack import wait_for


@asynccontextmanager
async def serving(hosted: Hosted, port: int) -> AsyncIterator[asyncio.subprocess.Process]:
    process = await asyncio.create_subprocess_exec(sys.executable, str(SCRIPT), str(hosted.folder), str(port))
    try:
        async with ClientSession() as session:

            async def answers() -> bool:
                try:
                    async with session.get(f"http://127.0.0.1:{port}/"):
                        return True
                except ClientError:
                    return False

            await wait_for(answers)
        yield process
    finally:
        if process.returncode is None:
            process.kill()
        await process.wait()


async def test_a_server_that_is_started_again_is_used_again(
    hosted: Hosted, connect: Open, tools: Toolset, context: ToolContext, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(servers, "MOMENT", 0.0)
    hosted.offers(described("say"), described("die"))
    port = free_port()
    file = hosted.file(url=f"http://127.0.0.1:{port}/mcp")
    opened = connect(file)
    async with serving(hosted, port):
        assert await opened.ready(["host"]) == ""
        assert (await tools["host__say"].run({"to": "x"}, context)).content == 'say {"to": "x"}'
        with pytest.raises(OutcomeUnknown, match="was lost"):
            await tools["host__die"].run({"to": "x"}, context)
    tool = tools["host__say"]
    assert tool.prepare
    async with serving(hosted, port):
        await tool.prepare(context)
        await tool.run({"to": "again"}, context)
    assert [call["name"] for call in hosted.calls] == ["say", "die", "say"]


async def test_one_that_is_not_there_or_refuses_is_said_before_a_call(
    hosted: Hosted, connect: Open, tools: Toolset, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(servers, "PATIENCE", 0.0)
    file = hosted.file(url=f"http://127.0.0.1:{free_port()}/mcp")
    assert "no connection" in await connect(file).ready(["host"])
    seen: list[str] = []

    async def refuse(request: web.Request) -> web.Response:
        seen.append(request.headers.get("Authorization", ""))
        return web.Response(status=401, text="who are you?")

    async with _answering(refuse) as url:
        file = hosted.file(url=url, headers={"Authorization": "Bearer ${TOKEN}"})
        assert "HTTP 401" in await connect(file).ready(["host"])
    assert set(seen) == {"Bearer ghx-0123456789abcdef"}


@pytest.mark.parametrize(
    ("status", "error"), [(503, NotBegun), (429, NotBegun), (500, OutcomeUnknown), (0, OutcomeUnknown)]
)
async def test_what_became_of_a_call_follows_from_the_answer(
    hosted: Hosted, connect: Open, tools: Toolset, context: ToolContext, status: int, error: type[Exception]
) -> None:
    async def answer(request: web.Request) -> web.StreamResponse:
        message = await request.json()
        result: dict[str, object]
        match message["method"]:
            case "initialize":
                about = {"serverInfo": {"name": "s", "version": "1"}, "capabilities": {"tools": {}}}
                result = {"protocolVersion": "2025-06-18", **about}
            case "tools/list":
                result = {"tools": [{"name": "t", "inputSchema": {"type": "object"}}]}
            case "tools/call" if status:
                return web.Response(status=status)
            case "tools/call":
                assert request.transport
                request.transport.abort()
                return web.Response()
            case _:
                return web.Response(status=202 if "id" not in message else 400)
        return web.json_response({"jsonrpc": "2.0", "id": message["id"], "result": result})

    async with _answering(answer) as url:
        assert await connect(hosted.file(url=url)).ready(["host"]) == ""
        with pytest.raises(error):
            await tools["host__t"].run({}, context)
        assert await connect(hosted.file(url=url)).ready(["host"]) == ""


async def test_a_call_that_would_begin_after_its_time_is_not_sent(
    hosted: Hosted, connect: Open, tools: Toolset, context: ToolContext
) -> None:
    await connect(hosted.file()).ready(["host"])
    with pytest.raises(NotBegun):
        await tools["host__say"].run({"to": "x"}, replace(context, begin_by=time.monotonic() - 1))
    await tools["host__say"].run({"to": "y"}, replace(context, begin_by=time.monotonic() + 60))
    assert [call["arguments"] for call in hosted.calls] == [{"to": "y"}]


async def test_a_call_that_a_token_kept_waiting_is_not_sent(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(bearer, "MOST_SECONDS", -1.0)
    seen: list[str] = []

    async def note(request: web.Request) -> web.Response:
        seen.append((await request.json())["method"])
        return web.json_response({})

    class Given:
        async def token(self) -> str:
            return "a-token"

        renewed = refuse = None

    async with _answering(note) as url:
        signed = bearer.SignedTransport(httpx2.AsyncHTTPTransport(), Given(), url)  # type: ignore[arg-type]
        async with httpx2.AsyncClient(transport=signed) as client:
            await client.post(url, json={"method": "tools/list"})
            with pytest.raises(bearer.NoToken):
                await client.post(url, json={"method": "tools/call"})
    assert seen == ["tools/list"]


async def test_an_answer_that_would_grow_as_it_is_read_is_not_read() -> None:
    async def bomb(_: web.Request) -> web.Response:
        packed = {"Content-Encoding": "gzip", "Content-Type": "application/json"}
        return web.Response(body=gzip.compress(b" " * 100_000), headers=packed)

    async with _answering(bomb) as url, http_client(Server(name="s", url=url), 5) as client:
        answer = await client.post(url, json={})
    assert len(answer.content) < 1000
    assert answer.json()["error"]["code"] == NO_ANSWER


@asynccontextmanager
async def _answering(handler: object) -> AsyncIterator[str]:
    app = web.Application()
    app.router.add_route("*", "/mcp", handler)  # type: ignore[arg-type]
    runner = web.AppRunner(app)
    await runner.setup()
    port = free_port()
    await web.TCPSite(runner, "127.0.0.1", port).start()
    try:
        yield f"http://127.0.0.1:{port}/mcp"
    finally:
        await runner.cleanup()
