"""A request that comes slowly, or never whole, is closed after a while; one that comes steadily is not."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from time import time
from urllib.parse import urlsplit

import pytest

from tests.api.conftest import ALL, Build, House

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
