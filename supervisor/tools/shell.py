"""The tool `shell`: runs a command in the session's folder, in a sandbox where there is one."""

from __future__ import annotations

import signal
from datetime import timedelta
from pathlib import Path
from typing import Annotated

from pydantic import AfterValidator, Field

from supervisor.core.errors import ToolError
from supervisor.tools.contract import Tool, ToolContext
from supervisor.tools.typed_tool import tool

DEFAULT_PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin:/opt/homebrew/bin"
SHELLS = ("/bin/bash", "/usr/bin/bash", "/bin/sh")
LONGEST = 600


def _no_nul(command: str) -> str:
    if "\0" in command:
        raise ValueError("a command has no NUL character")
    return command


Command = Annotated[
    str,
    Field(description="A command line for bash.", min_length=1, max_length=32_768),
    AfterValidator(_no_nul),
]


def shell_tool(*, path: str = DEFAULT_PATH) -> Tool:
    """Return the tool `shell`; `path` is the PATH of its commands.

    Its calls need an approval: without a sandbox a command has all rights of this process's user, and also in one it
    can do what the persona grants. Do not allow them by a glob, since `df *` also matches `df; rm -r x`.
    """

    @tool(timeout=timedelta(seconds=LONGEST + 30))
    async def shell(
        command: Command,
        ctx: ToolContext,
        timeout_s: Annotated[int, Field(description="Seconds until it is stopped.", ge=1, le=LONGEST)] = 60,
    ) -> str:
        """Run a command in the session's folder and return its exit code, output and errors.

        There is no terminal and no input. Processes left in the background end with the command; a long output is
        cut in the middle.
        """
        return await _run(command, timeout_s, ctx, path)

    return shell


async def _run(command: str, seconds: int, ctx: ToolContext, path: str) -> str:
    ended = await ctx.executor.run(
        (_shell(), "-c", command),
        seconds,
        folder=ctx.held(),
        environment=_environment(ctx, path),
        grants=ctx.grants,
        begin_by=ctx.begin_by,
        mask=ctx.mask,
        printed=ctx.printed,
    )
    shown, code = ended.output or "(no output)", ended.code
    if code is None:
        raise ToolError(f"stopped: the time limit of {seconds} s was reached\n{shown}")
    if code < 0:
        raise ToolError(f"ended by signal {_signal_name(-code)}\n{shown}")
    if code > 0:
        raise ToolError(f"exit code {code}{_meaning(code)}\n{shown}")
    return f"exit code 0\n{shown}"


def _shell() -> str:
    return next(shell for shell in SHELLS if Path(shell).exists())


def _environment(ctx: ToolContext, path: str) -> dict[str, str]:
    """Return the whole environment of a command; that of this process holds secrets."""
    return {
        "PATH": path,
        "HOME": str(ctx.folder),
        "LANG": "C.UTF-8",
        "TERM": "dumb",
        "FLAGMAN_SESSION": ctx.session_id,
        "FLAGMAN_CALL": ctx.call_id,
        "FLAGMAN_IDEMPOTENCY_KEY": ctx.idempotency_key,
    }


def _meaning(code: int) -> str:
    """Return a note where the code can be that of a shell or a sandbox whose command a signal has ended."""
    if not 128 < code < 128 + signal.NSIG:
        return ""
    return f" (a command that {_signal_name(code - 128)} ends gives this one, too)"


def _signal_name(number: int) -> str:
    """Return the name of a signal; a real-time signal has none of its own and gets one such as `SIGRTMIN+1`."""
    try:
        return signal.Signals(number).name
    except ValueError:
        return f"SIGRTMIN+{number - signal.SIGRTMIN}"
