"""The command tree."""

from __future__ import annotations

from typing import Annotated

import typer

from bot.cli.commands import (
    audit,
    delegations,
    files,
    grants,
    keys,
    mcp,
    policy,
    schedules,
    secrets,
    sessions,
    setup,
)
from bot.cli.commands import control as acting
from bot.cli.commands import decide as deciding
from bot.cli.commands import launch as launching
from bot.cli.commands import processes as running
from bot.cli.commands import replay as replaying
from bot.cli.commands import session_log as records
from bot.cli.commands import settings as configuring
from bot.cli.commands.personal import connections, notifications


def _print_version(asked: bool) -> None:
    if asked:
        from importlib.metadata import version

        typer.echo(f"flagman {version('flagman')}")
        raise typer.Exit


app = typer.Typer(
    help="Run AI agents with human approval for every risky action.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
)
for room in (launching, sessions, replaying, files, acting, deciding):
    app.add_typer(room.app)
app.add_typer(records.app)
app.add_typer(audit.app)
app.add_typer(delegations.app, name="delegate", rich_help_panel="Decisions")
app.add_typer(notifications.app)
app.add_typer(connections.app, name="connections", rich_help_panel="Decisions")
app.add_typer(grants.app, name="grants", rich_help_panel="Decisions")
app.add_typer(schedules.app, name="schedule", rich_help_panel="Signals and schedules")
app.add_typer(setup.app)
app.add_typer(configuring.app)
app.add_typer(policy.app, name="policy", rich_help_panel="Setup")
app.add_typer(keys.app, name="keys", rich_help_panel="Setup")
app.add_typer(secrets.app, name="secrets", rich_help_panel="Setup")
app.add_typer(running.app)
app.add_typer(mcp.app)


@app.callback()
def options(
    version: Annotated[
        bool,
        typer.Option("--version", callback=_print_version, is_eager=True, help="Show the version and exit."),
    ] = False,
) -> None:
    """Take the options that go before a command."""


def main() -> None:
    """Run the command line; the entry point of the console script."""
    app()
