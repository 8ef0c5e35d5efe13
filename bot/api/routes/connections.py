"""Routes of connections: the servers that the owner of the key uses as themselves."""

from __future__ import annotations

from bot.api.parameters import OfServer
from bot.api.routing import Answer, Call, Returns, Routes
from supervisor.contract.connections import ConnectionList, ConnectLink, RemovedConnection

routes = Routes("Connections")


@routes(
    "GET",
    "/v1/connections",
    scope="read",
    returns={200: Returns("What the owner of the key has connected.", ConnectionList)},
)
async def list_connections(call: Call) -> Answer:
    """List the servers that the owner of the key has connected, without anything that opens them."""
    return Answer(await call.connections.list())


@routes(
    "POST",
    "/v1/connections/{server}",
    scope="approve",
    returns={200: Returns("An address for the owner of the key alone.", ConnectLink)},
)
async def connect(call: Call, path: OfServer) -> Answer:
    """Begin to connect a server: the owner of the key opens the address in a browser, once, within ten minutes."""
    return Answer(await call.connections.connect(path.server), shown=frozenset({"url"}))


@routes(
    "DELETE",
    "/v1/connections/{server}",
    scope="approve",
    returns={200: Returns("It is forgotten here.", RemovedConnection)},
)
async def remove_connection(call: Call, path: OfServer) -> Answer:
    """Remove a connection, and have its server revoke it where that offers to."""
    return Answer(await call.connections.remove(path.server))
