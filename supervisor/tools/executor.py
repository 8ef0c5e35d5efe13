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
from collections.abc import AsyncIterator, Callable, Iterator, Mapping, Sequence
from contextlib import asynccontextmanager, contextmanager, suppress
from dataclasses import asdict, dataclass, field
from pathlib import Path

from storage import guard
from supervisor.core.errors import ToolError
from supervisor.core.persona import Grants
from supervisor.tools.path_guard import Folder
from supervisor.tools.process_guard import hide_process
from supervisor.tools.sandbox import Sandbox, bwrap_command, has_begun

KEPT_BYTES = 64 * 1024
# Bytes beyond a cut in which the rest of a secret is looked for.
BESIDE = 4 * 1024
# Seconds that a command may run after SIGTERM, and that its output may go on after its end.
GRACE = 2.0
DRAIN = 1.0
# How often, `GRACE` seconds apart, a guard that does not end is woken before it is killed.
WAKES = 15
# On other systems a process that leaves the process group outlives the call, and there are no limits.
REAPS = sys.platform == "linux"


@dataclass(frozen=True)
class Limits:
    """Limits of the processes of one command: together `memory` in bytes and `tasks`; each file, `file_size` bytes.

    A task is a process or a thread. A single process cannot have more than `memory`; the sums are looked at ten times
    a second. All new files of the call in the session's folder together have at most `disk` bytes, but for what is
    written between two looks.
    """

    memory: int = 4 * 2**30
    tasks: int = 512
    file_size: int = 4 * 2**30
    disk: int = 8 * 2**30


class NotBegun(Exception):
    """A call of which nothing was done, since it would begin too late or, if there is a text, for that reason."""


@dataclass(frozen=True)
class Ended:
    """How a command ended: its exit code, the negative number of a signal, or None at its time limit."""

    code: int | None
    output: str


@dataclass(frozen=True)
class Executor:
    """Runs commands; without a `sandbox` they have all rights of this process's user.

    `environment` has the variables of which a persona may grant some to its commands. `no_network` says why none of
    them may use the network although its persona grants it; empty where they may.
    """

    sandbox: Sandbox | None = None
    environment: Mapping[str, str] = field(default_factory=dict, repr=False)
    limits: Limits = field(default_factory=Limits)
    no_network: str = ""

    async def run(
        self,
        program: Sequence[str],
        seconds: float,
        *,
        folder: Folder,
        environment: Mapping[str, str],
        grants: Grants = Grants(),  # noqa: B008  it is frozen
        begin_by: float = math.inf,
        mask: Callable[[str], str] = str,
        printed: Callable[[bytes], None] | None = None,
    ) -> Ended:
        """Run the program in the folder, with this environment and what the persona grants.

        A long output goes through `mask` before it is cut. `printed` is called with each part of it as it comes.

        Raises ToolError where the network is not to be had, and NotBegun where the sandbox did not start, or the
        program could only begin after `begin_by` of the monotonic clock.
        """
        if self.sandbox and grants.network and self.no_network:
            raise ToolError(f"not run: {self.no_network}")
        granted = {name: self.environment[name] for name in grants.env if name in self.environment}
        output = _HeadAndTail(mask, printed)
        variables = {**granted, **environment}
        with _status(self.sandbox) as status:
            line, kept = self._sandboxed(program, folder, grants, status)
            async with self._group(line, kept, folder, variables, output, begin_by) as (process, leash):
                try:
                    async with asyncio.timeout(seconds):
                        code: int | None = await process.wait()
                except TimeoutError:
                    await _terminate(process)
                    code = None
                if begin_by != math.inf and not _has_begun(leash):
                    raise NotBegun
            if code and code > 0 and self.sandbox and not has_begun(os.pread(status, KEPT_BYTES, 0)):
                said = output.text().splitlines()
                raise NotBegun(
                    f"The sandbox did not start ({said[-1][:200] if said else f'exit code {code}'})."
                )
        return Ended(code, output.text())

    def _sandboxed(
        self, program: Sequence[str], folder: Folder, grants: Grants, status: int
    ) -> tuple[Sequence[str], tuple[int, ...]]:
        """Return the command line, and the descriptors that it needs."""
        if self.sandbox is None:
            return program, ()
        # A link in what is granted could lead to more than that.
        read = [Path(path) for path in grants.read if os.path.realpath(path) == path]
        line = bwrap_command(
            self.sandbox,
            program,
            folder=folder.path,
            descriptor=folder.descriptor,
            status=status,
            read=read,
            network=grants.network,
        )
        return line, (folder.descriptor, status)

    @asynccontextmanager
    async def _group(
        self,
        line: Sequence[str],
        kept: tuple[int, ...],
        folder: Folder,
        environment: Mapping[str, str],
        output: _HeadAndTail,
        begin_by: float,
    ) -> AsyncIterator[tuple[asyncio.subprocess.Process, socket.socket]]:
        """Run it in its own process group, which is killed at the end, also if this process is killed.

        Yields the process and the socket on which its guard says that it has begun.
        """
        leash, guarded = socket.socketpair()
        reading, writing = os.pipe()
        # The guard kills the remaining processes when this end is closed, also by the end of this process.
        with leash:
            try:
                transport, _ = await asyncio.get_running_loop().connect_read_pipe(
                    lambda: output, os.fdopen(reading, "rb", buffering=0)
                )
                process = await self._spawn(
                    line, kept, folder, environment, guarded.fileno(), writing, begin_by
                )
            except OSError as error:
                raise NotBegun(f"The command could not be started ({error.strerror or error}).") from error
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
        kept: tuple[int, ...],
        folder: Folder,
        environment: Mapping[str, str],
        guarded: int,
        writing: int,
        begin_by: float,
    ) -> asyncio.subprocess.Process:
        hide_process()
        mode = ["reap" if REAPS else "pipe", str(int(signal.SIGKILL)), str(guarded), repr(begin_by)]
        # Bubblewrap goes into the folder by itself.
        mode.append("-1" if kept else str(folder.descriptor))
        if REAPS:
            mode.append(json.dumps({**asdict(self.limits), "folder": folder.descriptor if kept else -1}))
        # With asyncio's own pipe for the output, wait() would wait for all processes that hold it open.
        return await asyncio.create_subprocess_exec(
            *(sys.executable, "-I", "-S", guard.__file__, *mode, *line),
            cwd="/",
            env=dict(environment),
            stdin=subprocess.DEVNULL,
            stdout=writing,
            stderr=writing,
            pass_fds=(guarded, *(kept or (folder.descriptor,))),
            start_new_session=True,
        )


