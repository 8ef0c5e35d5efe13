"""The MCP servers of the configuration: keeps their tools in the set of all tools, and runs calls of them."""

from __future__ import annotations

import asyncio
import time
from collections import ChainMap
from collections.abc import Collection, Mapping
from datetime import timedelta
from functools import partial

from storage.errors import StoreUnavailable
from supervisor.core.messages import Json, ToolDefinition
from supervisor.mcp.config import Server
from supervisor.mcp.connection import FRESH_SECONDS, Connection
from supervisor.mcp.errors import ConnectionLost, ServerAway
from supervisor.mcp.personal import NoTokens, PersonalConnections, Tokens
from supervisor.mcp.results import output_of
from supervisor.mcp.stdio import Launcher
from supervisor.mcp.tools import server_tool, tool_name
from supervisor.tools.contract import (
    ConnectionRequired,
    OutcomeUnknown,
    Tool,
    ToolContext,
    ToolOutput,
    Toolset,
)
from supervisor.tools.executor import NotBegun

# Seconds for which a comparison counts, from the one before a call is recorded as begun to its run.
MOMENT = 2.0
# Seconds for which attempts to reach a server go on, and between two of them.
PATIENCE, PAUSE = 8.0, 0.2
# Seconds for which sessions go on without a server that was found to be away.
AWAY_SECONDS = 30.0
# Beyond the time that a server has for a call: for the comparison before it.
BESIDES = timedelta(seconds=60)
NO_PERSON = (
    "The MCP server `{}` is connected by each person, and it is not known for whom this session runs: a key without an "
    "owner has launched it. Launch it yourself, or with a key that has an owner."
)


