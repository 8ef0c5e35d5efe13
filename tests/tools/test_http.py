"""HTTP requests reach what they may, say what they got, and cannot be turned aside."""

from __future__ import annotations

import asyncio
import gzip
from collections.abc import AsyncIterator
from typing import Any

import pytest
from aiohttp import web

from supervisor.core.errors import InvalidArguments, ToolError
from supervisor.tools import http
from supervisor.tools.contract import ToolContext
from supervisor.tools.http import MOST_BYTES, http_tool

public = http_tool()
private = http_tool(allow_private=True)


class Site:
    """A server that tells what it was asked, with its addresses under two names."""

    def __init__(self) -> None:
        self.seen: list[web.Request] = []
        self.port = 0

    def url(self, path: str, host: str = "127.0.0.1") -> str:
        return f"http://{host}:{self.port}{path}"

    async def answer(self, request: web.Request) -> web.StreamResponse:
        self.seen.append(request)
        query = request.query
        match request.path:
            case "/redirect":
                return web.Response(status=int(query.get("status", "302")), headers={"Location": query["to"]})
            case "/loop":
                return web.Response(status=302, headers={"Location": "/loop"})
            case "/slow":
                await asyncio.sleep(5)
            case "/big":
                return web.Response(body=b"x" * (MOST_BYTES * 4))
            case "/bomb":
                return web.Response(
                    body=gzip.compress(bytes(50_000_000)), headers={"Content-Encoding": "gzip"}
                )
            case "/image":
                return web.Response(body=b"\x89PNG\0\0\0", content_type="image/png")
            case "/latin":
                return web.Response(
                    body="größe".encode("latin-1"), headers={"Content-Type": "text/plain; charset=latin-1"}
                )
            case "/fail":
                return web.Response(status=503, text="down " * 2_000, headers={"Retry-After": "7"})
        return web.json_response({"method": request.method, "body": await request.text()})


@pytest.fixture
async def site() -> AsyncIterator[Site]:
    site = Site()
    app = web.Application()
    app.router.add_route("*", "/{tail:.*}", site.answer)
    runner = web.AppRunner(app, shutdown_timeout=0.1)
    await runner.setup()
    listener = web.TCPSite(runner, "127.0.0.1", 0)
    await listener.start()
    site.port = runner.addresses[0][1]
    yield site
    await runner.cleanup()


async def send(ctx: ToolContext, method: str, url: str, **more: Any) -> str:
    return (await private.run(private.validate({"method": method, "url": url, **more}), ctx)).content


async def test_status_headers_and_body_are_told(ctx: ToolContext, site: Site) -> None:
    text = await send(ctx, "post", site.url("/x"), body='{"a": 1}', headers={"X-One": "1"})
    assert text.startswith("HTTP 200 OK\nContent-Type: application/json; charset=utf-8\n")
    assert '"body": "{\\"a\\": 1}"' in text
    headers = site.seen[0].headers
    assert headers["Content-Type"] == "application/json"
    assert headers["X-One"] == "1"
    assert headers["Idempotency-Key"] == "key-1"


async def test_idempotency_key_is_sent_where_it_matters(ctx: ToolContext, site: Site) -> None:
    await send(ctx, "GET", site.url("/"))
    await send(ctx, "DELETE", site.url("/"), headers={"idempotency-key": "own"})
    assert "Idempotency-Key" not in site.seen[0].headers
    assert site.seen[1].headers.getall("Idempotency-Key") == ["own"]


async def test_error_status_is_a_tool_error_with_the_start_of_the_body(ctx: ToolContext, site: Site) -> None:
    with pytest.raises(ToolError) as error:
        await send(ctx, "GET", site.url("/fail"))
    text = str(error.value)
    assert text.startswith("HTTP 503 Service Unavailable\n")
    assert "Retry-After: 7" in text
    assert text.endswith("[Cut: the first 4000 characters.]")


async def test_long_and_packed_answers_are_cut(ctx: ToolContext, site: Site) -> None:
    text = await send(ctx, "GET", site.url("/big"))
    assert text.endswith(f"[Cut: the first {MOST_BYTES:,} bytes; there is more.]")
    assert len(text) < MOST_BYTES + 500
    assert "A binary body" in await send(ctx, "GET", site.url("/bomb"))


