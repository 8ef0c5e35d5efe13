"""Stands between a process and the store, and acts exactly before or after one command.

    async with RedisProxy(url) as proxy:
        proxy.at("ToolFinished", "after", worker.kill)

A command is passed on whole. `before`: it never reaches the store. `after`: the store has answered, and the
answer is not passed on. `stall`: it is passed on when the act is done, and nothing is lost.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field
from types import TracebackType
from typing import Literal, Self
from urllib.parse import parse_qs, unquote, urlsplit

import hiredis

_NOT_ENOUGH = object()
When = Literal["before", "after", "stall"]
# The script of an append is named by its digest, so its text is only seen when it is loaded.
_NOT_A_COMMAND = (b"\r\nSCRIPT\r\n", b"\r\nHELLO\r\n")

# How a connection is set up, which a server that refuses everything else still answers.
_CONNECTING = (b"\r\nHELLO\r\n", b"\r\nCLIENT\r\n", b"\r\nSELECT\r\n", b"\r\nAUTH\r\n")


@dataclass
class Trap:
    """What to do at the first command whose bytes contain all of `marks`."""

    marks: tuple[bytes, ...]
    when: When
    act: Callable[[], object]
    sprung: asyncio.Event = field(default_factory=asyncio.Event)

    def spring(self) -> None:
        self.act()
        self.sprung.set()


@dataclass
class _Held:
    """The traps of a connection that spring at an answer, by the number of the command there."""

    asked: int = 0
    answered: int = 0
    traps: dict[int, Trap] = field(default_factory=dict)


class RedisProxy:
    """Listens on a port of its own; `url` goes into REDIS_URL."""

    def __init__(self, url: str) -> None:
        self._target = urlsplit(url)
        self._database = parse_qs(self._target.query).get("db", [self._target.path.strip("/") or "0"])[0]
        self._server: asyncio.Server | None = None
        self._links: set[asyncio.Task[None]] = set()
        self._traps: list[Trap] = []
        # New connections are closed at once while it is set.
        self.down = False
        # The answer to every command while it is set, such as `OOM command not allowed`.
        self.refusal = ""
        # How many commands were answered with it.
        self.refused = 0

    async def __aenter__(self) -> Self:
        self._server = await asyncio.start_server(self._connected, "127.0.0.1", 0)
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        assert self._server
        self._server.close()
        for link in list(self._links):
            link.cancel()
        await asyncio.gather(*self._links, return_exceptions=True)

    @property
    def url(self) -> str:
        assert self._server
        database = (
            "0" if self._target.scheme == "unix" and "db=" not in self._target.query else self._database
        )
        return f"redis://127.0.0.1:{self._server.sockets[0].getsockname()[1]}/{database}"

    def at(self, marks: str | tuple[str, ...], when: When, act: Callable[[], object]) -> Trap:
        """Set a trap; it springs once."""
        given = (marks,) if isinstance(marks, str) else marks
        trap = Trap(tuple(mark.encode() for mark in given), when, act)
        self._traps.append(trap)
        return trap

    def forget(self) -> None:
        """Remove the traps that have not sprung."""
        self._traps.clear()

    async def _connected(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        link = asyncio.create_task(self._link(reader, writer))
        self._links.add(link)
        link.add_done_callback(self._links.discard)

    async def _link(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        if self.down:
            writer.close()
            return
        with suppress(OSError, asyncio.IncompleteReadError):
            if self._target.scheme == "unix":
                there = await asyncio.open_unix_connection(unquote(self._target.path))
            else:
                there = await asyncio.open_connection(self._target.hostname, self._target.port)
            held = _Held()
            both = [
                asyncio.create_task(self._asked(reader, there[1], writer, held)),
                asyncio.create_task(_answered(there[0], writer, held)),
            ]
            try:
                await asyncio.wait(both, return_when=asyncio.FIRST_COMPLETED)
            finally:
                for task in both:
                    task.cancel()
                await asyncio.gather(*both, return_exceptions=True)
                there[1].close()
                writer.close()

    async def _asked(
        self,
        reader: asyncio.StreamReader,
        there: asyncio.StreamWriter,
        writer: asyncio.StreamWriter,
        held: _Held,
    ) -> None:
        while True:
            command = await _command(reader)
            if self.refusal and not any(name in command[:40] for name in _CONNECTING):
                self.refused += 1
                writer.write(f"-{self.refusal}\r\n".encode())
                await writer.drain()
                continue
            trap = self._caught(command)
            if trap and trap.when == "stall":
                trap.spring()
            elif trap and trap.when == "before":
                trap.spring()
                return
            held.asked += 1
            if trap and trap.when == "after":
                held.traps[held.asked] = trap
            there.write(command)
            await there.drain()

    def _caught(self, command: bytes) -> Trap | None:
        if any(name in command[:40] for name in _NOT_A_COMMAND):
            return None
        for trap in self._traps:
            if all(mark in command for mark in trap.marks):
                self._traps.remove(trap)
                return trap
        return None


async def _answered(there: asyncio.StreamReader, writer: asyncio.StreamWriter, held: _Held) -> None:
    replies = hiredis.Reader(notEnoughData=_NOT_ENOUGH)
    while data := await there.read(65536):
        replies.feed(data)
        while (reply := replies.gets()) is not _NOT_ENOUGH:
            if isinstance(reply, hiredis.PushNotification):
                continue
            held.answered += 1
            if trap := held.traps.get(held.answered):
                trap.spring()
                return
        writer.write(data)
        await writer.drain()


async def _command(reader: asyncio.StreamReader) -> bytes:
    """One whole command: an array of strings."""
    head = await reader.readuntil(b"\r\n")
    parts = [head]
    for _ in range(int(head[1:])):
        length = await reader.readuntil(b"\r\n")
        parts += [length, await reader.readexactly(int(length[1:]) + 2)]
    return b"".join(parts)
