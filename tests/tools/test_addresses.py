"""Which addresses a request may reach, and that it reaches no other than the one that was looked at."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import AsyncIterator, Callable, Iterator
from typing import Any

import pytest
from aiohttp import web

from supervisor.core.errors import ToolError
from supervisor.tools import addresses
from supervisor.tools.addresses import refusal
from supervisor.tools.contract import ToolContext
from supervisor.tools.http import http_tool

PUBLIC = """
    1.1.1.1 8.8.8.8 9.255.255.255 11.0.0.0 93.184.215.14 100.63.255.255 100.128.0.0 126.255.255.255 128.0.0.0
    169.253.255.255 172.15.255.255 172.32.0.0 192.0.1.0 192.167.255.255 192.169.0.0 198.17.255.255 198.20.0.0
    223.255.255.255 2000::1 2001:200::1 2606:2800:21f::1 2a00:1450:4001::1 3ffe::1 2620:4f:8000::1
    ::ffff:8.8.8.8 64:ff9b::808:808 2002:808:808::1 2003::1
"""
# Only where private addresses are allowed.
PRIVATE = """
    0.1.2.3 10.0.0.1 10.255.255.255 100.64.0.1 100.127.255.255 127.0.0.1 127.255.255.254 172.16.0.1 172.31.255.255
    192.0.0.1 192.0.0.9 192.0.0.10 192.0.2.1 192.88.99.1 192.168.1.1 198.18.0.1 198.19.255.255 198.51.100.1
    203.0.113.1 240.0.0.1 255.255.255.254
    ::1 ::2 ::127.0.0.1 ::8.8.8.8 ::ffff:127.0.0.1 ::ffff:10.0.0.1 ::ffff:7f00:1 ::ffff:0:127.0.0.1 ::ffff:0:8.8.8.8
    64:ff9b::7f00:1 64:ff9b::a00:1 64:ff9b:1::1 64:ff9b:1::808:808 64:ff9b:1:7f00:0:100:: 64:ff9b:2::1
    100::1 100:0:0:1::1 200::1 1fff::1 4000::1 5f00::1 8000::1 fc00::1 fd12::1 fec0::1 feff::1
    2001::1 2001:0:4136:e378:8000:63bf:3fff:fdd2 2001:2::1 2001:10::1 2001:20::1 2001:1ff::1
    2001:db8::1 3fff::1 3fff:fff::1 2002:7f00:1:: 2002:a00:1::1 2002:c0a8:101::
    2606:2800::5efe:a00:1 2606:2800::200:5efe:7f00:1
"""
NEVER = """
    0.0.0.0 255.255.255.255 169.254.0.1 169.254.169.254 169.254.170.2 100.100.100.200 168.63.129.16 192.0.0.192
    224.0.0.1 239.255.255.255 :: ff02::1 ff0e::1 fe80::1 fe80::1%eth0 febf::1 fd00:ec2::254 fd20:ce::254 fd00:42::42
    ::ffff:169.254.169.254 ::ffff:a9fe:a9fe ::ffff:0.0.0.0 ::ffff:224.0.0.1 ::169.254.169.254 ::ffff:0:169.254.169.254
    64:ff9b::a9fe:a9fe 64:ff9b::6464:64c8 64:ff9b::e000:1 64:ff9b:1::a9fe:a9fe 64:ff9b:1:a9fe:a9:fe00::
    64:ff9b:1:a9:fe:a9fe:: 64:ff9b:1::a9:fea9:fe00:0 2002:a9fe:a9fe:: 2002:6464:64c8::1 2002:e000:1::
    2001:0:a9fe:a9fe:8000:63bf:3fff:fdd2 2001:0:4136:e378:8000:63bf:5601:5601 2606:2800::5efe:a9fe:a9fe
