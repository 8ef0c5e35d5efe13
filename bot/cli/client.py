"""Runs the work of a command against a Flagman; an error is printed as one sentence and sets the exit code."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Coroutine
from typing import TYPE_CHECKING, Annotated, Any, NoReturn

import typer

if TYPE_CHECKING:
    from bot.sdk.http_backend import HttpBackend

REFUSED, USAGE, WAITING, FAILED, CANCELLED, UNVERIFIED, INTERRUPTED = 1, 2, 3, 4, 5, 6, 130
Json = Annotated[bool, typer.Option("--json", help="Answer with JSON, for programs.")]
SessionId = Annotated[str, typer.Argument(metavar="ID", help="The session, as `flagman list` shows it.")]


def reach(work: Callable[[HttpBackend], Coroutine[Any, Any, int | None]]) -> None:
    """Run `work` with the Flagman of the environment, and exit with the code that it returns (None: 0)."""

    async def inside() -> int | None:
        from bot.sdk import connect

        async with connect() as remote:
            return await work(remote)

    carry_out(inside)


def carry_out(work: Callable[[], Coroutine[Any, Any, int | None]]) -> None:
    """Run `work` and exit with the code that it returns (None: 0); an error is printed as one sentence."""
    import asyncio
    import signal

    from storage.errors import StorageError
    from supervisor.core.errors import FlagmanError

    async def interruptible() -> int | None:
        # The handler of asyncio acts at the next `await`, and there is none while a person is asked at the terminal.
        signal.signal(signal.SIGINT, signal.default_int_handler)
        return await work()

    try:
        code = asyncio.run(interruptible())
    except (FlagmanError, StorageError) as error:
        refuse(_for_terminal(error))
    except KeyboardInterrupt:
        sys.exit(INTERRUPTED)
    except BrokenPipeError:
        # The reader has closed the pipe, so nothing may be written at the exit.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        sys.exit(0)
    if code:
        sys.exit(code)


def refuse(sentence: str, code: int = REFUSED) -> NoReturn:
    """Print a sentence on standard error, and exit."""
    from bot.cli.terminal import show, text

    show(text((sentence, "red")), err=True)
    sys.exit(code)


def _for_terminal(error: Exception) -> str:
    """Return the message of an error, with the command that helps, if there is one."""
    from supervisor.core.errors import KeyRefused, SessionNotFound, Unavailable

    sentence = str(error)
    if getattr(error, "code", "") == SessionNotFound.code:
        return f"{sentence} `flagman list` shows the ones there are."
    if isinstance(error, Unavailable) and sentence.startswith("No Flagman answers"):
        return f"{sentence} Start it with `flagman serve`, or set FLAGMAN_URL."
    if isinstance(error, KeyRefused):
        return f"{sentence} Set FLAGMAN_API_KEY; `flagman keys create` makes a key."
    return sentence
