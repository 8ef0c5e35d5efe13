"""What can go wrong with the connection to a server."""

from __future__ import annotations


class ServerAway(Exception):
    """A server cannot be reached, or does not answer; nothing of the request was done. `reason` says why."""

    def __init__(self, server: str, reason: str) -> None:
        super().__init__(f"The MCP server `{server}` cannot be used: {reason.rstrip('.')}.")
        self.server, self.reason = server, reason


class ConnectionLost(Exception):
    """The connection ended, or its time did, after a request was sent: what became of it is not known."""


# Codes of JSON-RPC that stand for what happened to a request over HTTP before there was an answer. With `STALE` the
# server has forgotten the session, and did nothing.
NOT_SENT, NO_ANSWER, STALE = -32971, -32972, -32973
