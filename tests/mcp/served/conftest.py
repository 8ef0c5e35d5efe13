"""A Flagman with an address for agents, reached with the client of the protocol's own SDK."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from dataclasses import dataclass
from typing import Any

import httpx2
import pytest
from mcp.client.client import Client
from mcp.client.streamable_http import streamable_http_client
from pydantic import SecretStr
from slack_sdk.web.async_client import AsyncWebClient

from handlers.users import People
from tests.support.api import Client as Api
from tests.support.scenario import Director, Scene
from tests.support.scripted import calls, in_turn, says
from tests.support.slack import ADA, BOT_TOKEN

BOSS, AGENT, READER, GATE, OWNED = (
    f"{name}-key-0123456789abcdef" for name in ("boss", "agent", "read", "gate", "own")
)
KEYS = (
    f"boss:admin:{BOSS},agent:launch+read+approve:{AGENT},reader:read_all:{READER},"
    f"gate:approve+read_all:{GATE},own@{ADA}:approve+read_all:{OWNED}"
)
ONE = in_turn(calls(("deploy", {"service": "shop"})), says("Done."))
ASKS = in_turn(calls(("ask_human", {"question": "Which one?"})), says("Thanks."))


@dataclass
class Served:
    """`connect(key)` opens a client; `mode="legacy"` is the handshake of earlier versions of the protocol."""

    scene: Scene
    url: str
    api: Api

    @asynccontextmanager
    async def connect(self, key: str = AGENT, *, mode: str = "auto") -> AsyncIterator[Client]:
        async with httpx2.AsyncClient(headers={"Authorization": f"Bearer {key}"}, timeout=60) as http:
            transport = streamable_http_client(f"{self.url}/mcp", http_client=http)
            async with Client(transport, mode=mode) as client:
                yield client


Serve = Callable[..., Any]


@pytest.fixture
async def serve(scenario: Director) -> AsyncIterator[Serve]:
    opened: list[AbstractAsyncContextManager[Api]] = []

    async def begin(behave: Any = ONE, **more: Any) -> Served:
        scene = await scenario(behave, api_keys=SecretStr(KEYS), **more)
        url = await scene.flagman.add_api()
        client = AsyncWebClient(token=BOT_TOKEN, base_url=scene.slack.api_url)
        identity: Any = (await client.auth_test()).data
        # As in a process that takes in Slack, too.
        scene.flagman.cores[-1].directory.connect(People(client), identity)
        opened.append(Api(url, BOSS))
        return Served(scene, url, await opened[-1].__aenter__())

    yield begin
    for api in opened:
        await api.__aexit__(None, None, None)


async def said(client: Client, tool: str, **arguments: Any) -> dict[str, Any]:
    """What a tool returns, which must be no error."""
    result = await client.call_tool(tool, arguments)
    assert not result.is_error, result.content
    found: dict[str, Any] = result.structured_content
    return found


async def refused(client: Client, tool: str, **arguments: Any) -> str:
    """The sentence with which a tool refuses."""
    result = await client.call_tool(tool, arguments)
    assert result.is_error, result.structured_content
    (content,) = result.content
    return str(content.text)  # type: ignore[union-attr]