@contextmanager
def _status(sandbox: Sandbox | None) -> Iterator[int]:
    """Yield the descriptor of a file in memory for the status of the sandbox; -1 where there is no sandbox."""
    if sandbox is None:
        yield -1
        return
    descriptor = os.memfd_create("status")
    try:
        yield descriptor
    finally:
        os.close(descriptor)


def _has_begun(leash: socket.socket) -> bool:
    """Return whether the guard has started the command."""
    leash.setblocking(False)
    try:
        return bool(leash.recv(1))
    except BlockingIOError:
        return False


async def _terminate(process: asyncio.subprocess.Process) -> None:
    """Send SIGTERM to the command's processes and wait for at most `GRACE` seconds."""
    if REAPS:
        # The command may have stopped its guard.
        with suppress(ProcessLookupError):
            process.send_signal(signal.SIGCONT)
            process.terminate()
    else:
        _signal(process, signal.SIGTERM)
    with suppress(TimeoutError):
        async with asyncio.timeout(GRACE):
            await process.wait()


async def _wait_for_end(process: asyncio.subprocess.Process, output: _HeadAndTail) -> None:
    for _ in range(WAKES):
        # Without a sandbox, a command can stop its guard, which then does not see that it is to end.
        with suppress(ProcessLookupError):
            process.send_signal(signal.SIGCONT)
        with suppress(TimeoutError):
            async with asyncio.timeout(GRACE):
                await process.wait()
                break
    else:
        _signal(process, signal.SIGKILL)
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
    """Keeps the first and the last bytes of a stream, and some more, so that no secret is cut before it is masked."""

    def __init__(
        self,
        mask: Callable[[str], str],
        printed: Callable[[bytes], None] | None = None,
        kept: int = KEPT_BYTES,
    ) -> None:
        self.closed = asyncio.Event()
        self._mask, self._printed = mask, printed
        self._half = kept // 2
        self._head = bytearray()
        self._tail = bytearray()
        self._left_out = 0

    def data_received(self, data: bytes) -> None:
        if self._printed:
            self._printed(data)
        room = self._half + BESIDE - len(self._head)
        self._head += data[:room]
        self._tail += data[room:]
        surplus = len(self._tail) - self._half - BESIDE
        if surplus > 0:
            del self._tail[:surplus]
            self._left_out += surplus

    def connection_lost(self, exc: Exception | None) -> None:
        self.closed.set()

    def text(self) -> str:
        if not self._left_out:
            return (self._head + self._tail).decode(errors="replace").rstrip()
        # Each part is cut at its limit only after the mask has seen what is beyond it.
        head, tail = (self._mask(bytes(part).decode(errors="replace")) for part in (self._head, self._tail))
        left_out = self._left_out + 2 * BESIDE
        head, tail = head[: self._half], tail[-self._half :]
        return f"{head}\n[… {left_out:,} bytes are left out here …]\n{tail}".rstrip()
