"""The command line: `flagman` on the path. Each room imports what is heavy only when its command runs."""

from bot.cli.app import main

__all__ = ["main"]
