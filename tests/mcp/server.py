"""An MCP server made with the SDK: `server.py FOLDER`, or `server.py FOLDER PORT` for HTTP.

`tools.json` in the folder has the tools as they are at this moment; each call is a line in `calls.jsonl`. What a call
does is in its arguments or in the name of the tool.
"""

from __future__ import annotations

import asyncio
import base64
import json
import os
import sys
import time
from pathlib import Path
from typing import Any

import mcp_types as types
from mcp.server.lowlevel import Server
from mcp.server.stdio import stdio_server

FOLDER = Path(sys.argv[1])
NAME = {"requestedSchema": {"type": "object", "properties": {"name": {"type": "string"}}}}
PIXEL = base64.b64encode(b"\x89PNG\r\n\x1a\n and so on").decode()


async def list_tools(ctx: Any, params: types.PaginatedRequestParams | None) -> types.ListToolsResult:
    if (FOLDER / "hang-list").exists():
        await asyncio.sleep(3600)
    tools = json.loads((FOLDER / "tools.json").read_text())
    return types.ListToolsResult(tools=[types.Tool.model_validate(tool) for tool in tools])


async def call_tool(
    ctx: Any, params: types.CallToolRequestParams
) -> types.CallToolResult | types.InputRequiredResult:
    arguments = params.arguments or {}
    with (FOLDER / "calls.jsonl").open("a") as out:
        row = {
            "name": params.name,
            "arguments": arguments,
            "meta": dict(params.meta or {}),
            "pid": os.getpid(),
        }
        out.write(json.dumps(row, default=str) + "\n")
    match params.name:
        case "die" | "die-once":
            _die(once=params.name == "die-once")
        case "block":
            # As a server does that serves one request at a time.
            time.sleep(float(arguments["seconds"]))
        case "hang":
            await asyncio.sleep(3600)
        case "large":
            return _text("ä" * int(arguments["size"]))
        case "steps":
            for n in (1, 2):
                await ctx.session.report_progress(n, 2, f"step {n}")
        case "asks":
            return _asked(params)
        case "fail":
            return types.CallToolResult(content=[types.TextContent(text="it did not work")], is_error=True)
        case "parts":
            return _parts()
        case "odd":
            return types.CallToolResult(content=[], structured_content={"not": "as declared"})
        case "environment":
            return _text(json.dumps(dict(os.environ)))
    return _text(f"{params.name} {json.dumps(arguments, sort_keys=True)}")


def _die(*, once: bool) -> None:
    mark = FOLDER / "died"
    if not (once and mark.exists()):
        mark.touch()
        os._exit(7)


def _asked(params: types.CallToolRequestParams) -> types.CallToolResult | types.InputRequiredResult:
    """Ask for what `ask.json` has, once for each of its lists, and return what was given."""
    answers: Any = params.input_responses
    file = FOLDER / "ask.json"
    wanted = json.loads(file.read_text()) if file.exists() else {"who": {"message": "Who are you?", **NAME}}
    rounds = wanted if isinstance(wanted, list) else [wanted]
    at = int((params.request_state or "0").rpartition(" ")[2])
    if answers and (FOLDER / "die-at-answer").exists():
        os._exit(7)
    if at == len(rounds):
        given = {key: [one.action, one.content] for key, one in answers.items()}
        return _text(json.dumps(given, sort_keys=True))
    kinds: dict[Any, Any] = {"url": types.ElicitRequestURLParams}
    forms = {
        key: kinds.get(one.get("mode"), types.ElicitRequestFormParams).model_validate(one)
        for key, one in rounds[at].items()
    }
    requests: Any = {key: types.ElicitRequest(params=form) for key, form in forms.items()}
    return types.InputRequiredResult(input_requests=requests, request_state=f"state {at + 1}")


def _text(text: str) -> types.CallToolResult:
    return types.CallToolResult(content=[types.TextContent(text=text)])


def _parts() -> types.CallToolResult:
    for_people = types.Annotations(audience=["user"])
    return types.CallToolResult(
        content=[
            types.TextContent(text="for the agent"),
            types.TextContent(text="for people alone", annotations=for_people),
            types.ImageContent(data=PIXEL, mime_type="image/png"),
            types.ImageContent(data="no base64!", mime_type="image/png"),
            types.ResourceLink(name="report", uri="file:///reports/1"),
            types.EmbeddedResource(resource=types.TextResourceContents(uri="note://1", text="a note")),
            types.EmbeddedResource(
                resource=types.BlobResourceContents(uri="blob://x/../../escape.sh", blob=PIXEL)
            ),
        ],
        structured_content={"count": 7},
    )


async def main() -> None:
    server = Server("test", on_list_tools=list_tools, on_call_tool=call_tool)
    if len(sys.argv) > 2:
        import uvicorn

        app = server.streamable_http_app(host="127.0.0.1")
        await uvicorn.Server(
            uvicorn.Config(app, host="127.0.0.1", port=int(sys.argv[2]), log_level="error")
        ).serve()
        return
    async with stdio_server() as (read, write):
        await server.run(read, write, server.create_initialization_options())


asyncio.run(main())
