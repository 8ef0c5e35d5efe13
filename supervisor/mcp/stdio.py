"""Runs the command of an MCP server and exchanges lines with it; all its processes end with the connection."""

from __future__ import annotations

import asyncio
import json
import os
import re
import shutil
import signal
import socket
import sys
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable, Mapping, Sequence
from contextlib import asynccontextmanager, contextmanager, suppress
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import anyio

from storage import guard
from storage.errors import StoreUnavailable
from supervisor.core.errors import InvalidInput
from supervisor.mcp.config import Server, with_secrets
from supervisor.mcp.errors import ServerAway
from supervisor.mcp.hints import missing
from supervisor.tools.executor import REAPS, Executor
from supervisor.tools.path_guard import Folder, open_folder
from supervisor.tools.process_guard import hide_process
from supervisor.tools.sandbox import bwrap_command

if TYPE_CHECKING:
    from collections.abc import Iterator

    from mcp.shared.message import SessionMessage

# The longest line, which is one message, and what is read on the error output.
MOST_LINE = 64 * 2**20
MOST_SAID = 4_000
# Lines above this size are parsed beside the event loop, which the parser holds up all the same; so the results in
# those above `MOST_RESULT` are left out.
LARGE_LINE = 2**20
MOST_RESULT = 16 * 2**20
_HEAD = 300
_RESULT = re.compile(
    rb'^\s*\{(?:\s*"jsonrpc"\s*:\s*"2\.0"\s*,)?\s*"id"\s*:\s*(\d{1,15})\s*,\s*"(?:jsonrpc|result)"'
)
# Messages that answer nothing, and lines that are none, between two answers.
MOST_UNASKED = 100_000
# Seconds that a server may take to end after its input was closed.
GRACE = 2.0
INHERITED = ("PATH", "LANG", "LC_ALL", "TZ")


async def no_secret(name: str) -> str:
    """Raise InvalidInput; the default of `Launcher`."""
    raise InvalidInput(f"the secret `{name}` is known to a running Flagman alone")


@dataclass(frozen=True)
class Launcher:
    """Starts servers by the executor's rules, each in a folder of its own below `folder`.

    `secret_of` returns the value of a secret by its name or raises InvalidInput, and `learn` has values masked.
    `no_network` says why no server in the sandbox has the network; empty where they may.
    """

    executor: Executor
    folder: Path
    environment: Mapping[str, str] = field(default_factory=dict, repr=False)
    secret_of: Callable[[str], Awaitable[str]] = no_secret
    learn: Callable[[Iterable[str]], None] = lambda _: None
    no_network: str = ""

    async def filled(self, server: Server) -> Server:
        """Return the server with its secrets, which are masked from now on. Raises ServerAway."""
        try:
            filled = await with_secrets(server, self.secret_of)
        except (InvalidInput, StoreUnavailable) as error:
            raise ServerAway(server.name, str(error)) from error
        self.learn(filled.secrets)
        return filled


@dataclass
class Running:
    """A server that runs; `closed` is set when no more messages come, and `problem` may say why."""

    read: Any
    write: Any
    closed: anyio.Event
    problem: str = ""
    said: bytearray = field(default_factory=bytearray)

    def hear(self, data: bytes) -> None:
        """Keep the end of what it says besides messages."""
        self.said += data
        del self.said[:-MOST_SAID]

    @property
    def last_words(self) -> str:
        lines = self.said.decode(errors="replace").strip().splitlines()
        return next((line.strip()[:300] for line in reversed(lines) if line.strip()), "")


