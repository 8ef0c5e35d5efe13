"""What has gone wrong in other clients of MCP, as their issue trackers tell: each of it ends well here.

Others of that kind have tests beside this file: cancel scopes across tasks (each test that connects), children that
stay behind, sessions that a restarted server has forgotten, tools that are renamed, lists that never come or end.
"""

from __future__ import annotations

import asyncio

import pytest

from supervisor.mcp import servers, stdio
from supervisor.tools.contract import ToolContext, Toolset
from tests.mcp.conftest import Open
from tests.mcp.hosted import Hosted
from tests.mcp.test_a_server_misbehaves import hostile
from tests.support.slack import wait_for


@pytest.fixture(autouse=True)
def _short_limits(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(servers, "PATIENCE", 0.0)
    monkeypatch.setattr(stdio, "GRACE", 0.2)


async def test_a_server_that_fills_its_error_output_is_not_held_up(
    hosted: Hosted, connect: Open, tools: Toolset, context: ToolContext
) -> None:
    # mcp-go 956: nobody read it, and the server stood still in the middle of a write.
    await connect(hostile(hosted, "stderr")).ready(["host"])
    assert (await tools["host__t"].run({}, context)).content == "done"


@pytest.mark.parametrize(
    ("asked", "answer"), [("ping", "answered"), ("sampling/createMessage", "error"), ("roots/list", "error")]
)
async def test_a_request_in_the_middle_of_a_call_is_answered(
    hosted: Hosted, connect: Open, tools: Toolset, context: ToolContext, asked: str, answer: str
) -> None:
    # Servers that wait for the answer to a ping end the call, or the connection, without one.
    await connect(hostile(hosted, asked)).ready(["host"])
    assert (await tools["host__t"].run({}, context)).content == answer


async def test_answers_that_nobody_waits_for_are_passed_over(
    hosted: Hosted, connect: Open, tools: Toolset, context: ToolContext
) -> None:
    await connect(hostile(hosted, "strange-answers")).ready(["host"])
    assert (await tools["host__t"].run({}, context)).content == "done"


async def test_what_it_asks_in_one_of_several_calls_reaches_no_other_one(
    hosted: Hosted, connect: Open, tools: Toolset, context: ToolContext
) -> None:
    # mcp-context-forge 1985: it may be asked of people who have nothing to do with it.
    await connect(hostile(hosted, "asks-two")).ready(["host"])
    run = tools["host__t"].run
    for output in await asyncio.gather(run({}, context), run({}, context)):
        assert output.content.startswith("decline")
        assert "several calls of it were at work" in output.content


async def test_what_it_asks_for_a_call_that_was_given_up_reaches_no_other_one(
    hosted: Hosted, connect: Open, tools: Toolset, context: ToolContext
) -> None:
    opened = connect(hostile(hosted, "asks-late"))
    await opened.ready(["host"])
    run = tools["host__t"].run
    first = asyncio.ensure_future(run({}, context))
    await wait_for(lambda: opened._connections["host"].is_busy)
    first.cancel()
    await asyncio.wait([first])
    output = await run({}, context)
    assert output.content.startswith("decline")
    assert "an earlier call of it was given up" in output.content


async def test_a_tool_that_comes_is_there_at_once(
    hosted: Hosted, connect: Open, tools: Toolset, context: ToolContext
) -> None:
    # mecatl 1511: sessions keep the tools of their beginning.
    opened = connect(hostile(hosted, "changes"))
    await opened.ready(["host"])
    assert set(tools) == {"host__t"}
    await tools["host__t"].run({}, context)
    await opened.ready(["host"])
    assert set(tools) == {"host__t", "host__new"}
