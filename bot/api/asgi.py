"""Runs an ASGI application for one request of aiohttp."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping, MutableMapping
from typing import Any

from aiohttp import web

Message = MutableMapping[str, Any]
App = Callable[
    [MutableMapping[str, Any], Callable[[], Awaitable[Message]], Callable[[Message], Awaitable[None]]],
    Awaitable[None],
]
# How often it is looked whether the client of an open answer is still there; aiohttp does not tell.
LOOK_SECONDS = 1.0
# What some servers log for an answer that nobody reads.
CLIENT_GONE = 499
# What is about the body as it was sent, not as it is handed over.
_OF_BODY = frozenset({b"content-length", b"content-encoding", b"transfer-encoding"})


async def answer(app: App, request: web.Request, body: bytes, state: Mapping[str, Any]) -> web.StreamResponse:
    """Return the answer of the application to a request with this body; `state` is put into its scope."""
    given: list[Message] = [{"type": "http.request", "body": body, "more_body": False}]
    response: web.StreamResponse | None = None

    async def receive() -> Message:
        if given:
            return given.pop()
        while not _has_gone(request):  # noqa: ASYNC110  nothing tells
            await asyncio.sleep(LOOK_SECONDS)
        return {"type": "http.disconnect"}

    async def send(message: Message) -> None:
        nonlocal response
        if message["type"] == "http.response.start":
            response = web.StreamResponse(status=message["status"])
            for name, value in message.get("headers", ()):
                response.headers.add(name.decode("latin-1"), value.decode("latin-1"))
            await response.prepare(request)
        elif message["type"] == "http.response.body" and response is not None:
            if content := message.get("body"):
                await response.write(content)
            if not message.get("more_body"):
                await response.write_eof()

    await app(_scope(request, body, state), receive, send)
    if response is None:
        assert _has_gone(request), "an application answers"
        response = web.Response(status=CLIENT_GONE)
    return response


def _has_gone(request: web.Request) -> bool:
    return request.transport is None or request.transport.is_closing()


def _scope(request: web.Request, body: bytes, state: Mapping[str, Any]) -> dict[str, Any]:
    headers = [(name.lower(), value) for name, value in request.raw_headers if name.lower() not in _OF_BODY]
    return {
        "type": "http",
        "asgi": {"version": "3.0", "spec_version": "2.4"},
        "http_version": f"{request.version.major}.{request.version.minor}",
        "method": request.method,
        "scheme": request.scheme,
        "path": request.path,
        "raw_path": request.raw_path.partition("?")[0].encode(),
        "query_string": request.query_string.encode(),
        "root_path": "",
        "headers": [*headers, (b"content-length", str(len(body)).encode())],
        "client": (request.remote or "", 0),
        "server": None,
        "state": dict(state),
    }
