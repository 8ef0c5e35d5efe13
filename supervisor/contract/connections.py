"""The service of connections, on behalf of one actor: the servers that a person uses as themselves."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime

from supervisor.connections.rows import Connection
from supervisor.contract.access import Access
from supervisor.contract.models import ResponseModel
from supervisor.contract.parts import ServiceParts
from supervisor.core import rights
from supervisor.core.errors import FlagmanError, InvalidInput, NotAllowed
from supervisor.core.events import Actor

_log = logging.getLogger("flagman.connections")


class ConnectionView(ResponseModel):
    """A server that a person has connected; `account` is empty where the server does not name it.

    `refused` says why it has to be connected again, and is empty where it can be used. The access is renewed by itself
    before it `expires_at`.
    """

    server: str
    account: str
    since: datetime
    scopes: str
    expires_at: datetime | None
    refused: str

    @classmethod
    def of(cls, found: Connection) -> ConnectionView:
        return cls(
            server=found.server,
            account=found.account,
            since=found.since,
            scopes=found.scopes,
            expires_at=found.expires_at,
            refused=found.refused,
        )


class ConnectionList(ResponseModel):
    """`connectable` are the names of all servers that people connect, connected or not."""

    connections: list[ConnectionView]
    connectable: list[str]


class ConnectLink(ResponseModel):
    """An address for the person alone, which works once: who opens it connects the server for this person."""

    server: str
    url: str
    expires_at: datetime


class RemovedConnection(ResponseModel):
    """Flagman has forgotten the connection; `revoked`: the server says that it has, too."""

    server: str
    revoked: bool


@dataclass(frozen=True)
class Finished:
    """What came of a link: the sessions that it resumed have these ids."""

    person: str
    name: str
    connection: ConnectionView
    resumed: tuple[str, ...]


class ConnectionService:
    """Lists, begins and removes the connections of a person. Methods raise FlagmanError or StorageError."""

    def __init__(self, parts: ServiceParts, actor: Actor) -> None:
        self._parts, self._access = parts, Access(parts, actor)

    async def list(self) -> ConnectionList:
        actor = await self._person()
        found = await self._parts.connections.of(actor.person)
        return ConnectionList(
            connections=[ConnectionView.of(one) for one in found], connectable=self._parts.linking.names()
        )

    async def connect(self, server: str) -> ConnectLink:
        """Return a link at which the person connects a server. Raises InvalidInput for one that nobody connects."""
        actor = await self._person()
        url, until = await self._parts.linking.link(server, actor)
        return ConnectLink(server=server, url=url, expires_at=until)

    async def remove(self, server: str) -> RemovedConnection:
        """Remove a connection. Raises InvalidInput where there is none."""
        actor = await self._person()
        return RemovedConnection(
            server=server, revoked=await self._parts.connections.remove(server, actor.person)
        )

    async def _person(self) -> Actor:
        """The person who acts, or whose key does. Raises NotAllowed for a program."""
        actor = await self._access.identified()
        if actor.kind == "program" and not actor.owner:
            raise NotAllowed(
                "This key belongs to no person, so it has no connections; use a key with an owner."
            )
        return await self._access.person(actor)


async def finish(parts: ServiceParts, query: Mapping[str, str], cookies: Mapping[str, str]) -> Finished:
    """Store what the sign-in of a server gave, and resume the sessions that wait for it.

    Raises InvalidInput, with a sentence for the person, NotAllowed for who was deactivated meanwhile, or Unavailable.
    """
    begun, connection = await parts.linking.finish(query, cookies)
    person = Actor(id=begun.person, name=begun.name)
    try:
        known = await parts.directory.identify(person)
        rights.check_active(known)
        if begun.team and known.teams and begun.team not in known.teams:
            raise NotAllowed("You have left the workspace in which this link was given.")
    except NotAllowed:
        await parts.connections.remove_all(begun.person)
        raise
    except FlagmanError:
        # The person was known when the link was given, minutes ago.
        _log.warning("whether %s is active is not known", begun.person)
    resumed = await parts.signals.connected(begun.server, person)
    return Finished(person.id, begun.name, ConnectionView.of(connection), tuple(resumed))


def check_named(server: str, known: list[str]) -> str:
    """Return the server that a person means: the one that is named, or the only one. Raises InvalidInput."""
    if server:
        return server
    if len(known) == 1:
        return known[0]
    choice = ", ".join(known)
    raise InvalidInput(f"Which server? One of: {choice}." if known else "There is no server to connect here.")
