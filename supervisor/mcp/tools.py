"""The tools of MCP servers as tools of Flagman, named `server__tool`."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Awaitable, Callable, Mapping
from datetime import timedelta
from functools import partial

from supervisor.core.errors import ToolError
from supervisor.core.events import ToolCall
from supervisor.core.messages import Json, ToolDefinition, ToolSpec
from supervisor.mcp.arguments import checked, shown_schema
from supervisor.tools.contract import Tool, ToolContext, ToolOutput

# Models take this many characters.
LONGEST_NAME = 64
Call = Callable[[ToolDefinition, Json, ToolContext], Awaitable[ToolOutput]]
Compare = Callable[[ToolDefinition, ToolContext], Awaitable[None]]


def tool_name(server: str, name: str) -> str:
    """Return the name by which the model and rules know a tool: `server__tool`.

    Signs that models do not take become `_`; such a name, and one that is too long, ends with a part of its digest.
    """
    plain = re.sub(r"[^A-Za-z0-9_-]", "_", name)
    full = f"{server}__{plain}"
    if plain == name and len(full) <= LONGEST_NAME:
        return full
    mark = hashlib.sha256(name.encode("utf-8", "surrogatepass")).hexdigest()[:6]
    return f"{full[: LONGEST_NAME - 7]}_{mark}"


def server_tool(definition: ToolDefinition, call: Call, compare: Compare | None, timeout: timedelta) -> Tool:
    """Return the tool with this definition, which `call` runs once `compare` has found it to be the same still.

    By default its calls need an approval, whatever the server says of it.
    """
    name = tool_name(definition.server, definition.name)
    description = definition.description.strip() or f"`{definition.name}` of `{definition.server}`."
    return Tool(
        spec=ToolSpec(name=name, description=description, schema_=shown_schema(definition)),
        validate=partial(checked, name, definition),
        run=partial(call, definition),
        prepare=partial(compare, definition) if compare else None,
        changes=True,
        idempotent=definition.repeatable,
        timeout=timeout,
        definition=definition,
    )


async def _not_here(definition: ToolDefinition, arguments: Json, ctx: ToolContext) -> ToolOutput:
    raise ToolError(f"There is no connection to the server `{definition.server}` here.")


def with_tool_of(tools: Mapping[str, Tool], call: ToolCall) -> Mapping[str, Tool]:
    """Return the tools, among which that of the call is as it was when people were asked."""
    tool = tool_of(tools, call) if call.definition else None
    return {**tools, call.tool: tool} if tool else tools


def tool_of(tools: Mapping[str, Tool], call: ToolCall) -> Tool | None:
    """Return the tool of a call as it was when people were asked; None where there is none any more.

    It can be shown and its arguments checked without a connection to its server.
    """
    if call.definition is None:
        return tools.get(call.tool)
    return server_tool(call.definition, _not_here, None, timedelta(minutes=1))
