"""Limits how many deliveries of Slack are worked on at a time; Slack sends events again that are not acknowledged."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from slack_bolt.adapter.socket_mode.aiohttp import AsyncSocketModeHandler
from slack_sdk.socket_mode.aiohttp import SocketModeClient
from slack_sdk.socket_mode.request import SocketModeRequest

# A delivery takes some ten milliseconds, and Slack waits three seconds for it.
MOST = 300
PATIENCE_SECONDS = 2.0
FULL = "Flagman has too much to do right now; please try again in a moment."
_log = logging.getLogger("flagman.slack")


class Deliveries:
    """Counts the deliveries under way."""

    def __init__(self) -> None:
        self._room = asyncio.Semaphore(MOST)

    @asynccontextmanager
    async def one(self, *, repeated: bool) -> AsyncIterator[bool]:
        """Gives whether there is room for one more, which counts until the end of the block.

        Slack sends events again. What it does not send again (not `repeated`: clicks, forms, commands) waits for room.
        """
        fits = not (repeated and self._room.locked()) and await self._enter()
        if not fits:
            _log.warning("a delivery of Slack is refused, since %d are under way", MOST)
        try:
            yield fits
        finally:
            if fits:
                self._room.release()

    async def _enter(self) -> bool:
        try:
            async with asyncio.timeout(PATIENCE_SECONDS):
                return await self._room.acquire()
        except TimeoutError:
            return False


class LimitedSocketMode(AsyncSocketModeHandler):
    """Leaves deliveries beyond the limit without an acknowledgement."""

    deliveries: Deliveries

    async def handle(self, client: SocketModeClient, req: SocketModeRequest) -> None:  # type: ignore[override]
        async with self.deliveries.one(repeated=req.type == "events_api") as fits:
            if fits:
                await super().handle(client, req)
