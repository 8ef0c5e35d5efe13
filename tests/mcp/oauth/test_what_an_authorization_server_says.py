"""Discovery, and what a token endpoint answers: nothing that it writes stands in an error, and little is believed."""

from __future__ import annotations

import base64
import json
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from typing import Any

import pytest
from aiohttp import web

from supervisor.connections.authorization_server import NotAuthorized, discover, exchange, register
from supervisor.connections.rows import Client, Endpoints, Tokens
from supervisor.core.errors import Unavailable
from supervisor.mcp.config import OAuth, Server
from tests.support.ports import free_port

LEAK = "tok-0123456789abcdef"
Json = dict[str, Any]


@asynccontextmanager
async def saying(answer: Callable[[str], tuple[int, Any]]) -> AsyncIterator[str]:
    """Serve `answer` of each path as JSON; gives the address."""
    port = free_port()

    async def serve(request: web.Request) -> web.Response:
        status, body = answer(request.path)
        text = body if isinstance(body, str) else json.dumps(body)
        return web.Response(text=text, status=status, content_type="application/json")

    app = web.Application()
    app.router.add_route("*", "/{path:.*}", serve)
    runner = web.AppRunner(app)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", port).start()
    try:
        yield f"http://127.0.0.1:{port}"
    finally:
        await runner.cleanup()


async def answered(status: int, body: Any) -> Tokens:
    async with saying(lambda _: (status, body)) as url:
        endpoints = Endpoints(issuer=url, authorize=url, token=f"{url}/token")
        return await exchange(endpoints, Client(client_id="c"), "code", "v" * 43, url, datetime.now(UTC))


async def test_the_account_is_known_where_the_server_says_it() -> None:
    claims = base64.urlsafe_b64encode(json.dumps({"preferred_username": "octo\u202eada"}).encode()).decode()
    tokens = await answered(200, {"access_token": LEAK, "token_type": "bearer", "id_token": f"a.{claims}.b"})
    assert "octo" in tokens.account
    assert "\u202e" not in tokens.account
    assert (tokens.access, tokens.expires_at) == (LEAK, None)
    assert (await answered(200, {"access_token": LEAK, "id_token": "a.%%.b"})).account == ""


@pytest.mark.parametrize(
    ("status", "body", "kind", "said"),
    [
        (400, {"error": "invalid_grant", "error_description": LEAK}, NotAuthorized, "(invalid_grant)"),
        (400, {"error": f"<b>{LEAK}"}, NotAuthorized, "(HTTP 400)"),
        (500, LEAK, Unavailable, "HTTP 500"),
        (200, {"access_token": [LEAK]}, Unavailable, "no token"),
        (200, LEAK, Unavailable, "no token"),
    ],
)
async def test_a_refusal_says_a_code_and_nothing_that_the_server_wrote(
    status: int, body: Any, kind: type[Exception], said: str
) -> None:
    with pytest.raises(kind) as refusal:
        await answered(status, body)
    assert said in str(refusal.value)
    assert LEAK not in f"{refusal.value!r}{refusal.value.__cause__!r}"


def metadata(url: str, **more: Any) -> Json:
    return {
        "issuer": url,
        "authorization_endpoint": f"{url}/authorize",
        "token_endpoint": f"{url}/token",
        "code_challenge_methods_supported": ["S256"],
        **more,
    }


@pytest.mark.parametrize(
    ("resource", "more", "problem"),
    [
        ({}, {}, ""),
        ({"resource": "https://other.example/mcp"}, {}, "another resource"),
        ({}, {"issuer": "https://other.example"}, "another issuer"),
        ({}, {"code_challenge_methods_supported": ["plain"]}, "no PKCE"),
        ({}, {"code_challenge_methods_supported": None}, "no PKCE"),
    ],
)
async def test_metadata_that_fits_this_server_alone_is_used(resource: Json, more: Json, problem: str) -> None:
    at: list[str] = []

    def answer(path: str) -> tuple[int, Any]:
        if path.startswith("/.well-known/oauth-protected-resource"):
            return 200, {"resource": f"{at[0]}/mcp", "authorization_servers": [at[0]], **resource}
        if path == "/.well-known/oauth-authorization-server":
            return 200, metadata(at[0], **more)
        return 401, {}

    async with saying(answer) as address:
        at.append(address)
        server = Server(name="notes", url=f"{address}/mcp", oauth=OAuth())
        if problem:
            with pytest.raises(Unavailable, match=problem):
                await discover(server)
            return
        endpoints = await discover(server)
        assert (endpoints.token, endpoints.resource) == (f"{address}/token", f"{address}/mcp")
        with pytest.raises(Unavailable, match="register http://b/back there and set client_id"):
            await register(server, endpoints, "http://b/back")


async def test_a_server_of_https_is_not_led_to_one_in_clear() -> None:
    from mcp.shared.auth import OAuthMetadata

    from supervisor.connections.authorization_server import _check

    found = OAuthMetadata.model_validate(metadata("http://auth.example"))
    with pytest.raises(Unavailable, match="not reached by https"):
        _check(Server(name="notes", url="https://notes.example/mcp", oauth=OAuth()), found)
