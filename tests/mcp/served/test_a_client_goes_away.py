"""A client that gives up in the middle of a call: the call ends, and nothing is reported as a fault."""

from __future__ import annotations

import asyncio
from typing import Any

import aiohttp
import pytest
from aiohttp import web

from bot.api import asgi
from tests.support.ports import free_port
from tests.support.slack import wait_for


async def test_an_application_is_told_that_the_client_has_gone(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(asgi, "LOOK_SECONDS", 0.01)
    begun = asyncio.Event()
    ended: list[int] = []

    async def patient(scope: Any, receive: Any, send: Any) -> None:
        assert (await receive())["body"] == b"words"
        begun.set()
        assert await receive() == {"type": "http.disconnect"}

    async def serve(request: web.Request) -> web.StreamResponse:
        answered = await asgi.answer(patient, request, await request.read(), {})
        ended.append(answered.status)
        return answered

    app = web.Application()
    app.router.add_post("/", serve)
    # The server of aiohttp's own test tools cancels handlers, which that of Flagman does not.
    runner, port = web.AppRunner(app), free_port()
    await runner.setup()
    try:
        await web.TCPSite(runner, "127.0.0.1", port).start()
        async with aiohttp.ClientSession() as session:
            asking = asyncio.create_task(session.post(f"http://127.0.0.1:{port}/", data=b"words"))
            await begun.wait()
            asking.cancel()
            await wait_for(lambda: ended)
    finally:
        await runner.cleanup()
    assert ended == [asgi.CLIENT_GONE]
    assert [row.getMessage() for row in caplog.records if row.levelname == "ERROR"] == []
