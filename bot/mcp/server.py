"""The MCP server of the SDK with Flagman's tools, for whoever the context of a request says."""

from __future__ import annotations

import json
import logging
from collections.abc import Awaitable, Callable, Mapping
from importlib.metadata import version
from typing import Any

import mcp_types as types
from mcp.server.context import ServerRequestContext
from mcp.server.lowlevel import Server

from bot.mcp.tools import INSTRUCTIONS, Caller, Report, ServedTool, call_tool, tools_for
from supervisor.core.errors import FlagmanError
from supervisor.core.messages import Json

Context = ServerRequestContext[Any, Any]
CallOf = Callable[[Caller, str, Mapping[str, Any] | None, Report], Awaitable[Json]]
_FAULT = "Something went wrong inside Flagman; the details are in its log."
_log = logging.getLogger("flagman.mcp")


def make_server(
    caller_of: Callable[[Context], Caller], *, call: CallOf = call_tool, mask: Callable[[str], str] = str
) -> Server[Any]:
    """Return a server whose tools act for the caller of each request; `mask` hides secrets in errors."""

    async def list_tools(context: Context, _: types.PaginatedRequestParams | None) -> types.ListToolsResult:
        return types.ListToolsResult(tools=[_listed(tool) for tool in tools_for(caller_of(context).key)])

    async def run(context: Context, params: types.CallToolRequestParams) -> types.CallToolResult:
        async def report(so_far: float, total: float, message: str) -> None:
            await context.session.report_progress(so_far, total, message)

        try:
            return _result(await call(caller_of(context), params.name, params.arguments, report))
        except FlagmanError as error:
            return _refusal(mask(str(error)), error.code)
        except Exception:  # noqa: BLE001  the library would tell the client what the error says
            _log.exception("the tool %s", params.name)
            return _refusal(_FAULT, "internal_error")

    return Server(
        "flagman",
        version=version("flagman"),
        title="Flagman",
        instructions=INSTRUCTIONS,
        on_list_tools=list_tools,
        on_call_tool=run,
    )


def _listed(tool: ServedTool) -> types.Tool:
    return types.Tool(
        name=tool.name,
        description=tool.description,
        input_schema=tool.schema,
        annotations=types.ToolAnnotations(
            read_only_hint=tool.reads,
            destructive_hint=tool.destroys,
            idempotent_hint=tool.reads or tool.repeatable,
            open_world_hint=not tool.reads,
        ),
    )


def _result(found: Json) -> types.CallToolResult:
    # As the specification asks: the text is for clients that do not read structured content.
    text = json.dumps(found, ensure_ascii=False)
    return types.CallToolResult(content=[types.TextContent(text=text)], structured_content=found)


def _refusal(sentence: str, code: str) -> types.CallToolResult:
    return types.CallToolResult(
        content=[types.TextContent(text=sentence)],
        structured_content={"code": code, "detail": sentence},
        is_error=True,
    )
