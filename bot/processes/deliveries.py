"""Limits how many deliveries of Slack are worked on at a time; Slack sends those again that are not acknowledged."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from contextlib import contextmanager

from slack_bolt.adapter.socket_mode.aiohttp import AsyncSocketModeHandler
from slack_sdk.socket_mode.aiohttp import SocketModeClient
from slack_sdk.socket_mode.request import SocketModeRequest

# A delivery takes some ten milliseconds, and Slack waits three seconds for it.
MOST = 300
FULL = "Flagman has too much to do right now; please try again in a moment."
_log = logging.getLogger("flagman.slack")


class Deliveries:
    """Counts the deliveries under way."""

    def __init__(self) -> None:
        self._running = 0

    @contextmanager
    def one(self) -> Iterator[bool]:
        """Gives whether there is room for one more, which counts until the end of the block."""
        if self._running >= MOST:
            _log.warning("a delivery of Slack is refused, since %d are under way", self._running)
            yield False
            return
        self._running += 1
        try:
            yield True
        finally:
            self._running -= 1


class LimitedSocketMode(AsyncSocketModeHandler):
    """Leaves deliveries beyond the limit without an acknowledgement."""

    deliveries: Deliveries

    async def handle(self, client: SocketModeClient, req: SocketModeRequest) -> None:  # type: ignore[override]
        with self.deliveries.one() as fits:
            if fits:
                await super().handle(client, req)
