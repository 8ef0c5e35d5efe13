"""The tool `http_request`, which reaches public addresses only, unless `allow_private` is set."""

from __future__ import annotations

import asyncio
import json
import re
from collections.abc import Callable
from datetime import timedelta
from typing import Annotated, Literal

import aiohttp
from pydantic import AfterValidator, BeforeValidator, Field
from yarl import URL

from supervisor.core.errors import ToolError
from supervisor.tools.addresses import socket_factory
from supervisor.tools.contract import Tool, ToolContext
from supervisor.tools.typed_tool import tool

SECONDS = 30
MOST_REDIRECTS = 5
MOST_BYTES = 256 * 1024
# Bytes beyond the cut in which the rest of a secret is looked for.
BESIDE = 4 * 1024
MOST_BODY = 1024 * 1024
ERROR_CHARACTERS = 4_000
SHOWN_HEADERS = (
    "Content-Type",
    "Content-Length",
    "Location",
    "ETag",
    "Last-Modified",
    "Link",
    "Retry-After",
    "WWW-Authenticate",
    "X-Request-Id",
)
# The HTTP library sets these headers, which decide on the end of a request and on its receiver.
RESERVED = frozenset(
    {"host", "content-length", "transfer-encoding", "connection", "upgrade", "te", "trailer"}
)
TOKEN = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]+")
VALUE = re.compile(r"[\t\x20-\x7e]*")


def _checked_url(text: str) -> str:
    if not text.isprintable() or any(character.isspace() for character in text):
        raise ValueError("a URL has no spaces or control characters")
    try:
        url = URL(text)
    except ValueError as error:
        raise ValueError(f"this is not a URL: {error}") from error
    if url.scheme not in ("http", "https") or not url.host:
        raise ValueError("the URL must begin with http:// or https:// and name a host")
    if url.user is not None or url.password is not None:
        raise ValueError("the URL must not hold a user or password; use the header Authorization")
    return text


def _checked_headers(headers: dict[str, str]) -> dict[str, str]:
    for name, value in headers.items():
        if not TOKEN.fullmatch(name) or name.lower() in RESERVED:
            raise ValueError(f"the header name {name!r} is not allowed")
        if not VALUE.fullmatch(value):
            raise ValueError(
                f"the value of the header {name} may hold printable ASCII only, and no line breaks"
            )
    if len({name.lower() for name in headers}) < len(headers):
        raise ValueError("a header is given twice")
    return headers


Method = Annotated[
    Literal["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"],
    BeforeValidator(lambda value: value.upper() if isinstance(value, str) else value),
]
Url = Annotated[
    str,
    Field(description="With http:// or https://.", max_length=4_096),
    AfterValidator(_checked_url),
]
Headers = Annotated[
    dict[str, str], Field(default_factory=dict, max_length=50), AfterValidator(_checked_headers)
]
Body = Annotated[
    str | None, Field(description="Text to send; JSON is recognised and labelled.", max_length=MOST_BODY)
]


def http_tool(*, allow_private: bool = False) -> Tool:
    """Return the tool `http_request`; `allow_private` permits loopback and private addresses, not metadata ones."""

    @tool(timeout=timedelta(seconds=SECONDS + 15))
    async def http_request(
        method: Method, url: Url, headers: Headers, ctx: ToolContext, body: Body = None
    ) -> str:
        """Send an HTTP request and return the status, the main headers and the body.

        Redirects are followed for GET and HEAD only. An error status (400 and above) counts as a failure.
        """
        given = dict(headers)
        lower = {name.lower() for name in given}
        if method not in ("GET", "HEAD") and "idempotency-key" not in lower:
            given["Idempotency-Key"] = ctx.idempotency_key
        if body is not None and "content-type" not in lower:
            given["Content-Type"] = _content_type(body)
        try:
            async with asyncio.timeout(SECONDS):
                return await _exchange(
                    method, URL(url), given, body, allow_private=allow_private, mask=ctx.mask
                )
        except TimeoutError as error:
            doubt = "" if method in ("GET", "HEAD") else " It may have taken effect all the same."
            raise ToolError(f"{method} {url}: no complete answer within {SECONDS} s.{doubt}") from error
        except aiohttp.ClientConnectorError as error:
            reason = error.os_error.strerror or str(error.os_error)
            raise ToolError(f"{method} {url}: cannot connect: {reason}.") from error
        # UnicodeError: a host name that cannot be put into DNS.
        except (aiohttp.ClientError, UnicodeError) as error:
            raise ToolError(f"{method} {url}: {error or type(error).__name__}.") from error

    return http_request