@asynccontextmanager
async def running(server: Server, launcher: Launcher) -> AsyncIterator[Running]:
    """Run the command of a server. Raises ServerAway where it cannot be started."""
    folder = _own_folder(server, launcher)
    leash, guarded = socket.socketpair()
    with leash:
        with guarded, _status() as status:
            line, kept = _command(server, launcher, folder, status)
            mode = ["reap" if REAPS else "pipe", str(int(signal.SIGKILL)), str(guarded.fileno()), "inf"]
            mode.append("-1" if kept else str(folder.descriptor))
            if REAPS:
                limits = asdict(launcher.executor.limits)
                mode.append(json.dumps({**limits, "folder": folder.descriptor if kept else -1}))
            hide_process()
            try:
                process = await asyncio.create_subprocess_exec(
                    *(sys.executable, "-I", "-S", guard.__file__, *mode, *line),
                    cwd="/",
                    env=_environment(server, launcher, folder),
                    stdin=asyncio.subprocess.PIPE,
                    stdout=asyncio.subprocess.PIPE,
                    stderr=asyncio.subprocess.PIPE,
                    pass_fds=(guarded.fileno(), *(kept or (folder.descriptor,))),
                    start_new_session=True,
                    limit=MOST_LINE,
                )
            except OSError as error:
                raise ServerAway(
                    server.name, f"it could not be started ({error.strerror or error})"
                ) from error
        try:
            async with _streams(process) as streams:
                yield streams
        finally:
            # The guard ends all processes when this end is closed, also by the end of this process.
            leash.close()
            with anyio.CancelScope(shield=True):
                await _ended(process)


async def _ended(process: asyncio.subprocess.Process) -> None:
    transport = getattr(process, "_transport", None)
    with suppress(TimeoutError):
        async with asyncio.timeout(5 * GRACE):
            # wait() would also wait for all that hold its output open.
            while process.returncode is None:  # noqa: ASYNC110
                await asyncio.sleep(0.01)
    if process.returncode is None:
        with suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
    if transport is not None:
        transport.close()


@asynccontextmanager
async def _streams(process: asyncio.subprocess.Process) -> AsyncIterator[Running]:
    to_session, read = anyio.create_memory_object_stream[Any](0)
    write, from_session = anyio.create_memory_object_stream[Any](0)
    streams = Running(read, write, anyio.Event())
    async with anyio.create_task_group() as group:
        group.start_soon(_read, process, to_session, streams)
        group.start_soon(_write, process, from_session, streams)
        group.start_soon(_listen, process, streams)
        try:
            yield streams
        finally:
            with anyio.CancelScope(shield=True):
                assert process.stdin
                process.stdin.close()
                with anyio.move_on_after(GRACE):
                    while process.returncode is None:  # noqa: ASYNC110
                        await anyio.sleep(0.01)
            group.cancel_scope.cancel()
            for stream in (to_session, read, write, from_session):
                stream.close()


async def _read(process: asyncio.subprocess.Process, to_session: Any, streams: Running) -> None:
    from mcp_types import JSONRPCError, JSONRPCResponse

    assert process.stdout
    unasked = 0
    try:
        while unasked <= MOST_UNASKED:
            line = await process.stdout.readuntil(b"\n")
            message = await _message(line)
            if message is None:
                streams.hear(line)
                await asyncio.sleep(0)
                unasked += 1
                continue
            unasked = 0 if isinstance(message.message, JSONRPCResponse | JSONRPCError) else unasked + 1
            await to_session.send(message)
        streams.problem = f"it sent more than {MOST_UNASKED:,} messages that nobody asked for"
    except asyncio.IncompleteReadError as end:
        streams.hear(end.partial)
    except asyncio.LimitOverrunError:
        streams.problem = f"it sent a message of more than {MOST_LINE // 2**20} MB"
    except (anyio.BrokenResourceError, anyio.ClosedResourceError, OSError):
        pass
    finally:
        to_session.close()
        streams.closed.set()


async def _message(line: bytes) -> SessionMessage | None:
    """Return the message in a line; None where there is none, as in what servers print by mistake."""
    from mcp.shared.message import SessionMessage
    from mcp_types import jsonrpc_message_adapter

    if len(line) > MOST_RESULT:
        line = _left_out(line)

    def parse() -> SessionMessage | None:
        try:
            return SessionMessage(jsonrpc_message_adapter.validate_json(line, by_name=False))
        except ValueError:
            return None

    return parse() if len(line) < LARGE_LINE else await asyncio.to_thread(parse)