async def test_binary_is_described_and_charsets_are_heeded(ctx: ToolContext, site: Site) -> None:
    assert "[A binary body: 7 bytes; these begin with 89 50 4e 47" in await send(
        ctx, "GET", site.url("/image")
    )
    assert (await send(ctx, "GET", site.url("/latin"))).endswith("größe")


async def test_slow_answer_is_given_up(ctx: ToolContext, site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(http, "SECONDS", 0.1)
    with pytest.raises(ToolError, match=r"no complete answer within 0.1 s. It may have taken effect"):
        await send(ctx, "POST", site.url("/slow"))


async def test_redirects_are_followed_for_reading_only(ctx: ToolContext, site: Site) -> None:
    text = await send(ctx, "GET", site.url("/redirect?to=/there"))
    assert f"Redirected to: {site.url('/there')}" in text
    text = await send(ctx, "POST", site.url("/redirect?status=307&to=/there"), body="x")
    assert text.startswith("HTTP 307")
    assert "Location: /there" in text
    assert [request.path for request in site.seen] == ["/redirect", "/there", "/redirect"]


async def test_redirects_have_an_end(ctx: ToolContext, site: Site) -> None:
    with pytest.raises(ToolError, match="more than 5 redirects"):
        await send(ctx, "GET", site.url("/loop"))
    assert len(site.seen) == 6


async def test_headers_do_not_follow_to_another_host(ctx: ToolContext, site: Site) -> None:
    to = site.url("/there", host="localhost")
    await send(ctx, "GET", site.url(f"/redirect?to={to}"), headers={"X-Api-Key": "secret"})
    assert site.seen[0].headers["X-Api-Key"] == "secret"
    assert "X-Api-Key" not in site.seen[1].headers


@pytest.mark.parametrize(
    "to", ["http://169.254.169.254/latest", "http://[fe80::1]/", "file:///etc/passwd", "gopher://x/"]
)
async def test_each_redirect_is_checked(ctx: ToolContext, site: Site, to: str) -> None:
    with pytest.raises(ToolError, match=r"link-local|must begin with http"):
        await send(ctx, "GET", site.url(f"/redirect?to={to}"))


@pytest.mark.parametrize(
    "host", ["127.0.0.1", "localhost", "[::1]", "0.0.0.0", "2130706433", "0x7f.1", "127.1"]
)
async def test_own_machine_is_out_of_reach(ctx: ToolContext, site: Site, host: str) -> None:
    with pytest.raises(ToolError):
        await public.run(public.validate({"method": "GET", "url": site.url("/", host)}), ctx)
    assert site.seen == []


async def test_metadata_stays_out_of_reach_where_private_is_allowed(ctx: ToolContext) -> None:
    for host in ("169.254.169.254", "[::ffff:169.254.169.254]", "[fd00:ec2::254]"):
        with pytest.raises(ToolError, match="link-local or metadata"):
            await send(ctx, "GET", f"http://{host}/latest/meta-data/")


@pytest.mark.parametrize(
    "bad",
    [
        {"url": "ftp://x/"},
        {"url": "//x/"},
        {"url": "http://"},
        {"url": "http://user:pass@x/"},
        {"url": "http://x/ HTTP/1.1\r\nA: b"},
        {"url": "http://x:99999/"},
        {"method": "TRACE"},
        {"headers": {"A": "b\r\nC: d"}},
        {"headers": {"A\r\nB": "c"}},
        {"headers": {"A": "b\0"}},
        {"headers": {"Host": "other"}},
        {"headers": {"Transfer-Encoding": "chunked"}},
        {"headers": {"a": "1", "A": "2"}},
        {"headers": {"": "x"}},
    ],
)
def test_bad_requests_are_refused_before_anybody_is_asked(bad: dict[str, Any]) -> None:
    with pytest.raises(InvalidArguments):
        public.validate({"method": "GET", "url": "http://example.com/", **bad})


async def test_unreachable_and_impossible_hosts_are_sentences(ctx: ToolContext) -> None:
    for url in ("http://127.0.0.1:1/", f"http://{'a' * 70}.example/", "http://no-such-host.invalid/"):
        with pytest.raises(ToolError, match=r"^GET http"):
            await send(ctx, "GET", url)
