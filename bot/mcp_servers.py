"""The MCP servers of the file that FLAGMAN_MCP names, and the connections to them."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Mapping
from typing import TYPE_CHECKING

from bot.sandbox import find_sandbox, make_executor
from bot.settings import VARIABLES, Settings
from supervisor.core.errors import Unavailable
from supervisor.mcp.config import Server, read_servers
from supervisor.tools.contract import Toolset
from supervisor.tools.executor import Executor

if TYPE_CHECKING:
    from supervisor.mcp.personal import Tokens
    from supervisor.mcp.secrets import Secrets
    from supervisor.mcp.servers import McpServers

# Below FLAGMAN_DATA: a folder for each server that runs here.
FOLDER = "mcp"
NO_NETWORK = (
    "with the network it could reach the local playground, which lets everyone approve; "
    "connect Flagman to Slack first"
)


def configured(settings: Settings) -> dict[str, Server]:
    """Return the servers by name; none where FLAGMAN_MCP is not set. Raises InvalidInput."""
    return read_servers(settings.mcp, _environment()) if settings.mcp else {}


def connect_servers(
    settings: Settings,
    servers: Mapping[str, Server],
    tools: Toolset,
    executor: Executor,
    secrets: Callable[[], Secrets] | None = None,
    learn: Callable[[Iterable[str]], None] = lambda _: None,
    tokens: Tokens | None = None,
) -> McpServers | None:
    """Return the connections to the servers, which keep their tools in the set; none is opened yet.

    Secrets that servers get are handed to `learn`, which has them masked. `tokens` are those of people who have
    connected servers.
    Returns None, and imports nothing, where there are no servers.
    """
    if not servers:
        return None
    from supervisor.mcp.servers import McpServers
    from supervisor.mcp.stdio import Launcher, no_secret

    folder = settings.data.resolve() / FOLDER
    no_network = NO_NETWORK if settings.playground else ""
    secret_of = secrets().get if secrets else no_secret
    return McpServers(
        servers, tools, Launcher(executor, folder, _environment(), secret_of, learn, no_network), tokens
    )


async def tools_of_server(settings: Settings, server: Server) -> Toolset:
    """Connect to a server and return its tools. Raises Unavailable where it cannot be reached."""
    from supervisor.mcp.errors import ServerAway

    if server.oauth:
        raise Unavailable(
            f"The MCP server `{server.name}` is connected by each person, and not by this command."
        )
    tools: Toolset = {}
    executor = make_executor(settings, find_sandbox(settings).sandbox)
    servers = connect_servers(settings, {server.name: server}, tools, executor)
    assert servers, "there is one"
    try:
        await servers.look(server.name)
    except ServerAway as away:
        raise Unavailable(str(away)) from away
    finally:
        await servers.close()
    return tools


def _environment() -> dict[str, str]:
    """The variables that the file may name: not those of Flagman itself."""
    return {name: value for name, value in os.environ.items() if name.upper() not in VARIABLES}
