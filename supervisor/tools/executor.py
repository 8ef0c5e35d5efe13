"""Runs commands of agents, in a sandbox where there is one, and ends all their processes with them."""

from __future__ import annotations

import asyncio
import json
import math
import os
import signal
import socket
import subprocess
import sys
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager, suppress
from dataclasses import asdict, dataclass, field
from pathlib import Path

from storage import guard
from supervisor.core.persona import Grants
from supervisor.tools.process_guard import hide_process
from supervisor.tools.sandbox import Sandbox, bwrap_command

KEPT_BYTES = 64 * 1024
# Seconds that a command may run after SIGTERM, and that its output may go on after its end.
GRACE = 2.0
DRAIN = 1.0
# On other systems a process that leaves the process group outlives the call, and there are no limits.
REAPS = sys.platform == "linux"


@dataclass(frozen=True)
class Limits:
    """What the processes of one command may use: together `memory` in bytes and `tasks`; each file, `file_size` bytes.

    A task is a process or a thread. A single process cannot have more than `memory`; the sums are looked at ten times
    a second.
    """

    memory: int = 4 * 2**30
    tasks: int = 512
    file_size: int = 4 * 2**30


class NotBegun(Exception):
    """The effect of a call was to begin later than it may, and nothing was done."""


@dataclass(frozen=True)
class Ended:
    """How a command ended: its exit code, the negative number of a signal, or None at its time limit."""

    code: int | None
    output: str


@dataclass(frozen=True)
class Executor:
    """Runs commands; without a `sandbox` they have all rights of this process's user.

    `environment` has the variables of which a persona may grant some to its commands.
    """

    sandbox: Sandbox | None = None
    environment: Mapping[str, str] = field(default_factory=dict, repr=False)
    limits: Limits = field(default_factory=Limits)

    async def run(
        self,
        program: Sequence[str],
        seconds: float,
        *,
        folder: Path,
        environment: Mapping[str, str],
        grants: Grants = Grants(),  # noqa: B008  it is frozen
        begin_by: float = math.inf,
    ) -> Ended:
        """Run the program in the folder, with this environment and what the persona grants.

        Raises OSError, and NotBegun where it could only begin after `begin_by` of the monotonic clock.
        """
        granted = {name: self.environment[name] for name in grants.env if name in self.environment}
        output = _HeadAndTail()
        line = self._sandboxed(program, folder, grants)
        variables = {**granted, **environment}
        async with self._group(line, folder, variables, output, begin_by) as (process, leash):
            try:
                async with asyncio.timeout(seconds):
                    code: int | None = await process.wait()
            except TimeoutError:
                await _terminate(process)
                code = None
            if begin_by != math.inf and not _has_begun(leash):
                raise NotBegun
        # Bubblewrap tells the end by a signal as a shell does.
        if self.sandbox and code is not None and 128 < code <= 128 + signal.NSIG:
            code = 128 - code
        return Ended(code, output.text())

    def _sandboxed(self, program: Sequence[str], folder: Path, grants: Grants) -> Sequence[str]:
        if self.sandbox is None:
            return program
        read = [Path(path).resolve() for path in grants.read]
        return bwrap_command(
            self.sandbox, program, folder=folder.resolve(), read=read, network=grants.network
        )

    @asynccontextmanager
    async def _group(
        self,
        line: Sequence[str],
        folder: Path,
        environment: Mapping[str, str],
        output: _HeadAndTail,
        begin_by: float,
    ) -> AsyncIterator[tuple[asyncio.subprocess.Process, socket.socket]]:
        """Run it in its own process group, which is killed at the end, also if this process is killed.

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
                process = await self._spawn(line, folder, environment, guarded.fileno(), writing, begin_by)
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
        self,
        line: Sequence[str],
        folder: Path,
        environment: Mapping[str, str],
        guarded: int,
        writing: int,
        begin_by: float,
    ) -> asyncio.subprocess.Process:
        hide_process()
        mode = ["reap" if REAPS else "pipe", str(int(signal.SIGKILL)), str(guarded), repr(begin_by)]
        if REAPS:
            mode.append(json.dumps(asdict(self.limits)))
        # With asyncio's own pipe for the output, wait() would wait for all processes that hold it open.
        return await asyncio.create_subprocess_exec(
            *(sys.executable, "-I", "-S", guard.__file__, *mode, *line),
            cwd=folder,
            env=dict(environment),
            stdin=subprocess.DEVNULL,
            stdout=writing,
            stderr=writing,
            pass_fds=(guarded,),
            start_new_session=True,
        )


def _has_begun(leash: socket.socket) -> bool:
    """Whether the guard has started the command."""
    leash.setblocking(False)
    try:
        return bool(leash.recv(1))
    except BlockingIOError:
        return False


async def _terminate(process: asyncio.subprocess.Process) -> None:
    """Send SIGTERM to the command's processes and wait for at most `GRACE` seconds."""
    if REAPS:
        with suppress(ProcessLookupError):
            process.terminate()
    else:
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
