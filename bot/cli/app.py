"""The command tree."""

from __future__ import annotations

import typer

from bot.cli import running

app = typer.Typer(
    help="A Slack chat-ops bot: agents propose, people wave through, and it runs once.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
)
app.add_typer(running.app)


def main() -> None:
    """The console script."""
    app()
