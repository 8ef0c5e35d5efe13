"""What is refused for its size is told to the sessions that wait for it; a request that comes too slowly is closed."""

from __future__ import annotations

import asyncio
import gzip
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from time import time
from urllib.parse import urlsplit

import pytest

from bot.api.rate_limit import BODY_BYTES, HOOK_BYTES
from bot.api.routes.hooks import CHECKED_BYTES
from supervisor.core.state import Session
from tests.api.conftest import ALL, Build, House
from tests.api.test_webhooks_wake_sessions import READY, by_github, send, signed
from tests.support.slack import OPS, texts

pytestmark = pytest.mark.usefixtures("partitions")

OVER = json.dumps("x" * HOOK_BYTES).encode()


async def session_of(house: House, session_id: str) -> Session:
    return await house.scene.flagman.core.supervisor.get(session_id)


async def test_a_genuine_webhook_that_is_too_large_is_told_to_whoever_waits(house: House) -> None:
    session_id = (await house.scene.launch()).id
    await house.resting(session_id)
    await house.api.post(f"/v1/sessions/{session_id}/pause", {"resume_conditions": [READY]})
    other, _ = await house.paused("webhook: another")
    (await send(house, signed(OVER), OVER)).problem(413, "too_large")
    session = await session_of(house, session_id)
    (note,) = session.inbox
    assert note.by == "webhook:redis_ready"
    assert "webhook `redis_ready` came and was refused, as it has more than the 262,144 bytes" in note.text
    assert session.status == "paused"
    assert (await session_of(house, other)).inbox == ()
    await house.scene.slack.message(
        OPS, lambda m: "was refused, as it has more" in texts(m), await _thread(house)
    )
    # A sender that tries again and again is told of once.
    for n in range(3):
        (await send(house, by_github(OVER, id_=str(n)), OVER)).problem(413, "too_large")
    assert len((await session_of(house, session_id)).inbox) == 1
    fits = b"{}"
    assert (await send(house, signed(fits), fits))["resumed"] == [session_id]


async def _thread(house: House) -> str:
    card = await house.scene.slack.message(OPS, lambda m: "card:" in texts(m))
    return str(card["ts"])


async def test_one_that_unpacks_to_too_much_is_told_as_well(house: House) -> None:
    session_id, _ = await house.paused(READY)
    packed = gzip.compress(OVER)
    (await send(house, {**by_github(packed), "Content-Encoding": "gzip"}, packed)).problem(413, "too_large")
    assert len((await session_of(house, session_id)).inbox) == 1


async def test_who_is_not_known_writes_nothing_into_a_session(house: House) -> None:
    session_id, _ = await house.paused(READY)
    unsigned = {"Content-Type": "application/json"}
    (await send(house, unsigned, OVER)).problem(401, "webhook_unsigned")
    (await send(house, signed(OVER, secret="whsec_c29tZWJvZHktZWxzZS1lbnRpcmVseQ=="), OVER)).problem(
        401, "webhook_forged"
    )
    (await send(house, signed(OVER), OVER + b" ")).problem(401, "webhook_forged")
    (await send(house, signed(OVER, late=3600), OVER)).problem(400, "webhook_late")
    beyond = b" " * (CHECKED_BYTES + 1)
    (await send(house, by_github(beyond), beyond)).problem(413, "too_large")
    reader = await house.as_(None)
    (await reader.post("/v1/events", {"type": "redis_ready"})).problem(401, "unauthorized")
    assert (await session_of(house, session_id)).inbox == ()


@pytest.mark.parametrize("named", ["in the body", "in the headers"])
async def test_an_event_that_is_too_large_is_told_where_its_type_is_known(house: House, named: str) -> None:
    session_id, _ = await house.paused("event: deploy.finished")
    other, _ = await house.paused("event: another")
    data = "x" * BODY_BYTES
    headers, body = (
        {"Content-Type": "application/json"},
        json.dumps({"type": "deploy.finished", "data": data}),
    )
    if named == "in the headers":
        headers |= {"ce-specversion": "1.0", "ce-id": "1", "ce-source": "ci", "ce-type": "deploy.finished"}
        body = json.dumps(data)
    (await house.api.post("/v1/events", data=body.encode(), headers=headers)).problem(413, "too_large")
    (note,) = (await session_of(house, session_id)).inbox
    assert "An event `deploy.finished` came and was refused" in note.text
    assert (await session_of(house, other)).inbox == ()
    nameless = json.dumps({"data": data, "type": "deploy.finished"})
    headers = {"Content-Type": "application/json"}
    (await house.api.post("/v1/events", data=nameless.encode(), headers=headers)).problem(413, "too_large")


