"""Values that cannot be sent, and servers that are no Flagman: each is one error with a sentence."""

from __future__ import annotations

import asyncio
import os
import pickle
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Any

import pytest
from aiohttp import web
from aiohttp.test_utils import TestServer

import flagman as public
from bot.sdk import Agent, Session, connect
from bot.sdk.http_backend import HttpBackend
from supervisor.core.errors import FlagmanError, InvalidInput, SessionNotFound, Unavailable, UnknownRefusal
from tests.cli.served import Served

HTML = "<html>Hello</html>"


@pytest.mark.parametrize("key", ["a\nb", "  ", "x ", "a\x00b", "\ud800"])
async def test_a_key_that_no_header_carries_is_refused_and_not_told(key: str) -> None:
    with pytest.raises(InvalidInput) as error:
        HttpBackend("http://127.0.0.1:9", key)
    assert key not in str(error.value)


@pytest.mark.parametrize("url", ["http://é..x", "http://xn--é.", "http://127.0.0.1:9/\x01"])
async def test_an_address_that_is_none_is_not_reached(url: str) -> None:
    backend = HttpBackend(url)
    with pytest.raises(Unavailable, match="No Flagman answers"):
        await backend.get("ab12-cd34")
    with pytest.raises(Unavailable):
        await anext(backend.events("ab12-cd34", 0))


async def test_keys_in_any_script_are_sent(flagman: Served) -> None:
    async with connect(flagman.url, flagman.key):
        first = await Agent("sre").start("report on the disk", idempotency_key="schlüssel-é")
        again = await Agent("sre").start("report on the disk", idempotency_key="schlüssel-é")
        assert first.id == again.id
        with pytest.raises(InvalidInput):
            await Agent("sre").start("report on the disk", idempotency_key="a\nb")


@pytest.mark.parametrize("session_id", ["\ud800", ".", "..", "../sessions", "a/b", "%2e"])
async def test_no_id_leads_elsewhere(session_id: str, flagman: Served) -> None:
    async with connect(flagman.url, flagman.key):
        with pytest.raises(SessionNotFound):
            await Session.load(session_id)


async def test_what_is_no_json_is_refused_as_in_process(flagman: Served) -> None:
    async with connect(flagman.url, flagman.key):
        session = await Agent("sre").start("report on the disk")
        await session.pause("wait")
        for data in (object(), b"\xff", float("nan")):
            with pytest.raises(InvalidInput):
                await session.resume(data=data)
        await session.resume(data="\ud800")
        with pytest.raises(FlagmanError):
            await session.artifact("../log")


@asynccontextmanager
async def answering(body: bytes, **headers: str) -> AsyncIterator[HttpBackend]:
    async def answer(_: web.Request) -> web.Response:
        return web.Response(body=body, headers={name.replace("_", "-"): v for name, v in headers.items()})

    app = web.Application()
    app.router.add_route("*", "/{path:.*}", answer)
    async with TestServer(app) as server:
        yield HttpBackend(str(server.make_url("")))


@pytest.mark.parametrize(
    ("body", "kind"),
    [
        (b"{}", "application/json"),
        (b"null", "application/json"),
        (HTML.encode(), "text/html"),
        (b"[" * 100_000 + b"]" * 100_000, "application/json"),
        (b"data: {broken\n\n", "text/event-stream"),
        (b"data: \xff\n\n", "text/event-stream"),
        (b"data: [1]\n\n", "text/event-stream"),
    ],
    ids=["object", "null", "page", "deep", "broken event", "bytes", "no event"],
)
async def test_a_stream_of_something_else_is_an_error(body: bytes, kind: str) -> None:
    async with answering(body, Content_Type=kind) as backend:
        with pytest.raises(UnknownRefusal):
            await anext(backend.events("ab12-cd34", 0))


async def test_a_stream_that_ends_at_once_is_not_asked_for_ever() -> None:
    async with answering(b"", Content_Type="text/event-stream") as backend, asyncio.timeout(30):
        with pytest.raises(Unavailable, match="at once"):
            await anext(backend.events("ab12-cd34", 0))


# The face without `async`


def test_a_forked_process_has_a_loop_of_its_own(flagman: Served) -> None:
    session = public.Agent("sre", url=flagman.url, api_key=flagman.key).start("report on the disk")
    child = os.fork()
    if child == 0:
        code = 1
        try:
            code = 0 if session.refresh().id == session.id else 2
        finally:
            os._exit(code)
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0


def test_a_proxy_is_what_it_says(flagman: Served) -> None:
    session = public.Agent("sre", url=flagman.url, api_key=flagman.key).start("report on the disk")
    session.state = session.state
    session.cancel("enough")
    assert session.state.status == session.status == "cancelled"
    assert pickle.loads(pickle.dumps(public.Session)) is public.Session

    class Mine(public.Session):  # type: ignore[misc]
        pass

    made: Callable[..., Any] = Mine.load
    assert type(made(session.id, url=flagman.url, api_key=flagman.key)) is Mine
