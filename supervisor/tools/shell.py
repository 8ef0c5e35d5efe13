"""The tool `shell`: runs a command in the session's folder with a small environment and ends all its processes."""

from __future__ import annotations

import asyncio
import math
import os
import signal
import socket
import subprocess
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from datetime import timedelta
from pathlib import Path
from typing import Annotated

from pydantic import AfterValidator, Field

from storage import guard
from supervisor.core.errors import ToolError
from supervisor.tools.contract import NotBegun, Tool, ToolContext
from supervisor.tools.process_guard import hide_process
from supervisor.tools.typed_tool import tool

DEFAULT_PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin:/opt/homebrew/bin"
SHELLS = ("/bin/bash", "/usr/bin/bash", "/bin/sh")
LONGEST = 600
KEPT_BYTES = 64 * 1024
# Seconds that a command may run after SIGTERM, and that its output may go on after its end.
GRACE = 2.0
DRAIN = 1.0
# On other systems a process that leaves the process group outlives the call.
REAPS = sys.platform == "linux"


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
    """The tool `shell`; `path` is the PATH of its commands.

    A command has all rights of this process's user: the folder is only its working directory. So its calls need an
    approval; do not allow them by a glob, since `df *` also matches `df; rm -r x`.
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
    output = _HeadAndTail()
    async with _group(command, ctx, path, output) as (process, leash):
        try:
            async with asyncio.timeout(seconds):
                code = await process.wait()
        except TimeoutError:
            await _terminate(process)
            code = None
        if not _has_begun(leash, ctx):
            raise NotBegun
    shown = output.text() or "(no output)"
    if code is None:
        raise ToolError(f"stopped: the time limit of {seconds} s was reached\n{shown}")
    if code < 0:
        raise ToolError(f"ended by signal {_signal_name(-code)}\n{shown}")
    if code > 0:
        raise ToolError(f"exit code {code}\n{shown}")
    return f"exit code 0\n{shown}"


@asynccontextmanager
async def _group(
    command: str, ctx: ToolContext, path: str, output: _HeadAndTail
) -> AsyncIterator[tuple[asyncio.subprocess.Process, socket.socket]]:
    """Run the command in its own process group, which is killed at the end, also if this process is killed.

    Gives the process and the socket on which its guard says that it has begun.
    """
    leash, guarded = socket.socketpair()
    reading, writing = os.pipe()
    # The guard kills the remaining processes when this end is closed, also by the end of this process.
    with leash:
        try:
            transport, _ = await asyncio.get_running_loop().connect_read_pipe(
                lambda: output, os.fdopen(reading, "rb", buffering=0)
            )
            process = await _spawn(command, ctx, path, guarded.fileno(), writing)
        finally:
            guarded.close()
            os.close(writing)
        try:
            yield process, leash
        finally:
            leash.close()
            await asyncio.shield(_wait_for_end(process, output))
            transport.close()


async def _spawn(
    command: str, ctx: ToolContext, path: str, guarded: int, writing: int
) -> asyncio.subprocess.Process:
    hide_process()
    mode = "reap" if REAPS else "pipe"
    watched = (mode, str(int(signal.SIGKILL)), str(guarded), repr(ctx.begin_by))
    guarding = (sys.executable, "-I", "-S", guard.__file__, *watched)
    # With asyncio's own pipe for the output, wait() would wait for all processes that hold it open.
    return await asyncio.create_subprocess_exec(
        *guarding,
        _shell(),
        "-c",
        command,
        cwd=ctx.folder,
        env=_environment(ctx, path),
        stdin=subprocess.DEVNULL,
        stdout=writing,
        stderr=writing,
        pass_fds=(guarded,),
        start_new_session=True,
    )


def _has_begun(leash: socket.socket, ctx: ToolContext) -> bool:
    """Whether the guard has started the command, which it does not do after `begin_by`."""
    if ctx.begin_by == math.inf:
        return True
    leash.setblocking(False)
    try:
        return bool(leash.recv(1))
    except BlockingIOError:
        return False


def _shell() -> str:
    return next(shell for shell in SHELLS if Path(shell).exists())


def _environment(ctx: ToolContext, path: str) -> dict[str, str]:
    """The whole environment of a command; that of this process holds secrets."""
    return {
        "PATH": path,
        "HOME": str(ctx.folder),
        "LANG": "C.UTF-8",
        "TERM": "dumb",
        "FLAGMAN_SESSION": ctx.session_id,
        "FLAGMAN_CALL": ctx.call_id,
        "FLAGMAN_IDEMPOTENCY_KEY": ctx.idempotency_key,
    }


async def _terminate(process: asyncio.subprocess.Process) -> None:
    """Send SIGTERM to the process group and wait for at most `GRACE` seconds."""
    _signal(process, signal.SIGTERM)
    with suppress(TimeoutError):
        async with asyncio.timeout(GRACE):
            await process.wait()


async def _wait_for_end(process: asyncio.subprocess.Process, output: _HeadAndTail) -> None:
    if await process.wait() == -signal.SIGKILL:
        # The guard itself may have been killed.
        _signal(process, signal.SIGKILL)
    # A process that left the group may hold the output open indefinitely.
    with suppress(TimeoutError):
        async with asyncio.timeout(DRAIN):
            await output.closed.wait()


def _signal_name(number: int) -> str:
    """The name of a signal; a real-time signal has none of its own and gets one such as `SIGRTMIN+1`."""
    try:
        return signal.Signals(number).name
    except ValueError:
        return f"SIGRTMIN+{number - signal.SIGRTMIN}"


def _signal(process: asyncio.subprocess.Process, number: signal.Signals) -> None:
    # The guard stays in the group, so no other group can have its number.
    with suppress(ProcessLookupError):
        os.killpg(process.pid, number)


class _HeadAndTail(asyncio.Protocol):
    """Keeps the first and the last bytes of a stream."""

    def __init__(self, kept: int = KEPT_BYTES) -> None:
        self.closed = asyncio.Event()
        self._half = kept // 2
        self._head = bytearray()
        self._tail = bytearray()
        self._left_out = 0

    def data_received(self, data: bytes) -> None:
        room = self._half - len(self._head)
        self._head += data[:room]
        self._tail += data[room:]
        surplus = len(self._tail) - self._half
        if surplus > 0:
            del self._tail[:surplus]
            self._left_out += surplus

    def connection_lost(self, exc: Exception | None) -> None:
        self.closed.set()

    def text(self) -> str:
        if not self._left_out:
            return (self._head + self._tail).decode(errors="replace").rstrip()
        head, tail = (bytes(part).decode(errors="replace") for part in (self._head, self._tail))
        return f"{head}\n[… {self._left_out:,} bytes are left out here …]\n{tail}".rstrip()
