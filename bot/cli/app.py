"""The command tree."""

from __future__ import annotations

import typer

from bot.cli import (
    acting,
    deciding,
    files,
    keys,
    launching,
    records,
    replaying,
    running,
    schedules,
    sessions,
    setup,
)

app = typer.Typer(
    help="A Slack chat-ops bot: agents propose, people wave through, and it runs once.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
)
for room in (launching, sessions, replaying, files, acting, deciding):
    app.add_typer(room.app)
app.add_typer(records.app)
app.add_typer(schedules.app, name="schedule", rich_help_panel="Signals and schedules")
app.add_typer(setup.app)
app.add_typer(keys.app, name="keys", rich_help_panel="Setup")
app.add_typer(running.app)


def main() -> None:
    """The console script."""
    app()
