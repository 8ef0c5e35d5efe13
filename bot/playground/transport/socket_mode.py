"""Socket Mode: the app opens websockets and acknowledges each payload by its envelope id."""

import asyncio
import itertools
import json
import secrets
import time
import uuid
from collections.abc import Callable
from typing import Any

from aiohttp import WSMsgType, web

from bot.playground import seed
from bot.playground.store import Json
from bot.playground.transport.link import NOT_CONNECTED, Ack, Kind, Retry

CONNECTIONS = 10
DISCONNECT_REASONS = ("warning", "refresh_requested", "link_disabled")


class SocketLinks:
    """All open websockets of the app."""

    def __init__(self, changed: Callable[[], None]) -> None:
        self._changed = changed
        self._tickets: dict[str, float] = {}
        self._open: list[web.WebSocketResponse] = []
        self._waiting: dict[str, tuple[web.WebSocketResponse, asyncio.Future[Json | None]]] = {}
        self._turn = itertools.count()

    @property
    def connected(self) -> bool:
        """Whether a websocket is open."""
        return bool(self._open)

    @property
    def count(self) -> int:
        """Number of open websockets."""
        return len(self._open)

    def ticket(self, seconds: float) -> str:
        """Return a ticket that opens one websocket within the given time."""
        now = time.monotonic()
        self._tickets = {name: until for name, until in self._tickets.items() if until > now}
        ticket = secrets.token_urlsafe(16)
        self._tickets[ticket] = now + seconds
        return ticket

    async def handle(self, request: web.Request) -> web.StreamResponse:
        """Accept a websocket and receive its acknowledgements until it is closed."""
        until = self._tickets.pop(request.query.get("ticket", ""), 0.0)
        if until <= time.monotonic():
            raise web.HTTPForbidden(text="invalid ticket")
        socket = web.WebSocketResponse(heartbeat=20.0, max_msg_size=16 * 1024 * 1024)
        await socket.prepare(request)
        if len(self._open) >= CONNECTIONS:
            await socket.send_json(_goodbye("too_many_websockets"))
            await socket.close()
            return socket
        self._open.append(socket)
        try:
            await socket.send_json(self._hello())
            self._changed()
            async for message in socket:
                if message.type is WSMsgType.TEXT:
                    self._receive(message.data)
        except ConnectionError:
            pass  # The connection broke between two messages, which is the same as closing it.
        finally:
            self._forget(socket)
        return socket

    def _hello(self) -> Json:
        started = time.strftime("%Y-%m-%d %H:%M:%S", time.gmtime())
        return {
            "type": "hello",
            "num_connections": len(self._open),
            "connection_info": {"app_id": seed.APP_ID},
            "debug_info": {
                "host": "applink-playground",
                "started": started,
                "build_number": 1,
                "approximate_connection_time": 18060,
            },
        }

    def _receive(self, text: str) -> None:
        try:
            answer: Any = json.loads(text)
        except ValueError:
            return
        waiting = self._waiting.get(answer.get("envelope_id", "")) if isinstance(answer, dict) else None
        if waiting and not waiting[1].done():
            payload = answer.get("payload")
            waiting[1].set_result(payload if isinstance(payload, dict) else None)

    def _forget(self, socket: web.WebSocketResponse) -> None:
        if socket in self._open:
            self._open.remove(socket)
        for owner, answer in self._waiting.values():
            if owner is socket and not answer.done():
                answer.set_exception(ConnectionResetError())
        self._changed()

    async def send(self, kind: Kind, payload: Json, timeout: float, retry: Retry | None = None) -> Ack:
        """Deliver over the next websocket in turn and wait up to `timeout` seconds to be acknowledged."""
        if not self._open:
            return NOT_CONNECTED
        socket = self._open[next(self._turn) % len(self._open)]
        envelope_id = str(uuid.uuid4())
        envelope: Json = {
            "envelope_id": envelope_id,
            "payload": payload,
            "type": kind,
            "accepts_response_payload": _accepts_response(kind, payload),
        }
        if kind == "events_api":
            envelope["retry_attempt"] = retry.number if retry else 0
            envelope["retry_reason"] = retry.reason if retry else ""
        answer: asyncio.Future[Json | None] = asyncio.get_running_loop().create_future()
        self._waiting[envelope_id] = (socket, answer)
        started = time.perf_counter()
        try:
            async with asyncio.timeout(timeout):
                await socket.send_json(envelope)
                body = await answer
        except TimeoutError:
            return Ack(ok=False, error="timeout", ms=timeout * 1000)
        except ConnectionError:
            return Ack(ok=False, error="connection_failed", ms=(time.perf_counter() - started) * 1000)
        finally:
            del self._waiting[envelope_id]
        return Ack(ok=True, payload=body, ms=(time.perf_counter() - started) * 1000)

    async def disconnect(self, how: str) -> int:
        """Send a `disconnect` message unless `how` is `drop`, and close all sockets unless it is `warning`."""
        sockets = list(self._open)
        for socket in sockets:
            if how != "drop":
                await socket.send_json(_goodbye(how))
            if how != "warning":
                await socket.close()
        return len(sockets)

    async def close(self) -> None:
        """Close all websockets."""
        for socket in list(self._open):
            await socket.close(code=1001)


def _goodbye(reason: str) -> Json:
    return {"type": "disconnect", "reason": reason, "debug_info": {"host": "applink-playground"}}


def _accepts_response(kind: Kind, payload: Json) -> bool:
    if kind == "interactive":
        return payload.get("type") in ("view_submission", "block_suggestion")
    return kind == "slash_commands"
