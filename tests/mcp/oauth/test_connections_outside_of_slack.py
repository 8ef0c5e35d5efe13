"""At the command line and in Python: the owner of the key connects a server, sees what is connected, and removes it."""

from __future__ import annotations

import asyncio
from pathlib import Path

from bot.sdk import AgentSupervisor
from tests.cli.served import served
from tests.mcp.oauth.authority import Authority
from tests.mcp.oauth.browser import Browser
from tests.mcp.oauth.conftest import mcp_file
from tests.support.slack import ADA


async def test_the_owner_of_the_key_connects_and_removes(
    notes: Authority, browser: Browser, tmp_path: Path
) -> None:
    with served(tmp_path, FLAGMAN_MCP=str(mcp_file(tmp_path, notes)), FLAGMAN_USER=ADA) as running:
        cli = running.cli
        assert cli.json("connections", "list") == {"connections": [], "connectable": ["notes"]}
        said = cli("connections", "connect", "notes").stdout.splitlines()
        assert said[0].startswith("Open this yourself, until ")
        assert "has connected <b>notes</b>" in await browser.connect(said[1])
        (row,) = cli("connections", "list").stdout.splitlines()
        assert row.split("\t")[0] == "notes"
        # It asks the authorization server, which answers in this process.
        removed = await asyncio.to_thread(cli, "connections", "remove", "notes")
        assert "its server has revoked it" in removed.stdout
        assert "have not connected `notes`" in cli("connections", "remove", "notes", code=1).stderr
        flagman = AgentSupervisor(url=running.url, api_key=running.key)
        await browser.connect((await flagman.connect("notes")).url)
        assert [one.server for one in await flagman.connections()] == ["notes"]
        assert (await flagman.remove_connection("notes")).revoked