async def _exchange(
    method: str,
    url: URL,
    headers: dict[str, str],
    body: str | None,
    *,
    allow_private: bool,
    mask: Callable[[str], str],
) -> str:
    """Send the request and follow redirects. Given headers, which may hold secrets, are sent to the first host only."""
    first = url
    connector = aiohttp.TCPConnector(socket_factory=socket_factory(allow_private=allow_private))
    async with aiohttp.ClientSession(
        connector=connector,
        cookie_jar=aiohttp.DummyCookieJar(),
        headers={"User-Agent": "flagman"},
        timeout=aiohttp.ClientTimeout(total=None),
    ) as session:
        for _ in range(MOST_REDIRECTS + 1):
            data = None if body is None else body.encode()
            async with session.request(
                method, url, headers=headers, data=data, allow_redirects=False
            ) as response:
                following = _redirect_target(method, url, response)
                if following is None:
                    return await _shown(response, mask, redirected=url != first)
            if following.origin() != url.origin():
                headers, body = {}, None
            url = following
    raise ToolError(f"{method} {url}: more than {MOST_REDIRECTS} redirects.")


def _redirect_target(method: str, url: URL, response: aiohttp.ClientResponse) -> URL | None:
    """Return the target of a redirect, or None. Other methods than GET and HEAD have an approved target."""
    location = response.headers.get("Location")
    if method not in ("GET", "HEAD") or response.status not in (301, 302, 303, 307, 308) or not location:
        return None
    try:
        return URL(_checked_url(str(url.join(URL(location)))))
    except ValueError as error:
        raise ToolError(f"{method} {url}: the redirect to {location!r} is refused: {error}.") from error


async def _shown(response: aiohttp.ClientResponse, mask: Callable[[str], str], *, redirected: bool) -> str:
    data = b""
    most = MOST_BYTES + BESIDE
    while len(data) < most and (more := await response.content.read(most - len(data))):
        data += more
    cut = len(data) > MOST_BYTES
    lines = [f"HTTP {response.status} {response.reason or ''}".strip()]
    if redirected:
        lines.append(f"Redirected to: {response.url}")
    lines += [f"{name}: {response.headers[name]}" for name in SHOWN_HEADERS if name in response.headers]
    text = _text(data, response.charset)
    if len(text) > ERROR_CHARACTERS:
        # Before the cut: a part of a secret is not found any more.
        text = mask(text)[:MOST_BYTES]
    if response.status >= 400:
        note = f"\n[Cut: the first {ERROR_CHARACTERS} characters.]" if len(text) > ERROR_CHARACTERS else ""
        raise ToolError("\n".join([*lines, "", text[:ERROR_CHARACTERS] + note]))
    if cut:
        text += f"\n[Cut: the first {MOST_BYTES:,} bytes; there is more.]"
    return "\n".join([*lines, "", text]).rstrip()


def _text(data: bytes, charset: str | None) -> str:
    """Return the body as text, or a description of a binary one."""
    try:
        # Only the last character may be incomplete, where the body was cut.
        text = data.decode(charset or "utf-8", "replace")
    except LookupError:
        text = data.decode("utf-8", "replace")
    if "\0" in text or text.count("\ufffd") > 1 + len(text) // 100:
        return f"[A binary body: {len(data):,} bytes; these begin with {data[:16].hex(' ')}.]"
    return text


def _content_type(body: str) -> str:
    try:
        json.loads(body)
    except ValueError:
        return "text/plain; charset=utf-8"
    return "application/json"
