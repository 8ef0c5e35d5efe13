"""A client that gives up in the middle of a call: the call ends, and nothing is reported as a fault."""

from __future__ import annotations

import asyncio
from typing import Any

import aiohttp
import pytest
from aiohttp import web
from aiohttp.test_utils import TestServer

from bot.api import asgi
from tests.support.slack import wait_for


async def test_an_application_is_told_that_the_client_has_gone(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(asgi, "LOOK_SECONDS", 0.01)
    begun, ended = asyncio.Event(), []

    async def patient(scope: Any, receive: Any, send: Any) -> None:
        assert (await receive())["body"] == b"words"
        begun.set()
        assert await receive() == {"type": "http.disconnect"}

    async def serve(request: web.Request) -> web.StreamResponse:
        try:
            return await asgi.answer(patient, request, await request.read(), {})
        except ConnectionResetError as error:
            ended.append(error)
            raise

    app = web.Application()
    app.router.add_post("/", serve)
    async with TestServer(app) as server, aiohttp.ClientSession() as session:
        asking = asyncio.create_task(session.post(server.make_url("/"), data=b"words"))
        await begun.wait()
        asking.cancel()
        await wait_for(lambda: ended)