"""
TABLE = [
    *((address, True, True) for address in PUBLIC.split()),
    *((address, True, False) for address in PRIVATE.split()),
    *((address, False, False) for address in NEVER.split()),
]
NAME = "rebound.test"


@pytest.mark.parametrize(("address", "with_private", "without"), TABLE)
def test_addresses(address: str, with_private: bool, without: bool) -> None:
    assert (refusal(address, allow_private=True) is None) == with_private
    assert (refusal(address, allow_private=False) is None) == without


@pytest.fixture
async def port() -> AsyncIterator[tuple[int, list[str]]]:
    """A server on 127.0.0.1 that redirects `/again` to itself under NAME; its port, and the paths it was asked for."""
    seen: list[str] = []

    async def answer(request: web.Request) -> web.Response:
        seen.append(request.path)
        if request.path != "/again":
            return web.Response(text="here")
        return web.Response(status=302, headers={"Location": f"http://{NAME}:{request.url.port}/there"})

    app = web.Application()
    app.router.add_get("/{tail:.*}", answer)
    runner = web.AppRunner(app, shutdown_timeout=0.1)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    yield runner.addresses[0][1], seen
    await runner.cleanup()


Answers = Callable[..., None]


@pytest.fixture
def answers(monkeypatch: pytest.MonkeyPatch) -> Answers:
    """Sets what the resolver of the system answers for NAME: one list of addresses for each time that it is asked."""
    real = socket.getaddrinfo

    def set_answers(*rows: list[str]) -> None:
        left: Iterator[list[str]] = iter(rows)

        def getaddrinfo(host: Any, port: Any, *more: Any, **named: Any) -> Any:
            if host != NAME:
                return real(host, port, *more, **named)
            return [row for a in next(left) for row in real(a, port, type=socket.SOCK_STREAM)]

        monkeypatch.setattr(socket, "getaddrinfo", getaddrinfo)

    return set_answers


async def get(ctx: ToolContext, url: str, *, allow_private: bool) -> str:
    tool = http_tool(allow_private=allow_private)
    return (await tool.run(tool.validate({"method": "GET", "url": url}), ctx)).content


@pytest.mark.parametrize("found", [["127.0.0.1"], ["::ffff:127.0.0.1"], ["::1", "127.0.0.1"]])
async def test_a_public_name_with_a_private_address(
    ctx: ToolContext, port: tuple[int, list[str]], answers: Answers, found: list[str]
) -> None:
    answers(found)
    with pytest.raises(ToolError, match="private or local"):
        await get(ctx, f"http://{NAME}:{port[0]}/", allow_private=False)
    assert port[1] == []


async def test_a_name_that_changes_its_address_is_asked_once_for_each_connection(
    ctx: ToolContext, port: tuple[int, list[str]], answers: Answers
) -> None:
    # Looked at and then asked again, the name would lead to the second address.
    answers(["127.0.0.1"], ["169.254.169.254"])
    assert "here" in await get(ctx, f"http://{NAME}:{port[0]}/", allow_private=True)
    answers(["169.254.169.254"], ["127.0.0.1"])
    with pytest.raises(ToolError, match="link-local or metadata"):
        await get(ctx, f"http://127.0.0.1:{port[0]}/again", allow_private=True)
    assert port[1] == ["/", "/again"]


async def test_the_connection_goes_to_the_address_that_was_checked(
    ctx: ToolContext, port: tuple[int, list[str]], answers: Answers, monkeypatch: pytest.MonkeyPatch
) -> None:
    checked: list[str] = []
    connected: list[str] = []
    loop = asyncio.get_running_loop()
    connect = loop.sock_connect

    def check(text: str, *, allow_private: bool) -> str | None:
        checked.append(text)
        return refusal(text, allow_private=allow_private)

    async def note(sock: socket.socket, address: Any) -> None:
        connected.append(address[0])
        await connect(sock, address)

    monkeypatch.setattr(addresses, "refusal", check)
    monkeypatch.setattr(loop, "sock_connect", note)
    answers(["127.0.0.1"])
    assert "here" in await get(ctx, f"http://127.0.0.1:{port[0]}/again", allow_private=True)
    assert checked == connected == ["127.0.0.1", "127.0.0.1"]
