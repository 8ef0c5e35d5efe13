"""The command line `flagman`. Heavy modules are imported only when a command runs."""

from bot.cli.app import main

__all__ = ["main"]
