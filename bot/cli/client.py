"""Runs the work of a command against a Flagman; an error is printed as one sentence and sets the exit code."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Coroutine
from typing import TYPE_CHECKING, Annotated, Any, NoReturn

import typer

from bot.cli import completion

if TYPE_CHECKING:
    from bot.sdk.http_backend import HttpBackend

REFUSED, USAGE, WAITING, FAILED, CANCELLED, UNVERIFIED, INTERRUPTED = 1, 2, 3, 4, 5, 6, 130
Json = Annotated[bool, typer.Option("--json", help="Answer with JSON, for programs.")]
SessionId = Annotated[
    str,
    typer.Argument(
        metavar="ID", help="The session, as `flagman list` shows it.", autocompletion=completion.sessions
    ),
]


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
        return f"{sentence} `flagman list` lists sessions."
    if isinstance(error, Unavailable) and sentence.startswith("No Flagman answers"):
        return f"{sentence} {_how_to_reach()}"
    if isinstance(error, KeyRefused):
        return _how_to_be_known(sentence)
    return sentence


def _how_to_reach() -> str:
    """Return where the address came from that does not answer, and how another one is named."""
    from bot.local_key import KEY_FILE, read_local_key
    from bot.settings import read_client_settings

    known = read_client_settings()
    if known.url:
        return (
            "FLAGMAN_URL names it: start it there with `flagman serve`, or set FLAGMAN_URL to where it runs."
        )
    folder = known.data.resolve()
    if read_local_key(known.data):
        return f"The Flagman that wrote {folder / KEY_FILE} has ended: start it again with `flagman serve`."
    return f"No running Flagman has its key in {folder}. Start one here with `flagman serve`; {_ELSEWHERE}"


def _how_to_be_known(refusal: str) -> str:
    """Return which key was shown, or where one was looked for, and how another one is named."""
    from bot.local_key import KEY_FILE, read_local_key
    from bot.settings import read_client_settings

    known = read_client_settings()
    if known.api_key:
        return f"{refusal} Set FLAGMAN_API_KEY to another one; `flagman keys create` makes it where Flagman runs."
    file = known.data.resolve() / KEY_FILE
    local = read_local_key(known.data)
    found = f"the key in {file} is for {local.url}" if local else f"there is none in {file}"
    return (
        f"A Flagman answers and wants an API key, but {found}, and FLAGMAN_API_KEY is not set: {_ELSEWHERE}"
    )


_ELSEWHERE = (
    "for one that was started in another folder set FLAGMAN_DATA to its data folder (.flagman there), for one on "
    "another machine FLAGMAN_URL and FLAGMAN_API_KEY."
)
