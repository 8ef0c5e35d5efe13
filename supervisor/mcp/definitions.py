"""What a server says of its tools, in the form that is pinned with calls."""

from __future__ import annotations

import logging
from collections.abc import Iterable
from fnmatch import fnmatchcase
from typing import TYPE_CHECKING

from supervisor.core.digest import canonical_json
from supervisor.core.messages import ToolDefinition
from supervisor.core.text.sanitize import clean, clean_text
from supervisor.mcp.config import Server
from supervisor.mcp.tools import tool_name

if TYPE_CHECKING:
    from mcp_types import Tool

MOST_TOOLS = 500
# Characters of one definition, which is stored with each call of its tool.
MOST_CHARACTERS = 64 * 1024
# By this key in the `_meta` of a tool its server says that it heeds the key of the same name in that of a call.
HEEDS_KEY = "flagman/idempotencyKey"
_log = logging.getLogger("flagman.mcp")


def definitions_of(server: Server, tools: Iterable[Tool]) -> dict[str, ToolDefinition]:
    """Return the definitions by the names that the server gives; what cannot be used is left out and logged."""
    found: dict[str, ToolDefinition] = {}
    names: set[str] = set()
    for tool in tools:
        try:
            definition = _definition(server, tool)
            size = len(canonical_json(definition.model_dump(mode="json")))
        except (ValueError, RecursionError) as error:
            _log.warning("MCP server %s: the tool %.100r is left out: %s", server.name, tool.name, error)
            continue
        name = tool_name(server.name, definition.name)
        if size > MOST_CHARACTERS or name in names or len(found) >= MOST_TOOLS:
            why = "its name is taken" if name in names else "it is too large, or one too many"
            _log.warning("MCP server %s: the tool %.100r is left out: %s", server.name, tool.name, why)
            continue
        names.add(name)
        found[definition.name] = definition
    return found


def _definition(server: Server, tool: Tool) -> ToolDefinition:
    """Return the definition. Hints make a tool riskier; that it can be repeated takes more than a hint."""
    hints = tool.annotations
    idempotent = hints is not None and hints.idempotent_hint is True
    heeds_key = (tool.meta or {}).get(HEEDS_KEY) is True
    vouched = any(fnmatchcase(tool.name, glob) for glob in server.repeat)
    return ToolDefinition(
        server=server.name,
        name=clean_text(tool.name),
        description=clean_text(tool.description or tool.title or ""),
        schema_=clean(tool.input_schema),
        provided=server.provided(tool.name),
        destructive=hints is not None and hints.destructive_hint is True,
        repeatable=idempotent and (heeds_key or vouched),
        personal=server.oauth is not None,
    )
