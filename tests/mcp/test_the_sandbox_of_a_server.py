"""A public server runs in the sandbox: it sees its own program and nothing of Flagman, and ends with Flagman."""

from __future__ import annotations

import asyncio
import json
import os
import signal
import sys
from pathlib import Path

import pytest

from bot.sandbox import find_sandbox
from bot.settings import Settings
from supervisor.mcp import servers
from supervisor.mcp.config import read_servers
from supervisor.mcp.servers import McpServers
from supervisor.mcp.stdio import Launcher
from supervisor.tools.contract import ToolContext, Toolset
from supervisor.tools.executor import Executor
from tests.mcp.conftest import Open
from tests.mcp.hosted import SCRIPT, Hosted, described
from tests.support.slack import wait_for

TIME = Path(sys.executable).parent / "mcp-server-time"
needs_a_sandbox = pytest.mark.skipif(find_sandbox(Settings()).sandbox is None, reason="no sandbox works here")


@needs_a_sandbox
async def test_a_public_server_is_used_from_within_the_sandbox(
    hosted: Hosted, connect: Open, tools: Toolset, context: ToolContext
) -> None:
    file = hosted.file(command=str(TIME), args=["--local-timezone", "UTC"])
    assert await connect(file, sandboxed=True).ready(["host"]) == ""
    assert {"host__get_current_time", "host__convert_time"} <= set(tools)
    tool = tools["host__convert_time"]
    assert tool.changes, "a hint that it only reads makes nothing of it"
    given = {"source_timezone": "UTC", "time": "12:00", "target_timezone": "Asia/Tokyo"}
    assert "21:00" in (await tool.run(given, context)).content


@needs_a_sandbox
async def test_it_has_its_own_variables_and_a_folder_and_nothing_else(
    hosted: Hosted,
    connect: Open,
    tools: Toolset,
    context: ToolContext,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("FLAGMAN_SECRET_KEY", "a-key-for-tests-only-0123456789abcdef")
    # It works in the folder that it starts in.
    script = f"import sys; sys.argv = ['server', '.']; exec(open({str(SCRIPT)!r}).read())"
    entry = {"command": sys.executable, "args": ["-c", script], "env": {"MINE": "${TOKEN}"}}
    file = hosted.file(**entry, read=[str(SCRIPT.parent)])
    own = tmp_path / "own" / "host"
    own.mkdir(parents=True)
    (own / "tools.json").write_text(json.dumps([described("environment")]))
    assert await connect(file, sandboxed=True).ready(["host"]) == ""
    seen = json.loads((await tools["host__environment"].run({"to": "x"}, context)).content)
    assert seen["MINE"] == "ghx-0123456789abcdef"
    assert not [name for name in seen if name.startswith("FLAGMAN")]
    assert (own / "calls.jsonl").exists(), "it may write in its own folder"


@needs_a_sandbox
async def test_beside_the_playground_it_has_no_network(
    hosted: Hosted, tools: Toolset, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(servers, "PATIENCE", 0.0)
    found = find_sandbox(Settings(data=tmp_path / "data")).sandbox
    environment = {"PATH": "/usr/bin"}
    launcher = Launcher(Executor(found), tmp_path / "own", environment, no_network="there is a playground")
    hosted.more = {"network": True, "sandbox": True}
    opened = McpServers(read_servers(hosted.file(), {}), tools, launcher)
    assert "`host` cannot be used: there is a playground" in await opened.ready(["host"])


async def test_a_server_ends_with_the_process_that_started_it(hosted: Hosted, tmp_path: Path) -> None:
    file = hosted.file()
    program = f"""
import asyncio
from pathlib import Path
from supervisor.mcp.config import read_servers
from supervisor.mcp.servers import McpServers
from supervisor.mcp.stdio import Launcher
from supervisor.tools.executor import Executor

async def main():
    launcher = Launcher(Executor(), Path({str(tmp_path / "own")!r}), {{"PATH": "/usr/bin:/bin"}})
    servers = McpServers(read_servers(Path({str(file)!r}), {{}}), {{}}, launcher)
    print(await servers.ready(["host"]) or "ready", flush=True)
    await asyncio.sleep(3600)

asyncio.run(main())
"""
    owner = await asyncio.create_subprocess_exec(
        sys.executable, "-c", program, stdout=asyncio.subprocess.PIPE
    )
    assert owner.stdout
    assert await owner.stdout.readline() == b"ready\n"
    assert _running(hosted)
    os.kill(owner.pid, signal.SIGKILL)
    await owner.wait()
    await wait_for(lambda: not _running(hosted))


async def test_a_program_that_is_not_there_is_named(
    hosted: Hosted, connect: Open, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(servers, "PATIENCE", 0.0)
    assert "there is no program `no-such-server`" in await connect(
        hosted.file(command="no-such-server")
    ).ready(["host"])
    assert "There is no MCP server `other` in the file" in await connect(hosted.file()).ready(["other"])


def _running(hosted: Hosted) -> list[str]:
    found = []
    for path in Path("/proc").glob("[0-9]*/cmdline"):
        try:
            line = path.read_bytes().replace(b"\0", b" ").decode(errors="replace")
        except OSError:
            continue
        if str(SCRIPT) in line and str(hosted.folder) in line:
            found.append(line)
    return found