def _left_out(line: bytes) -> bytes:
    """Return in place of a result that is too large one that says so; the line itself where it is no result.

    Then it is known that the call has ended, and no more.
    """
    found = _RESULT.match(line[:_HEAD])
    if found is None:
        return line
    said = f"[The answer has {len(line) / 2**20:.0f} MB and is left out: {MOST_RESULT // 2**20} MB are read.]"
    result = {"resultType": "complete", "content": [{"type": "text", "text": said}]}
    return json.dumps({"jsonrpc": "2.0", "id": int(found[1]), "result": result}).encode()


async def _write(process: asyncio.subprocess.Process, from_session: Any, streams: Running) -> None:
    assert process.stdin
    with suppress(OSError, anyio.ClosedResourceError):
        async for message in from_session:
            text = message.message.model_dump_json(by_alias=True, exclude_unset=True)
            process.stdin.write(text.encode("utf-8", "replace") + b"\n")
            await process.stdin.drain()
    from_session.close()
    if not streams.closed.is_set() and process.stdin.is_closing():
        streams.closed.set()


async def _listen(process: asyncio.subprocess.Process, streams: Running) -> None:
    assert process.stderr
    while data := await process.stderr.read(2**16):
        streams.hear(data)


def _own_folder(server: Server, launcher: Launcher) -> Folder:
    """Return the folder of the server, in which it starts and may write. Raises ServerAway."""
    try:
        launcher.folder.mkdir(parents=True, exist_ok=True)
        return open_folder(launcher.folder, server.name, create=True)
    except OSError as error:
        raise ServerAway(server.name, f"its folder cannot be used ({error.strerror or error})") from error


def _command(
    server: Server, launcher: Launcher, folder: Folder, status: int
) -> tuple[Sequence[str], tuple[int, ...]]:
    """Return the command line, and the descriptors that it needs in the sandbox. Raises ServerAway."""
    path = _environment(server, launcher, folder).get("PATH", os.defpath)
    program = shutil.which(server.command, path=path)
    if program is None:
        raise ServerAway(server.name, missing(server.command))
    program = os.path.abspath(program)
    sandbox = launcher.executor.sandbox
    if sandbox is None or not server.sandbox:
        return (program, *server.args), ()
    if server.network and launcher.no_network:
        raise ServerAway(server.name, launcher.no_network)
    line = bwrap_command(
        sandbox,
        (program, *server.args),
        folder=folder.path,
        descriptor=folder.descriptor,
        status=status,
        read=[*_installed(program), *map(Path, server.read)],
        network=server.network,
    )
    return line, (folder.descriptor, status)


def _installed(program: str) -> list[Path]:
    """The folders in which a program of an environment of its own is installed, such as a venv with its Python."""
    found = []
    for path in (Path(program), Path(os.path.realpath(program))):
        if path.parent.name in ("bin", "Scripts", ".bin") and path.parent.parent != Path("/"):
            found.append(path.parent.parent)
    config = Path(program).parent.parent / "pyvenv.cfg"
    python = Path(program).parent / "python"
    if config.exists() and python.exists():
        found.append(Path(os.path.realpath(python)).parent.parent)
    return [
        path for path in dict.fromkeys(found) if path not in (Path("/usr"), Path("/usr/local"), Path("/"))
    ]


def _environment(server: Server, launcher: Launcher, folder: Folder) -> dict[str, str]:
    inherited = {name: launcher.environment[name] for name in INHERITED if name in launcher.environment}
    sandboxed = launcher.executor.sandbox is not None and server.sandbox
    home = str(folder.path) if sandboxed else launcher.environment.get("HOME", str(folder.path))
    return {"PATH": os.defpath, **inherited, "HOME": home, **server.env}


@contextmanager
def _status() -> Iterator[int]:
    """Yield a descriptor to which the sandbox writes how it went."""
    descriptor = (
        os.memfd_create("status") if hasattr(os, "memfd_create") else os.open(os.devnull, os.O_WRONLY)
    )
    try:
        yield descriptor
    finally:
        os.close(descriptor)
