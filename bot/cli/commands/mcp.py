"""`flagman mcp`: Flagman as an MCP server for another agent, over standard input and output."""

from __future__ import annotations

from typing import TYPE_CHECKING

import typer

from bot.cli.client import reach

if TYPE_CHECKING:
    from bot.sdk.http_backend import HttpBackend

app = typer.Typer()


@app.command(rich_help_panel="Processes")
def mcp() -> None:
    """Serve Flagman's tools to another agent: an MCP server over standard input and output.

    A client of MCP starts it. It reaches the running Flagman by FLAGMAN_URL and FLAGMAN_API_KEY, as all commands do,
    and has the tools that the scopes of the key allow: launch, list, show, wait, pause, resume, cancel, tell, and with
    the scope `approve` also approve and deny, but never for calls of what the key or its owner launched. The same tools
    are at the address /mcp of the running Flagman.
    """

    async def work(remote: HttpBackend) -> None:
        from bot.mcp.stdio import serve

        await serve(remote)

    reach(work)
