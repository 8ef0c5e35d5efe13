"""A proxy before the store: open, shut (connections are refused and cut), or stuck (nothing is answered)."""

from __future__ import annotations

import asyncio
from types import TracebackType
from typing import Literal, Self
from urllib.parse import urlsplit

State = Literal["open", "shut", "stuck"]


class StoreProxy:
    """`url` goes into REDIS_URL; `state` may change at any time."""

    def __init__(self, url: str) -> None:
        self._target = urlsplit(url)
        self._server: asyncio.Server | None = None
        self._pipes: set[asyncio.StreamWriter] = set()
        self._state: State = "open"
        self._moving = asyncio.Event()
        self._moving.set()

    async def __aenter__(self) -> Self:
        self._server = await asyncio.start_server(self._pass, "127.0.0.1", 0)
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        assert self._server
        self.set("shut")
        self._server.close()

    @property
    def url(self) -> str:
        assert self._server
        return f"redis://127.0.0.1:{self._server.sockets[0].getsockname()[1]}/0"

    def move(self, url: str) -> None:
        """The store is at this address from now on."""
        self._target = urlsplit(url)

    def set(self, state: State) -> None:
        """Open it, shut it, or let everything get stuck in it."""
        self._state = state
        if state == "shut":
            for writer in list(self._pipes):
                writer.transport.abort()
        if state == "stuck":
            self._moving.clear()
        else:
            self._moving.set()

    async def _pass(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        if self._state == "shut":
            writer.transport.abort()
            return
        try:
            there = await self._reach()
        except OSError:
            # The store itself is away.
            writer.transport.abort()
            return
        self._pipes |= {writer, there[1]}
        try:
            await asyncio.gather(self._pipe(reader, there[1]), self._pipe(there[0], writer))
        finally:
            self._pipes -= {writer, there[1]}
            writer.transport.abort()
            there[1].transport.abort()

    async def _reach(self) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
        if self._target.scheme == "unix":
            return await asyncio.open_unix_connection(self._target.path)
        return await asyncio.open_connection(self._target.hostname, self._target.port or 6379)

    async def _pipe(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            while data := await reader.read(65536):
                await self._moving.wait()
                writer.write(data)
                await writer.drain()
        except ConnectionError:
            pass
        finally:
            writer.close()
