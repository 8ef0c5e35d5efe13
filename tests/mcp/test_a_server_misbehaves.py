"""Whatever a server does, a call ends with a sentence and in time, and nothing of the server stays behind."""

from __future__ import annotations

import asyncio
import os
import sys
from pathlib import Path

import pytest

from supervisor.core.errors import ToolError
from supervisor.mcp import connection, servers, stdio
from supervisor.tools.contract import OutcomeUnknown, ToolContext, Toolset
from supervisor.tools.executor import NotBegun
from tests.mcp.conftest import Open
from tests.mcp.hosted import HOSTILE, Hosted, described
from tests.support.slack import wait_for


@pytest.fixture(autouse=True)
def _short_limits(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(servers, "PATIENCE", 0.0)
    monkeypatch.setattr(servers, "MOMENT", 0.0)
    monkeypatch.setattr(stdio, "GRACE", 0.2)


def hostile(hosted: Hosted, how: str) -> Path:
    return hosted.file(command=sys.executable, args=[str(HOSTILE), how, str(hosted.folder)], sandbox=False)


async def test_one_that_dies_at_the_start_says_its_last_words(hosted: Hosted, connect: Open) -> None:
    said = await connect(hostile(hosted, "exit")).ready(["host"])
    assert said.startswith(
        "The MCP server `host` cannot be used: it ended before it answered (no such database)."
    )


@pytest.mark.parametrize(
    ("how", "limit", "words"),
    [
        ("mute", "CONNECT_SECONDS", "did not answer within 0.3 s"),
        ("never-lists", "LIST_SECONDS", "did not list"),
    ],
)
async def test_one_that_never_answers_is_left(
    hosted: Hosted, connect: Open, monkeypatch: pytest.MonkeyPatch, how: str, limit: str, words: str
) -> None:
    monkeypatch.setattr(connection, limit, 0.3)
    assert words in await connect(hostile(hosted, how)).ready(["host"])


async def test_what_is_no_message_is_passed_over(hosted: Hosted, connect: Open, tools: Toolset) -> None:
    assert await connect(hostile(hosted, "junk")).ready(["host"]) == ""
    assert list(tools) == ["host__t"]


@pytest.mark.parametrize("how", ["flood", "endless-line", "no-result"])
async def test_a_flood_ends_the_connection_and_the_call_is_unknown(
    hosted: Hosted,
    connect: Open,
    tools: Toolset,
    context: ToolContext,
    monkeypatch: pytest.MonkeyPatch,
    how: str,
) -> None:
    monkeypatch.setattr(stdio, "MOST_UNASKED", 50)
    monkeypatch.setattr(stdio, "MOST_LINE", 2**20)
    await connect(hostile(hosted, how)).ready(["host"])
    with pytest.raises(OutcomeUnknown, match="`host` was lost"):
        await tools["host__t"].run({}, context)


async def test_a_list_without_end_and_strange_names_are_bounded(
    hosted: Hosted, connect: Open, tools: Toolset, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(connection, "MOST_PAGES", 3)
    await connect(hostile(hosted, "pages")).ready(["host"])
    assert set(tools) == {"host__t1", "host__t2", "host__t3"}
    tools.clear()
    await connect(hostile(hosted, "names")).ready(["host"])
    assert {name for name in tools if name[-7] != "_"} == {"host__ok"}
    assert all(len(name) <= 64 and name.isascii() for name in tools)
    assert len(tools) == 5
    tools.clear()
    await connect(hostile(hosted, "huge-definition")).ready(["host"])
    assert set(tools) == {"host__small"}


@pytest.mark.parametrize("how", ["orphan", "deaf"])
async def test_nothing_of_it_stays_when_it_is_closed(hosted: Hosted, connect: Open, how: str) -> None:
    opened = connect(hostile(hosted, how))
    assert await opened.ready(["host"]) == ""
    await opened.close()
    assert not [line for line in _processes() if str(hosted.folder) in line]
    orphan = hosted.folder / "orphan"
    assert not orphan.exists() or not Path(f"/proc/{orphan.read_text()}/cmdline").exists()


async def test_a_call_that_hangs_is_unknown_and_others_go_on(
    hosted: Hosted, connect: Open, tools: Toolset, context: ToolContext, monkeypatch: pytest.MonkeyPatch
) -> None:
    hosted.more = {"timeout": 1}
    hosted.offers(
        described("hang"), described("say"), described("fail"), described("large"), described("odd")
    )
    opened = connect(hosted.file())
    await opened.ready(["host"])
    with pytest.raises(OutcomeUnknown, match="did not answer within 1 s"):
        await tools["host__hang"].run({"to": "x"}, context)
    assert (await tools["host__say"].run({"to": "x"}, context)).content == 'say {"to": "x"}'
    with pytest.raises(ToolError, match="it did not work"):
        await tools["host__fail"].run({"to": "x"}, context)
    output = await tools["host__large"].run({"to": "x", "size": 3_000_000}, context)
    assert "2,934,464 characters are left out here" in output.content
    assert len(output.content) < 70_000
    assert "as declared" in (await tools["host__odd"].run({"to": "x"}, context)).content
    hosted.offers(described("say", "Says it twice."))
    tool = tools["host__say"]
    assert tool.prepare
    with pytest.raises(NotBegun):
        await tool.prepare(context)
    assert tools["host__say"].spec.description == "Says it twice."
    pid = hosted.calls[0]["pid"]
    os.kill(pid, 9)
    await wait_for(lambda: not Path(f"/proc/{pid}").exists())
    monkeypatch.setattr(servers, "PATIENCE", 30.0)
    tool = tools["host__say"]
    assert tool.prepare
    await tool.prepare(context)
    await tool.run({"to": "again"}, context)
    assert hosted.calls[-1]["pid"] != pid


async def test_a_list_that_does_not_come_ends_no_call_at_work(
    hosted: Hosted, connect: Open, tools: Toolset, context: ToolContext, monkeypatch: pytest.MonkeyPatch
) -> None:
    hosted.offers(described("block"))
    opened = connect(hosted.file())
    await opened.ready(["host"])
    monkeypatch.setattr(connection, "LIST_SECONDS", 0.2)
    running = asyncio.ensure_future(tools["host__block"].run({"to": "x", "seconds": 2}, context))
    await wait_for(lambda: hosted.calls)
    assert "did not list its tools" in await opened.ready(["host"], fresh=True)
    assert (await running).content.startswith("block")


async def test_a_server_that_nobody_uses_is_ended_and_started_again(
    hosted: Hosted, connect: Open, tools: Toolset, context: ToolContext, monkeypatch: pytest.MonkeyPatch
) -> None:
    opened = connect(hostile(hosted, "none"))
    assert await opened.ready(["host"]) == ""
    monkeypatch.setattr(connection, "IDLE_SECONDS", 0.05)
    assert (await tools["host__t"].run({}, context)).content == "done"
    await wait_for(lambda: not [line for line in _processes() if str(hosted.folder) in line])
    monkeypatch.setattr(servers, "PATIENCE", 30.0)
    monkeypatch.setattr(connection, "IDLE_SECONDS", 60.0)
    assert await opened.ready(["host"], fresh=True) == ""
    assert (await tools["host__t"].run({}, context)).content == "done"


async def test_a_result_of_fifty_megabytes_is_left_out_and_told(
    hosted: Hosted, connect: Open, tools: Toolset, context: ToolContext
) -> None:
    hosted.offers(described("large"), described("say"))
    await connect(hosted.file()).ready(["host"])
    said = (await tools["host__large"].run({"to": "x", "size": 25_000_000}, context)).content
    assert said == "[The answer has 48 MB and is left out: 16 MB are read.]"
    assert (await tools["host__say"].run({"to": "x"}, context)).content == 'say {"to": "x"}'


def _processes() -> list[str]:
    found = []
    for path in Path("/proc").glob("[0-9]*/cmdline"):
        try:
            found.append(path.read_bytes().replace(b"\0", b" ").decode(errors="replace"))
        except OSError:
            continue
    return [line for line in found if "hostile.py" in line]