# Too slow

HEAD = "POST {path} HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {key}\r\nContent-Type: application/json\r\n"
SIGNED = "webhook-id: 1\r\nwebhook-timestamp: {now}\r\nwebhook-signature: v1,AAAA\r\n"


@pytest.fixture
async def hasty(build: Build, monkeypatch: pytest.MonkeyPatch) -> House:
    """A house with little patience."""
    monkeypatch.setattr("bot.processes.web.IDLE_SECONDS", 0.5)
    monkeypatch.setattr("bot.processes.web.LINGER_SECONDS", 0.1)
    monkeypatch.setattr("bot.api.rate_limit.PATIENCE_SECONDS", 0.5)
    return await build()


@asynccontextmanager
async def connected(house: House) -> AsyncIterator[tuple[asyncio.StreamReader, asyncio.StreamWriter]]:
    address = urlsplit(house.url)
    reader, writer = await asyncio.open_connection(address.hostname, address.port)
    try:
        yield reader, writer
    finally:
        writer.close()


async def rest_of(reader: asyncio.StreamReader) -> str:
    """All that is answered until the server closes the connection."""
    answer = b""
    async with asyncio.timeout(30):
        # A connection that is closed while something is sent to it is reset.
        with suppress(ConnectionResetError):
            while piece := await reader.read(1000):
                answer += piece
    return answer.decode()


@pytest.mark.parametrize("begin", ["", "GET /v1/me HT", "GET /v1/me HTTP/1.1\r\nHost: x\r\nX-Slow: "])
async def test_a_connection_without_a_whole_request_is_closed(hasty: House, begin: str) -> None:
    async with connected(hasty) as (reader, writer):
        writer.write(begin.encode())
        assert await rest_of(reader) == ""


async def test_a_header_that_drips_is_closed_as_well(hasty: House) -> None:
    async with connected(hasty) as (reader, writer):
        writer.write(b"GET /v1/me HTTP/1.1\r\n")
        answer = asyncio.create_task(rest_of(reader))
        while not answer.done():
            writer.write(b"X-More: x\r\n")
            await asyncio.wait({answer}, timeout=0.05)
        assert not isinstance(answer.exception(), TimeoutError)


@pytest.mark.parametrize("path", ["/v1/sessions", "/v1/events", "/v1/restore", "/hooks/redis_ready"])
async def test_a_body_that_never_comes_is_told_and_closed(hasty: House, path: str) -> None:
    head = HEAD.format(path=path, key=ALL) + _signed(path)
    async with connected(hasty) as (reader, writer):
        writer.write(f'{head}Content-Length: 100\r\n\r\n{{"type"'.encode())
        answer = await rest_of(reader)
    assert answer.startswith("HTTP/1.1 408 ")
    assert '"code":"body_slow"' in answer


async def test_a_body_that_drips_is_closed_as_well(hasty: House) -> None:
    head = HEAD.format(path="/v1/events", key=ALL)
    async with connected(hasty) as (reader, writer):
        writer.write(f"{head}Content-Length: 100000\r\n\r\n".encode())
        answer = asyncio.create_task(rest_of(reader))
        while not answer.done():
            writer.write(b" ")
            await asyncio.wait({answer}, timeout=0.05)
    assert "408" in answer.result()


async def test_one_that_comes_steadily_may_take_longer(hasty: House, monkeypatch: pytest.MonkeyPatch) -> None:
    # Each byte gives five seconds more.
    monkeypatch.setattr("bot.api.rate_limit.PATIENCE_SECONDS", 3.0)
    monkeypatch.setattr("bot.api.rate_limit.SLOWEST_BYTES", 0.2)
    body = b'{"type":"tests.green"}'
    head = HEAD.format(path="/v1/events", key=ALL)
    async with connected(hasty) as (reader, writer):
        writer.write(f"{head}Connection: close\r\nContent-Length: {len(body)}\r\n\r\n".encode())
        for byte in body:
            writer.write(bytes([byte]))
            await writer.drain()
            await asyncio.sleep(0.2)
        assert (await rest_of(reader)).startswith("HTTP/1.1 200 ")


def _signed(path: str) -> str:
    return SIGNED.format(now=int(time())) if path.startswith("/hooks") else ""
