"""`flagman secrets set | list | remove`: values that MCP servers get by name."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from bot.cli.client import Json, reach, refuse

if TYPE_CHECKING:
    from bot.sdk.http_backend import HttpBackend

app = typer.Typer(no_args_is_help=True, help="Secrets by name, which MCP servers get and nobody reads again.")
Name = Annotated[str, typer.Argument(help="As the file of FLAGMAN_MCP has it, in ${secret:NAME}.")]


@app.command("set")
def set_(name: Name) -> None:
    """Set a secret, in place of one of the same name. The value is asked for, or read from a pipe."""
    import sys

    from bot.cli.terminal import is_terminal

    if is_terminal(sys.stdin):
        value = str(typer.prompt(f"Value of {name}", hide_input=True))
    else:
        value = sys.stdin.read().rstrip("\n")
    if not value:
        refuse("The value is empty.", 2)

    async def work(remote: HttpBackend) -> None:
        from bot.cli.terminal import done

        await remote.call("PUT", f"/v1/secrets/{name}", {"value": value})
        done(f"Secret {name} is set. Servers get it when they are connected next.")

    reach(work)


@app.command("list")
def list_(json: Json = False) -> None:
    """All secrets: their names, who set them, and when."""

    async def work(remote: HttpBackend) -> None:
        from datetime import datetime

        from bot.cli.terminal import DIM, ago, as_json, hint, table

        rows = (await remote.call("GET", "/v1/secrets"))["secrets"]
        if json:
            as_json(rows)
        elif not rows:
            hint("No secrets. Set one: flagman secrets set github")
        else:
            lines = [
                ((row["name"], "bold"), row["by"], (ago(datetime.fromisoformat(row["at"])), DIM))
                for row in rows
            ]
            table(("NAME", "SET BY", "SET"), lines, wide=1)

    reach(work)


@app.command()
def remove(name: Name) -> None:
    """Remove a secret; no server gets it any more."""

    async def work(remote: HttpBackend) -> None:
        from bot.cli.terminal import done

        await remote.call("DELETE", f"/v1/secrets/{name}")
        done(f"Secret {name} is removed.")

    reach(work)
