"""A command that cannot be started is told with what to write in its place."""

from __future__ import annotations

import pytest

from supervisor.mcp import servers
from supervisor.mcp.config import Server
from supervisor.mcp.hints import loading
from tests.mcp.conftest import Open
from tests.mcp.hosted import Hosted


@pytest.mark.parametrize(
    ("command", "said"),
    [
        ("mcp-server-nowhere", "write its whole path, such as /srv/tools/bin/mcp-server-nowhere."),
        ("pipx", "or install the server (`pipx install …`) and write the whole path of its program."),
        ("/nowhere/server", "there is no program `/nowhere/server`, or it may not be executed."),
    ],
)
async def test_a_program_that_is_not_there(
    hosted: Hosted, connect: Open, monkeypatch: pytest.MonkeyPatch, command: str, said: str
) -> None:
    monkeypatch.setattr(servers, "PATIENCE", 0.0)
    problem = await connect(hosted.file(command=command, sandbox=False)).ready(["host"])
    assert said in problem


@pytest.mark.parametrize(
    ("server", "sandboxed", "hinted"),
    [
        (Server("host", command="npx"), True, True),
        (Server("host", command="/usr/bin/uvx"), True, True),
        (Server("host", command="npx"), False, False),
        (Server("host", command="npx", network=True), True, False),
        (Server("host", command="npx", sandbox=False), True, False),
        (Server("host", command="mcp-server-time"), True, False),
    ],
)
def test_a_program_that_loads_its_server_needs_the_network(
    server: Server, sandboxed: bool, hinted: bool
) -> None:
    said = loading(server, sandboxed=sandboxed)
    assert bool(said) is hinted
    assert not hinted or "or set `network`" in said
