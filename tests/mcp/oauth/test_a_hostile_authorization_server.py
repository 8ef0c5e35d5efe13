"""What an authorization server answers is bounded in time and size, and nothing that it was sent comes back from it."""

from __future__ import annotations

import asyncio
import base64
import gzip
import json
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from aiohttp import web

from supervisor.connections import http
from supervisor.connections.authorization_server import discover, refresh
from supervisor.connections.rows import Client, Endpoints, Tokens
from supervisor.core.errors import Unavailable
from supervisor.mcp.config import OAuth, Server
from tests.support.ports import free_port

NOW = datetime(2026, 12, 1, tzinfo=UTC)
TOKEN, REFRESH = "atokenofletters", "therefreshtoken"
GIVEN: dict[str, Any] = {"access_token": TOKEN, "token_type": "Bearer"}
Respond = Callable[[web.Request], Awaitable[web.StreamResponse]]


@asynccontextmanager
async def serving(respond: Respond) -> AsyncIterator[str]:
    """Answer each request on loopback so."""
    app, port = web.Application(), free_port()
    app.router.add_route("*", "/{path:.*}", respond)
    runner = web.AppRunner(app, shutdown_timeout=0)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", port).start()
    try:
        yield f"http://127.0.0.1:{port}"
    finally:
        await runner.cleanup()


async def renewed(respond: Respond) -> Tokens:
    async with serving(respond) as url:
        endpoints = Endpoints(issuer=url, authorize=f"{url}/authorize", token=f"{url}/token")
        return await refresh(endpoints, Client(client_id="flagman"), Tokens(access="a", refresh=REFRESH), NOW)


def gives(status: int = 200, **said: Any) -> Respond:
    async def respond(_: web.Request) -> web.Response:
        return web.json_response(said, status=status)

    return respond


@pytest.mark.parametrize(
    ("seconds", "lives"),
    [(10**18, timedelta(days=3650)), (-(10**18), timedelta()), (60, timedelta(minutes=1))],
)
async def test_a_token_lives_for_a_time_that_there_is(seconds: int, lives: timedelta) -> None:
    assert (await renewed(gives(**GIVEN, expires_in=seconds))).expires_at == NOW + lives


@pytest.mark.parametrize("bad", ["a\r\nX-Evil: 1", "tokén", "a b", "x" * 20_000])
async def test_a_token_that_is_none_is_not_sent_on(bad: str) -> None:
    with pytest.raises(Unavailable, match="what is no token"):
        await renewed(gives(**{**GIVEN, "access_token": bad}))


async def test_what_it_says_of_account_and_rights_has_no_token_and_an_end() -> None:
    claims = base64.urlsafe_b64encode(json.dumps({"login": f"my {TOKEN}"}).encode()).decode().rstrip("=")
    scope = f"notes {TOKEN} x:{REFRESH} files " + "y" * 5000
    found = await renewed(gives(**GIVEN, id_token=f"e30.{claims}.e30", scope=scope))
    assert (found.account, found.scopes) == ("", "notes files")


async def test_a_code_that_no_standard_defines_is_not_repeated() -> None:
    with pytest.raises(Unavailable) as refused:
        await renewed(gives(status=403, error=REFRESH))
    assert REFRESH not in str(refused.value)


async def test_a_body_that_drips_ends_by_the_clock(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(http, "SECONDS", 0.3)

    async def drip(request: web.Request) -> web.StreamResponse:
        answer = web.StreamResponse()
        await answer.prepare(request)
        while True:
            await answer.write(b" ")
            await asyncio.sleep(0.05)

    with pytest.raises(Unavailable, match="does not answer"):
        await renewed(drip)


async def test_a_compressed_body_is_not_read() -> None:
    async def bomb(_: web.Request) -> web.Response:
        return web.Response(
            body=gzip.compress(json.dumps(GIVEN).encode()), headers={"Content-Encoding": "gzip"}
        )

    with pytest.raises(Unavailable, match="DecodingError"):
        await renewed(bomb)


@pytest.mark.parametrize("host", ["169.254.169.254", "[fd00:ec2::254]", "[::ffff:169.254.169.254]"])
async def test_a_server_leads_to_no_address_where_a_cloud_has_credentials(host: str) -> None:
    asked: list[str] = []

    async def challenge(request: web.Request) -> web.Response:
        asked.append(request.path)
        said = f'Bearer resource_metadata="http://{host}/latest/meta-data/"'
        return web.Response(status=401, headers={"WWW-Authenticate": said})

    async with serving(challenge) as url:
        with pytest.raises(Unavailable, match=r"does not answer \(ConnectError\)"):
            await discover(Server(name="notes", url=f"{url}/mcp", oauth=OAuth()))
    assert asked == ["/mcp"]


async def test_who_is_reached_by_https_leads_to_nothing_in_clear() -> None:
    async with serving(gives()) as url, http.http(secure=True) as client:
        with pytest.raises(Unavailable, match="UnsupportedProtocol"):
            await http.send(client, client.build_request("GET", url))
