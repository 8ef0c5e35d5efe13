"""One call of a tool with what its server asks for meanwhile, and what an error of the library says of a request."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

from supervisor.core.errors import ToolError
from supervisor.core.messages import Json
from supervisor.mcp.elicitation import People
from supervisor.mcp.errors import NO_ANSWER, NOT_SENT, STALE, ConnectionLost, ServerAway
from supervisor.tools.inputs import InputNeeded

if TYPE_CHECKING:
    from mcp import Client
    from mcp_types import CallToolResult

# How often one call may ask for more input.
MOST_ROUNDS = 10
LONGEST_LINE = 500
# Seconds before a server is called again that asked for nothing but that.
STATE_ONLY_PAUSE = 0.25
ENDED = "the connection ended before an answer"


class SessionForgotten(ServerAway):
    """The server was started again and does not know the session of the connection any more."""


async def call_tool(
    client: Client, name: str, arguments: Json, meta: Mapping[str, Any], people: People
) -> CallToolResult:
    """Send a call; what the server says of its progress is shown.

    Raises ServerAway where it would begin too late, and InputNeeded where the server wants input first, and is to be
    called again with it. The session's own `call_tool` drops results that do not fit the schema that the server
    declared for them.
    """
    from mcp import MCPError
    from mcp_types import CallToolRequest, CallToolRequestParams, CallToolResult, InputRequiredResult
    from mcp_types.version import MODERN_PROTOCOL_VERSIONS
    from pydantic import TypeAdapter

    kinds: TypeAdapter[CallToolResult | InputRequiredResult] = TypeAdapter(
        CallToolResult | InputRequiredResult
    )
    responses, state = people.responses, people.state
    if client.protocol_version not in MODERN_PROTOCOL_VERSIONS:
        # The server has no place for answers: it looks itself whether what it asked for was done.
        people.check_accepted()
        responses = state = None
    if time.monotonic() > people.ctx.begin_by:
        # The connection had to be opened first; another worker, or nobody, may have the call by now.
        raise ServerAway(people.server, "it was reached too late to begin the call")
    for _ in range(MOST_ROUNDS):
        params = CallToolRequestParams.model_validate(
            {"name": name, "arguments": arguments, "_meta": dict(meta)}
        ).model_copy(update={"input_responses": responses, "request_state": state})
        try:
            result = await client.session.send_request(
                CallToolRequest(params=params), kinds, progress_callback=_Shown(people.ctx.printed)
            )
        except MCPError as error:
            people.need_addresses(error.error)
            raise
        if isinstance(result, CallToolResult):
            return result
        state = result.request_state
        responses = people.need(result.input_requests or {}, state)
        if not responses:
            await asyncio.sleep(STATE_ONLY_PAUSE)
    raise ConnectionLost(f"it asked for input more than {MOST_ROUNDS} times")


class _Shown:
    """Prints a line for each progress that a server tells of."""

    def __init__(self, printed: Callable[[bytes], None]) -> None:
        self._printed = printed

    async def __call__(self, progress: float, total: float | None, message: str | None) -> None:
        so_far = f"{progress:g} of {total:g}" if total else f"{progress:g}"
        line = " ".join((message or "").split())[:LONGEST_LINE]
        self._printed(f"{line} ({so_far})\n".encode() if line else f"{so_far}\n".encode())


def error_of(error: Exception, server: str, ending: str) -> Exception:
    """Return the error of a request as one of ours; `ending` says why requests have no answer any more."""
    from mcp import MCPError
    from mcp_types import CONNECTION_CLOSED, INVALID_PARAMS, METHOD_NOT_FOUND, PARSE_ERROR, REQUEST_TIMEOUT

    if isinstance(error, ToolError | ServerAway | ConnectionLost | InputNeeded):
        return error
    if not isinstance(error, MCPError):
        return ConnectionLost(f"it answered with what is no message of MCP ({type(error).__name__})")
    said, code = error.error.message[:2000] or "no reason given", error.error.code
    if code == STALE:
        return SessionForgotten(server, said)
    if code == NOT_SENT:
        return ServerAway(server, said)
    if code in (NO_ANSWER, REQUEST_TIMEOUT, PARSE_ERROR):
        return ConnectionLost(said)
    # The library says so itself by a code that servers use for other things, too.
    if code == CONNECTION_CLOSED and said == "Connection closed":
        return ConnectionLost(ending)
    if code == CONNECTION_CLOSED and said.startswith("SSE stream"):
        return ConnectionLost(said)
    if code in (INVALID_PARAMS, METHOD_NOT_FOUND):
        return ToolError(f"The server refused the call: {said}")
    return ToolError(f"The server answered with an error: {said}")


def first_of(error: BaseException) -> BaseException:
    """Return the first error in a group of them."""
    while isinstance(error, BaseExceptionGroup):
        error = error.exceptions[0]
    return error


def words_of(error: BaseException) -> str:
    """Return the first error in a group of them in words."""
    first = first_of(error)
    return str(first)[:300] or type(first).__name__
