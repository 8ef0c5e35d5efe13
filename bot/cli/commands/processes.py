"""`flagman serve | web | worker | clock`: the processes."""

from __future__ import annotations

import asyncio
import os
import sys
from collections.abc import Callable, Coroutine
from typing import TYPE_CHECKING, Annotated, Any

import typer

if TYPE_CHECKING:
    from bot.settings import Settings

app = typer.Typer()
PANEL = "Processes"
Verbose = Annotated[bool, typer.Option("--verbose", "-v", help="Log more.")]


@app.command(rich_help_panel=PANEL)
def serve(verbose: Verbose = False) -> None:
    """All in one process; without SLACK_BOT_TOKEN the playground opens."""
    from bot.processes.serve import serve as process

    _run(process, verbose)


@app.command(rich_help_panel=PANEL)
def web(verbose: Verbose = False) -> None:
    """Take in Slack and HTTP."""
    from bot.processes.serve import run_web

    _run(run_web, verbose)


@app.command(rich_help_panel=PANEL)
def worker(verbose: Verbose = False) -> None:
    """Advance sessions and bring Slack up to date."""
    from bot.processes.serve import run_worker

    _run(run_worker, verbose)


@app.command(rich_help_panel=PANEL)
def clock(verbose: Verbose = False) -> None:
    """Run due timers and schedules."""
    from bot.processes.serve import run_clock

    _run(run_clock, verbose)


def _run(
    process: Callable[[Settings, Callable[[str], None]], Coroutine[Any, Any, None]], verbose: bool
) -> None:
    import logging

    from bot.processes.log_format import log_masked
    from bot.processes.serve import until_told
    from bot.secret_key import signing_keys
    from bot.settings import read_settings
    from storage.errors import EmbeddedServerLost, StorageError
    from supervisor.core.errors import FlagmanError
    from supervisor.tools.process_guard import hide_process

    level = logging.DEBUG if verbose else logging.INFO
    mask = log_masked([])
    # Bolt warns that `authorize` replaces the token, which is intended: it saves an auth.test for each request.
    logging.getLogger("slack_bolt.AsyncApp").addFilter(
        lambda record: "will be ignored" not in record.getMessage()
    )
    logging.getLogger("flagman").setLevel(level)
    hide_process()
    # What is made in FLAGMAN_DATA, and by commands of agents, is for this user alone.
    os.umask(0o077)
    try:
        settings = read_settings()
        mask = log_masked([*settings.secrets, *signing_keys(settings)])
        asyncio.run(until_told(process(settings, typer.echo)))
    except EmbeddedServerLost as error:
        typer.secho(f"Flagman stops: {mask(str(error))}", err=True, fg=typer.colors.RED)
        sys.exit(1)
    except (FlagmanError, StorageError) as error:
        typer.secho(f"Flagman cannot start: {mask(str(error))}", err=True, fg=typer.colors.RED)
        sys.exit(2)
    except KeyboardInterrupt:
        sys.exit(130)
