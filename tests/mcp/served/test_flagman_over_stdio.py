"""`flagman mcp`, as a client of the protocol starts it: a process that speaks on its input and output."""

from __future__ import annotations

import asyncio
from pathlib import Path

from mcp.client.client import Client
from mcp.client.stdio import StdioServerParameters, stdio_client

from tests.cli.served import SCRIPT, Cli, environment
from tests.mcp.served.conftest import AGENT, Serve, refused, said


async def test_a_process_of_its_own_has_the_tools_of_its_key(serve: Serve, tmp_path: Path) -> None:
    served = await serve()
    told = environment(FLAGMAN_URL=served.url, FLAGMAN_API_KEY=AGENT)
    with (tmp_path / "errors").open("w+") as errors:
        command = StdioServerParameters(command=SCRIPT, args=["mcp"], env=told, cwd=tmp_path)
        async with Client(stdio_client(command, errlog=errors)) as client:
            names = {tool.name for tool in (await client.list_tools()).tools}
            assert {"launch", "wait", "approve"} <= names
            session_id = (await said(client, "launch", persona="ops", task="ship it"))["session_id"]
            held = await said(client, "wait", session_id=session_id, seconds=50)
            assert held["summary"].startswith("Waiting for approval of `deploy` (1.1).")
            (call,) = held["calls"]
            about = {"session_id": session_id, "call_id": "1.1", "digest": call["digest"]}
            assert "another person has to decide" in await refused(client, "approve", **about)
            assert "read_all" in await refused(client, "show", session_id="p0-none")
            assert (await said(client, "deny", **about, reason="not now"))["session_id"] == session_id
            assert (await said(client, "wait", session_id=session_id, seconds=50))["status"] == "completed"
        assert served.scene.runs() == []
        assert errors.seek(0) == 0
        assert errors.read() == ""


async def test_without_a_flagman_it_ends_with_one_sentence(serve: Serve, tmp_path: Path) -> None:
    served = await serve()
    cli = Cli(tmp_path, environment(FLAGMAN_URL=served.url, FLAGMAN_API_KEY="nobodys-key-0123456789"))
    done = await asyncio.to_thread(cli, "mcp", code=1)
    assert "Set FLAGMAN_API_KEY to another one" in done.stderr
    assert done.stdout == ""
