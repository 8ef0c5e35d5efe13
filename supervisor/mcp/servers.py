"""The MCP servers of the configuration: keeps their tools in the set of all tools, and runs calls of them."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Collection, Mapping
from datetime import timedelta

from supervisor.core.messages import Json, ToolDefinition
from supervisor.mcp.config import Server
from supervisor.mcp.connection import FRESH_SECONDS, Connection
from supervisor.mcp.errors import ConnectionLost, ServerAway
from supervisor.mcp.results import output_of
from supervisor.mcp.stdio import Launcher
from supervisor.mcp.tools import server_tool, tool_name
from supervisor.tools.contract import OutcomeUnknown, ToolContext, ToolOutput, Toolset
from supervisor.tools.executor import NotBegun

# Seconds for which a comparison counts, from the one before a call is recorded as begun to its run.
MOMENT = 2.0
# Seconds for which attempts to reach a server go on, and between two of them.
PATIENCE, PAUSE = 8.0, 0.2
# Seconds for which sessions go on without a server that was found to be away.
AWAY_SECONDS = 30.0
# Beyond the time that a server has for a call: for the comparison before it.
BESIDES = timedelta(seconds=60)


class McpServers:
    """Connects to servers as they are needed; their tools in `tools` are those of the last list."""

    def __init__(self, servers: Mapping[str, Server], tools: Toolset, launcher: Launcher) -> None:
        self._connections = {name: Connection(server, launcher) for name, server in servers.items()}
        self._tools = tools
        # Servers that were away when they were last tried, until when that counts, and why.
        self._away: dict[str, tuple[float, str]] = {}

    async def ready(self, names: Collection[str], *, fresh: bool = False) -> str:
        """Have the tools of these servers in the set, as they are at this moment if `fresh`.

        Returns in a sentence why those of one are not.
        """
        waiting = [name for name in names if fresh or not self._is_current(name)]
        within = 0.0 if fresh else FRESH_SECONDS
        said = await asyncio.gather(*(self._refreshed(name, within) for name in waiting))
        return next(filter(None, said), "")

    async def reach(self, names: Collection[str], *, anew: bool = False) -> dict[str, str]:
        """Have the tools of these servers in the set where they can be reached; returns why the others cannot.

        One that was away a moment ago is tried again if `anew` only. Raises LookupError for one that is not in the
        file.
        """
        for name in names:
            if name not in self._connections:
                raise LookupError(self._unknown(name))
        now = time.monotonic()
        recent = {
            name: why
            for name, (until, why) in self._away.items()
            if name in names and now < until and not anew
        }
        waiting = [name for name in names if name not in recent and not self._is_current(name)]
        said = await asyncio.gather(*(self._tried(name) for name in waiting))
        return recent | {name: why for name, why in zip(waiting, said, strict=True) if why}

    async def _tried(self, name: str) -> str:
        try:
            await self._list(self._connections[name], FRESH_SECONDS)
        except ServerAway as away:
            self._away[name] = (time.monotonic() + AWAY_SECONDS, str(away))
            return str(away)
        self._away.pop(name, None)
        return ""

    def _unknown(self, name: str) -> str:
        known = ", ".join(sorted(self._connections)) or "none"
        return f"There is no MCP server `{name}` in the file of FLAGMAN_MCP; there are {known}."

    def gone(self, definition: ToolDefinition) -> str:
        """Return in a sentence that a server has this tool no longer, with the one that it may be called now."""
        server = definition.server
        said = f"The server `{server}` has no tool `{definition.name}` any more, so the call did not run."
        if server not in self._connections:
            return f"There is no MCP server `{server}` here any more, so the call did not run."
        for name, tool in self._tools.items():
            if (other := tool.definition) and other.server == server:
                same = other.model_copy(update={"name": definition.name})
                if same == definition:
                    return f"{said} It may be called `{name}` now."
        return said

    async def look(self, name: str) -> list[str]:
        """Return the names of the tools of a server. Raises ServerAway."""
        listed = await self._list(self._connections[name], 0.0)
        return [tool_name(name, tool) for tool in listed]

    async def close(self) -> None:
        await asyncio.gather(*(connection.close() for connection in self._connections.values()))

    def _is_current(self, name: str) -> bool:
        connection = self._connections.get(name)
        return connection is not None and connection.is_current

    async def _refreshed(self, name: str, within: float) -> str:
        connection = self._connections.get(name)
        if connection is None:
            return self._unknown(name)
        try:
            await self._list(connection, within)
        except ServerAway as away:
            return f"{away} Resume the session once it can be used."
        return ""

    async def _list(self, connection: Connection, within: float) -> Mapping[str, ToolDefinition]:
        """Return the tools of a server as they were within these seconds, and put them into the set.

        Raises ServerAway after some attempts.
        """
        until = time.monotonic() + PATIENCE
        while True:
            try:
                listed = await connection.tools(within)
            except ServerAway:
                if time.monotonic() >= until:
                    raise
                await asyncio.sleep(PAUSE)
                continue
            self._put(connection.server, listed)
            return listed

    def _put(self, server: Server, listed: Mapping[str, ToolDefinition]) -> None:
        """Have the tools of a server in the set, and no others of it."""
        new = {tool_name(server.name, name): definition for name, definition in listed.items()}
        for name, tool in list(self._tools.items()):
            if tool.definition and tool.definition.server == server.name and new.get(name) != tool.definition:
                del self._tools[name]
        timeout = timedelta(seconds=server.timeout) + BESIDES
        for name, definition in new.items():
            if name not in self._tools:
                self._tools[name] = server_tool(definition, self._run, self._prepare, timeout)

    async def _prepare(self, definition: ToolDefinition, ctx: ToolContext) -> None:
        """Raise NotBegun where the server has not the tool as it was pinned, or cannot be reached."""
        try:
            listed = await self._list(self._connections[definition.server], MOMENT)
        except ServerAway as away:
            raise NotBegun(f"{away} Resume the session once it can be used.") from away
        if listed.get(definition.name) != definition:
            raise NotBegun

    async def _run(self, definition: ToolDefinition, arguments: Json, ctx: ToolContext) -> ToolOutput:
        """Run a call. Raises NotBegun where the server cannot be reached, ToolError, OutcomeUnknown or InputNeeded."""
        connection = self._connections[definition.server]
        try:
            result, notes = await connection.call(definition, arguments, ctx)
        except ServerAway as away:
            raise NotBegun from away
        except ConnectionLost as lost:
            raise OutcomeUnknown(f"the MCP server `{definition.server}` was lost ({lost})") from lost
        return await asyncio.to_thread(output_of, result, ctx, notes)
