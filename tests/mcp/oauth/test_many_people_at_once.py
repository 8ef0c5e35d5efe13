"""Many people use one server at once in one worker: each call is made as its own person, with the person's tools."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from pathlib import Path

import pytest
from mcp.server.auth.provider import RefreshToken
from redis.asyncio import Redis

from storage import keys
from storage.rows import RowStore
from supervisor.connections.authorization_server import discover, register
from supervisor.connections.rows import Tokens
from supervisor.connections.store import Connections
from supervisor.mcp import personal
from supervisor.mcp.config import OAuth, Server
from supervisor.mcp.servers import McpServers
from supervisor.mcp.stdio import Launcher
from supervisor.tools.contract import ToolContext
from supervisor.tools.executor import Executor
from tests.mcp.oauth.authority import Authority
from tests.mcp.oauth.test_tokens_are_renewed_once import BACK, KEY, Clock

PEOPLE = [f"slack:U{n}" for n in range(5)]


async def test_nobody_gets_the_connection_or_the_tools_of_somebody_else(
    redis: Redis,
    notes: Authority,
    tmp_path: Path,
    context: ToolContext,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(personal, "MOST", 2)
    server = Server(name="notes", url=f"{notes.url}/mcp", oauth=OAuth())
    connections = Connections(RowStore(redis, keys.connections()), (KEY,), Clock())
    endpoints = await discover(server)
    client = await register(server, endpoints, BACK)
    (known,) = notes.clients.values()
    for person in PEOPLE:
        about = {"client_id": known.client_id, "scopes": ["notes"], "subject": person}
        given = notes.give(known, RefreshToken(token=person, resource=f"{notes.url}/mcp", **about))
        tokens = Tokens(access=given.access_token, refresh=given.refresh_token or "")
        await connections.add("notes", person, "T1", tokens, client, endpoints)
    servers = McpServers({"notes": server}, {}, Launcher(Executor(None), tmp_path / "own", {}), connections)

    async def use(person: str) -> None:
        assert await servers.ready(["notes"], fresh=True, person=person) == ""
        tool = servers.tools(person)["notes__whoami"]
        await tool.run({"text": person}, replace(context, call_id=person))

    try:
        await asyncio.gather(*(use(person) for person in PEOPLE * 2))
        notes.expire()
        await asyncio.gather(*(use(person) for person in PEOPLE))
    finally:
        await servers.close()
    assert sorted(notes.calls) == sorted((person, person) for person in PEOPLE * 3)
    assert notes.refreshes == len(PEOPLE)
