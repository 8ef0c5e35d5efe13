"""Delivery to the app, over Socket Mode or HTTP."""

import asyncio
from collections import OrderedDict
from collections.abc import Coroutine, Sequence
from typing import Any, Literal

from bot.playground.hub import Hub
from bot.playground.store import Json
from bot.playground.transport.http_mode import HttpLink
from bot.playground.transport.link import NOT_CONNECTED, Ack, Kind, Link, Retry
from bot.playground.transport.socket_mode import SocketLinks

Mode = Literal["socket", "http", "none"]
REMEMBERED = 200


class Delivery:
    """Delivery of commands and clicks once, with an answer, and of events until they are acknowledged."""

    def __init__(self, http: HttpLink, hub: Hub, ack_seconds: float, retry_delays: Sequence[float]) -> None:
        self.sockets = SocketLinks(self._link_changed)
        self._http = http
        self._hub = hub
        self._ack_seconds = ack_seconds
        self._retry_delays = tuple(retry_delays)
        self._events: OrderedDict[str, Json] = OrderedDict()
        self._tasks: set[asyncio.Task[None]] = set()

    @property
    def mode(self) -> Mode:
        """The current transport; an open websocket has priority over HTTP."""
        if self.sockets.connected:
            return "socket"
        return "http" if self._http.connected else "none"

    def _link(self) -> Link | None:
        links: dict[Mode, Link | None] = {"socket": self.sockets, "http": self._http, "none": None}
        return links[self.mode]

    def _link_changed(self) -> None:
        self._hub.publish("connection", {"connected": self.mode != "none", "mode": self.mode})

    async def ask(self, kind: Kind, payload: Json) -> Ack:
        """Deliver once and wait for the answer, for as long as Slack does."""
        link = self._link()
        return await link.send(kind, payload, self._ack_seconds) if link else NOT_CONNECTED

    def tell(self, payload: Json) -> None:
        """Deliver an event in the background, with retries until it is acknowledged."""
        self._events[payload["event_id"]] = payload
        while len(self._events) > REMEMBERED:
            self._events.popitem(last=False)
        self._start(self._until_acknowledged(payload))

    @property
    def telling(self) -> int:
        """Number of events that are being delivered or will be retried."""
        return len(self._tasks)

    async def tell_again(self, event_id: str | None) -> Ack | None:
        """Deliver an event again, by default the last; None if it is unknown or no app is connected."""
        payload = self._events.get(event_id or next(reversed(self._events), ""))
        link = self._link()
        if payload is None or link is None:
            return None
        return await link.send("events_api", payload, self._ack_seconds, Retry(1, "timeout"))

    async def _until_acknowledged(self, payload: Json) -> None:
        retry: Retry | None = None
        for number, delay in enumerate((*self._retry_delays, None), start=1):
            link = self._link()
            sent = link.send("events_api", payload, self._ack_seconds, retry) if link else None
            ack = await sent if sent else NOT_CONNECTED
            if ack.ok or ack.no_retry or delay is None:
                return
            retry = Retry(number, ack.error if ack.error != "not_connected" else "connection_failed")
            await asyncio.sleep(delay)

    def _start(self, work: Coroutine[Any, Any, None]) -> None:
        task = asyncio.get_running_loop().create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def disconnect(self) -> None:
        """Stop all retries and close all connections."""
        for task in list(self._tasks):
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        await self.sockets.close()
        await self._http.close()
