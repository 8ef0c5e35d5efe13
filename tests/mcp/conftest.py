"""A server for each test, and a Flagman with its Slack."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack
from pathlib import Path

import pytest
from redis.asyncio import Redis

from bot.sandbox import find_sandbox
from bot.settings import Settings
from supervisor.mcp.config import read_servers
from supervisor.mcp.servers import McpServers
from supervisor.mcp.stdio import Launcher
from supervisor.tools.contract import ToolContext, Toolset
from supervisor.tools.executor import Executor
from supervisor.tools.path_guard import open_folder
from tests.mcp.hosted import Hosted, described
from tests.support.scenario import Director
from tests.support.slack import Slack

ENVIRONMENT = {"PATH": "/usr/bin:/bin", "TOKEN": "ghx-0123456789abcdef"}
Open = Callable[..., McpServers]


@pytest.fixture
def hosted(tmp_path: Path) -> Hosted:
    folder = tmp_path / "host"
    folder.mkdir()
    host = Hosted(folder)
    host.offers(described("say"))
    return host


@pytest.fixture
def tools() -> Toolset:
    return {}


@pytest.fixture
async def connect(tmp_path: Path, tools: Toolset, caplog: pytest.LogCaptureFixture) -> AsyncIterator[Open]:
    """Opens the servers of a file, whose tools come into `tools`; they end with the test."""
    opened: list[McpServers] = []

    def begin(file: Path, *, sandboxed: bool = False) -> McpServers:
        found = find_sandbox(Settings(data=tmp_path / "data")).sandbox if sandboxed else None
        launcher = Launcher(Executor(found), tmp_path / "own", ENVIRONMENT)
        servers = McpServers(read_servers(file, ENVIRONMENT), tools, launcher)
        opened.append(servers)
        return servers

    yield begin
    for servers in opened:
        await servers.close()
    assert "cancel scope" not in caplog.text, "a connection is closed by the task that opened it"


@pytest.fixture
def context(tmp_path: Path) -> ToolContext:
    """The context of a call in a session's folder."""
    folder = tmp_path / "session"
    folder.mkdir()
    return ToolContext("p0-s", "1.1", "p0-s:1.1", 1, folder, root=open_folder(folder))


@pytest.fixture
async def slack() -> AsyncIterator[Slack]:
    async with Slack() as running:
        yield running


@pytest.fixture
async def scenario(slack: Slack, redis: Redis, valkey_url: str, tmp_path: Path) -> AsyncIterator[Director]:
    async with AsyncExitStack() as stack:
        yield Director(slack, valkey_url, tmp_path, stack)