class McpServers:
    """Connects to servers as they are needed; their tools in `tools` are those of the last list.

    A server that is connected by each person has its tools by the person, as that person, besides.
    """

    def __init__(
        self, servers: Mapping[str, Server], tools: Toolset, launcher: Launcher, tokens: Tokens | None = None
    ) -> None:
        self._servers, self._tools = servers, tools
        self._connections = {
            name: Connection(server, launcher) for name, server in servers.items() if not server.oauth
        }
        self._personal = PersonalConnections(launcher, tokens or NoTokens())
        # Servers that were away when they were last tried, until when that counts, and why.
        self._away: dict[str, tuple[float, str]] = {}

    async def ready(self, names: Collection[str], *, fresh: bool = False, person: str = "") -> str:
        """Have the tools of these servers in the set, as they are at this moment if `fresh`.

        Returns in a sentence why those of one are not. Raises ConnectionRequired where the person has to connect one.
        """
        waiting = [name for name in names if fresh or not self._is_current(name)]
        within = 0.0 if fresh else FRESH_SECONDS
        said = await asyncio.gather(
            *(self._refreshed(name, within, person) for name in waiting), return_exceptions=True
        )
        return next(filter(None, [_raised(outcome) for outcome in said]), "")

    async def reach(self, names: Collection[str], *, anew: bool = False, person: str = "") -> dict[str, str]:
        """Have the tools of these servers in the set where they can be reached; returns why the others cannot.

        One that was away a moment ago is tried again if `anew` only. Raises LookupError for one that is not in the
        file or that nobody could connect, and ConnectionRequired where the person has to connect one.
        """
        for name in names:
            if problem := self._unusable(name, person):
                raise LookupError(problem)
        now = time.monotonic()
        recent = {
            name: why
            for name, (until, why) in self._away.items()
            if name in names and now < until and not anew
        }
        waiting = [name for name in names if name not in recent and not self._is_current(name)]
        said = await asyncio.gather(*(self._tried(name, person) for name in waiting), return_exceptions=True)
        found = [_raised(outcome) for outcome in said]
        return recent | {name: why for name, why in zip(waiting, found, strict=True) if why}

    async def _tried(self, name: str, person: str) -> str:
        try:
            await self._list(name, FRESH_SECONDS, person)
        except ServerAway as away:
            self._away[name] = (time.monotonic() + AWAY_SECONDS, str(away))
            return str(away)
        self._away.pop(name, None)
        return ""

    def _unusable(self, name: str, person: str) -> str:
        """Return why a server can be used by nobody for whom such a session runs; empty where it can."""
        if name not in self._servers:
            known = ", ".join(sorted(self._servers)) or "none"
            return f"There is no MCP server `{name}` in the file of FLAGMAN_MCP; there are {known}."
        return NO_PERSON.format(name) if self._servers[name].oauth and not person else ""

    def tools(self, person: str) -> Mapping[str, Tool]:
        """Return all tools that are known, with those of servers that this person has connected."""
        own = self._personal.all_tools(person) if person else {}
        return ChainMap(own, self._tools) if own else self._tools

    def gone(self, definition: ToolDefinition, person: str = "") -> str:
        """Return in a sentence that a server has this tool no longer, with the one that it may be called now."""
        server = definition.server
        said = f"The server `{server}` has no tool `{definition.name}` any more, so the call did not run."
        if server not in self._servers:
            return f"There is no MCP server `{server}` here any more, so the call did not run."
        for name, tool in self.tools(person).items():
            if (other := tool.definition) and other.server == server:
                same = other.model_copy(update={"name": definition.name})
                if same == definition:
                    return f"{said} It may be called `{name}` now."
        return said

    async def look(self, name: str) -> list[str]:
        """Return the names of the tools of a server. Raises ServerAway."""
        listed = await self._list(name, 0.0)
        return [tool_name(name, tool) for tool in listed]

    async def close(self) -> None:
        await asyncio.gather(
            *(connection.close() for connection in self._connections.values()), self._personal.close()
        )

    def _is_current(self, name: str) -> bool:
        connection = self._connections.get(name)
        return connection is not None and connection.is_current

    async def _refreshed(self, name: str, within: float, person: str) -> str:
        if problem := self._unusable(name, person):
            return problem
        try:
            await self._list(name, within, person)
        except ServerAway as away:
            return f"{away} Resume the session once it can be used."
        return ""

    async def _connection(self, name: str, person: str) -> Connection:
        """Return the connection to a server. Raises ConnectionRequired where the person has to make it first."""
        server = self._servers[name]
        return await self._personal.of(server, person) if server.oauth else self._connections[name]

    async def _list(self, name: str, within: float, person: str = "") -> Mapping[str, ToolDefinition]:
        """Return the tools of a server as they were within these seconds, and put them into the set.

        Raises ConnectionRequired, or ServerAway after some attempts.
        """
        until = time.monotonic() + PATIENCE
        while True:
            connection = await self._connection(name, person)
            try:
                listed = await connection.tools(within)
            except ServerAway:
                # Where it refused the token, the next attempt raises what says so.
                if time.monotonic() >= until:
                    await self._connection(name, person)
                    raise
                await asyncio.sleep(PAUSE)
                continue
            self._put(connection.server, listed, person)
            return listed

    def _put(self, server: Server, listed: Mapping[str, ToolDefinition], person: str) -> None:
        """Have the tools of a server in the set, and no others of it."""
        tools = self._personal.tools(server.name, person) if server.oauth else self._tools
        new = {tool_name(server.name, name): definition for name, definition in listed.items()}
        for name, tool in list(tools.items()):
            if tool.definition and tool.definition.server == server.name and new.get(name) != tool.definition:
                del tools[name]
        timeout = timedelta(seconds=server.timeout) + BESIDES
        run, prepare = partial(self._run, person), partial(self._prepare, person)
        for name, definition in new.items():
            if name not in tools:
                tools[name] = server_tool(definition, run, prepare, timeout)

    async def _prepare(self, person: str, definition: ToolDefinition, ctx: ToolContext) -> None:
        """Raise NotBegun where the server has not the tool as it was pinned, or cannot be reached."""
        try:
            listed = await self._list(definition.server, MOMENT, person)
        except (ConnectionRequired, StoreUnavailable) as error:
            # The session is looked at once more, and waits for the connection.
            raise NotBegun from error
        except ServerAway as away:
            raise NotBegun(f"{away} Resume the session once it can be used.") from away
        if listed.get(definition.name) != definition:
            raise NotBegun

    async def _run(
        self, person: str, definition: ToolDefinition, arguments: Json, ctx: ToolContext
    ) -> ToolOutput:
        """Run a call. Raises NotBegun where the server cannot be reached, ToolError, OutcomeUnknown or InputNeeded."""
        try:
            connection = await self._connection(definition.server, person)
        except (ConnectionRequired, StoreUnavailable) as error:
            raise NotBegun from error
        try:
            result, notes = await connection.call(definition, arguments, ctx)
        except ServerAway as away:
            raise NotBegun from away
        except ConnectionLost as lost:
            raise OutcomeUnknown(f"the MCP server `{definition.server}` was lost ({lost})") from lost
        return await asyncio.to_thread(output_of, result, ctx, notes)


def _raised(outcome: str | BaseException) -> str:
    """Return what one of several came to, or raise its error."""
    if isinstance(outcome, BaseException):
        raise outcome
    return outcome
