"""Serves the tools over standard input and output, for the Flagman that the environment names."""

from __future__ import annotations

from mcp.server.stdio import stdio_server

from bot.mcp.server import make_server
from bot.mcp.tools import Caller
from bot.sdk.http_backend import HttpBackend
from supervisor.api_keys import ApiKey


async def serve(remote: HttpBackend) -> None:
    """Serve until the input ends. Raises FlagmanError where Flagman does not answer, or does not know the key."""
    me = await remote.call("GET", "/v1/me")
    key = ApiKey(id="", name=me["name"], scopes=tuple(me["scopes"]), hash="", owner=me["owner"])
    caller = Caller(remote, key, key.actor.ids | {me["id"]})
    server = make_server(lambda _: caller)
    async with stdio_server() as (read, write):
        await server.run(read, write, server.create_initialization_options())
