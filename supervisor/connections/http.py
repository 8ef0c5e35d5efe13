"""The HTTP client for authorization servers, which others name: where it goes, and how much and how long it reads."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from urllib.parse import urlsplit

import httpx2

from supervisor.core.errors import Unavailable
from supervisor.mcp.http import Limited, is_compressed
from supervisor.tools.addresses import refusal

# The seconds of one answer, from the first byte to the last, and what is read of it.
SECONDS = 10.0
MOST_BYTES = 2**20


@asynccontextmanager
async def http(*, secure: bool = False) -> AsyncIterator[httpx2.AsyncClient]:
    """A client that follows no redirect; if `secure`, it speaks with nobody in clear."""
    transport = _Guarded(httpx2.AsyncHTTPTransport(retries=0), secure=secure)
    headers = {"Accept": "application/json", "Accept-Encoding": "identity"}
    async with httpx2.AsyncClient(
        headers=headers, timeout=SECONDS, transport=transport, trust_env=False
    ) as client:
        yield client


async def send(client: httpx2.AsyncClient, request: httpx2.Request, *, body: bool = True) -> httpx2.Response:
    """Send a request, and read the answer to its end unless `body` is False. Raises Unavailable."""
    request.headers.setdefault("Accept", "application/json")
    host = urlsplit(str(request.url)).hostname
    try:
        async with asyncio.timeout(SECONDS):
            return await client.send(request, stream=not body)
    except (httpx2.HTTPError, httpx2.StreamError, httpx2.InvalidURL, TimeoutError) as error:
        raise Unavailable(f"`{host}` does not answer ({type(error).__name__}); try again later.") from error


class _Guarded(httpx2.AsyncBaseTransport):
    """Goes to addresses where no cloud serves the credentials of the machine, and reads a bounded answer.

    A name is resolved here and the request sent to what was looked at, since it may lead elsewhere a moment later.
    """

    def __init__(self, inner: httpx2.AsyncBaseTransport, *, secure: bool) -> None:
        self._inner, self._secure = inner, secure

    async def handle_async_request(self, request: httpx2.Request) -> httpx2.Response:
        if self._secure and request.url.scheme != "https":
            raise httpx2.UnsupportedProtocol("it is not reached by https")
        response = await self._reached(request)
        if is_compressed(response):
            await response.aclose()
            raise httpx2.DecodingError("the answer is compressed")
        assert isinstance(response.stream, httpx2.AsyncByteStream)
        response.stream = Limited(response.stream, MOST_BYTES)
        return response

    async def _reached(self, request: httpx2.Request) -> httpx2.Response:
        """Send the request to the first address of its host that can be reached."""
        named = request.url
        request.extensions = {**request.extensions, "sni_hostname": named.host}
        failed: httpx2.TransportError = httpx2.ConnectError("its name is not known")
        try:
            for address in await _addresses(named.host, named.port):
                request.url = named.copy_with(host=address)
                try:
                    return await self._inner.handle_async_request(request)
                except (httpx2.ConnectError, httpx2.ConnectTimeout) as error:
                    failed = error
        finally:
            request.url = named
        raise failed

    async def aclose(self) -> None:
        await self._inner.aclose()


async def _addresses(host: str, port: int | None) -> list[str]:
    """Return the addresses of a host. Raises ConnectError where it has none, or one that may not be reached."""
    loop = asyncio.get_running_loop()
    try:
        found = await loop.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    except (OSError, UnicodeError) as error:
        raise httpx2.ConnectError("its name is not known") from error
    addresses = list(dict.fromkeys(str(info[4][0]) for info in found))
    for address in addresses:
        if problem := refusal(address, allow_private=True):
            raise httpx2.ConnectError(problem)
    return addresses
