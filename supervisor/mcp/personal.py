"""The connections of people to servers that each of them connects; no connection serves two people."""

from __future__ import annotations

import asyncio
import time
from collections import OrderedDict
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Protocol

from storage.errors import StoreUnavailable
from supervisor.mcp.bearer import NoToken
from supervisor.mcp.config import Server
from supervisor.mcp.connection import Connection
from supervisor.mcp.stdio import Launcher
from supervisor.tools.contract import ConnectionRequired, Toolset

# The most connections of people that are kept, which may all be open; more, while each was used a moment ago.
MOST, MOMENT = 200, 60.0


class Tokens(Protocol):
    """The tokens of people. Methods raise NoToken, or StoreUnavailable."""

    async def authorization(self, server: str, person: str) -> str:
        """Return the id of what the person authorized. Raises ConnectionRequired where that cannot be used."""
        ...

    async def token(self, server: str, person: str, *, authorization: str, refused: str = "") -> str:
        """Return a valid token of this authorization, another one than that which was `refused`."""
        ...

    async def refuse(
        self, server: str, person: str, *, authorization: str, refused: str, why: str, scopes: str
    ) -> None:
        """Remember that the server does not take the authorization."""
        ...

    async def settle(self) -> None:
        """Wait until tokens that are being renewed are stored."""
        ...


class NoTokens:
    """Nobody has connected anything."""

    async def authorization(self, server: str, person: str) -> str:
        raise ConnectionRequired(server, person)

    async def token(self, server: str, person: str, *, authorization: str, refused: str = "") -> str:
        raise ConnectionRequired(server, person)

    async def refuse(
        self, server: str, person: str, *, authorization: str, refused: str, why: str, scopes: str
    ) -> None:
        return None

    async def settle(self) -> None:
        return None


@dataclass(frozen=True)
class _PersonalBearer:
    """The tokens of one authorization of one person."""

    tokens: Tokens
    server: str
    person: str
    authorization: str

    async def token(self) -> str:
        return await self.renewed("")

    async def renewed(self, refused: str) -> str:
        try:
            return await self.tokens.token(
                self.server, self.person, authorization=self.authorization, refused=refused
            )
        except StoreUnavailable as error:
            raise NoToken("the store cannot be reached") from error

    async def refuse(self, refused: str, why: str, scopes: str = "") -> None:
        about = {"authorization": self.authorization, "refused": refused, "why": why, "scopes": scopes}
        with suppress(StoreUnavailable):
            await self.tokens.refuse(self.server, self.person, **about)


@dataclass
class _Entry:
    authorization: str
    connection: Connection
    tools: Toolset = field(default_factory=dict)
    used_at: float = 0.0


class PersonalConnections:
    """Has one connection for each server and person, which is closed when it was not used for long.

    Another authorization of the person gets a connection of its own: what a server knows of the old one ends with it.
    """

    def __init__(self, launcher: Launcher, tokens: Tokens) -> None:
        self._launcher, self._tokens = launcher, tokens
        self._entries: OrderedDict[tuple[str, str], _Entry] = OrderedDict()
        self._closing: dict[asyncio.Task[None], Connection] = {}

    async def of(self, server: Server, person: str) -> Connection:
        """Return the connection of a person. Raises ConnectionRequired where it is to be made first."""
        key = server.name, person
        try:
            authorization = await self._tokens.authorization(server.name, person)
        except ConnectionRequired:
            self._drop(key)
            raise
        entry = self._entries.get(key)
        if entry is None or entry.authorization != authorization:
            self._drop(key)
            bearer = _PersonalBearer(self._tokens, server.name, person, authorization)
            entry = self._entries[key] = _Entry(
                authorization, Connection(server, self._launcher, bearer=bearer)
            )
            self._bound()
        entry.used_at = time.monotonic()
        self._entries.move_to_end(key)
        return entry.connection

    def tools(self, server: str, person: str) -> Toolset:
        """Return the set of the tools that a person has on a server, which may be changed."""
        entry = self._entries.get((server, person))
        return entry.tools if entry else {}

    def all_tools(self, person: str) -> Toolset:
        """Return all tools that a person has on the servers that are connected."""
        found: Toolset = {}
        for (_, who), entry in self._entries.items():
            if who == person:
                found.update(entry.tools)
        return found

    async def close(self) -> None:
        """Close all connections at once, also those whose last requests are at work."""
        left = [entry.connection for entry in self._entries.values()]
        await asyncio.gather(*(connection.close() for connection in (*left, *self._closing.values())))
        await asyncio.gather(*self._closing)
        await self._tokens.settle()

    def _bound(self) -> None:
        """Forget the connections that were used least recently: first those that are closed, then idle ones.

        One that was used a moment ago may be opening, and its tools are about to be looked up.
        """
        if len(self._entries) <= MOST:
            return
        *others, _ = self._entries
        before = time.monotonic() - MOMENT
        earlier = [key for key in others if self._entries[key].used_at < before]
        unused = [key for key in earlier if not self._entries[key].connection.is_open]
        idle = [key for key in earlier if not self._entries[key].connection.is_busy]
        for key in (unused or idle)[: len(self._entries) - MOST]:
            self._drop(key)

    def _drop(self, key: tuple[str, str]) -> None:
        if entry := self._entries.pop(key, None):
            task = asyncio.create_task(entry.connection.leave())
            self._closing[task] = entry.connection
            task.add_done_callback(lambda done: self._closing.pop(done, None))
