"""`flagman connections list | connect | remove`: the servers that the owner of the key uses as themselves."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from bot.cli.client import Json, reach

if TYPE_CHECKING:
    from bot.sdk.http_backend import HttpBackend

app = typer.Typer(no_args_is_help=True, help="Servers that agents use as you: the person who owns the key.")
ServerName = Annotated[
    str, typer.Argument(metavar="SERVER", help="A name in the file of FLAGMAN_MCP, such as github.")
]


@app.command("list")
def list_connections(json: Json = False) -> None:
    """List what you have connected, and what you can connect."""

    async def work(remote: HttpBackend) -> None:
        from bot.cli.terminal import as_json, clock, hint, table

        found = await remote.connections()
        if json:
            as_json(found)
            return
        rows = [
            (
                one.server,
                one.account or "-",
                clock(one.since),
                one.scopes or "-",
                "connect it again" if one.refused else clock(one.expires_at) if one.expires_at else "never",
            )
            for one in found.connections
        ]
        table(("SERVER", "ACCOUNT", "SINCE", "RIGHTS", "EXPIRES"), rows, wide=3)
        missing = sorted(set(found.connectable) - {one.server for one in found.connections})
        if missing:
            hint(
                f"Not connected: {', '.join(missing)}. `flagman connections connect {missing[0]}` connects it."
            )

    reach(work)


@app.command()
def connect(server: ServerName, json: Json = False) -> None:
    """Print a link that works once: who opens it signs in to the server, which agents then use as you."""

    async def work(remote: HttpBackend) -> None:
        from bot.cli.terminal import as_json, clock, done

        link = await remote.connect(server)
        if json:
            as_json(link)
        else:
            done(f"Open this yourself, until {clock(link.expires_at)}:")
            typer.echo(link.url)

    reach(work)


@app.command()
def remove(server: ServerName, json: Json = False) -> None:
    """Remove a connection, and have its server revoke it where that offers to."""

    async def work(remote: HttpBackend) -> None:
        from bot.cli.terminal import as_json, done

        removed = await remote.remove_connection(server)
        if json:
            as_json(removed)
        else:
            there = (
                "its server has revoked it" if removed.revoked else "its server did not say that it has, too"
            )
            done(f"Flagman has forgotten your connection to {server}; {there}.")

    reach(work)
