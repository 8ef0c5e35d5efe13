"""The HTTP client of a connection to a server: its headers, its limits, and its errors, each as that of one request.

The library ends the whole connection at an error of the network. Here such an error becomes the answer to the request
that it struck, by which it is known whether the request can have been carried out.
"""

from __future__ import annotations

import json
from collections.abc import AsyncIterator

import httpx2

from supervisor.mcp.bearer import Bearer, NoToken, SignedTransport
from supervisor.mcp.config import Server
from supervisor.mcp.errors import NO_ANSWER, NOT_SENT, STALE

# What is read of one answer; the event loop is held up while it is parsed.
MOST_BYTES = 16 * 2**20
CONNECT_SECONDS = 10.0
# With one of these, a server or what stands before it has not begun to carry out the request.
REFUSED = frozenset({400, 401, 403, 404, 405, 406, 407, 411, 413, 415, 421, 429, 431, 503})
_BEFORE = (httpx2.ConnectError, httpx2.ConnectTimeout, httpx2.PoolTimeout, httpx2.UnsupportedProtocol)


def http_client(server: Server, seconds: float, bearer: Bearer | None = None) -> httpx2.AsyncClient:
    """Return a client with the headers of the server, in which nothing may be silent for so many seconds.

    It signs requests with the tokens of a `bearer`.
    """
    timeout = httpx2.Timeout(CONNECT_SECONDS, read=seconds, write=seconds)
    # A compressed body would grow after it was counted.
    headers = {**server.headers, "Accept-Encoding": "identity"}
    plain = httpx2.AsyncHTTPTransport(retries=0)
    transport = _Answering(SignedTransport(plain, bearer, server.url) if bearer else plain)
    return httpx2.AsyncClient(headers=headers, timeout=timeout, transport=transport, trust_env=False)


class _Answering(httpx2.AsyncBaseTransport):
    """Answers a request itself where the network, or a status without a message, gives none."""

    def __init__(self, inner: httpx2.AsyncBaseTransport) -> None:
        self._inner = inner

    async def handle_async_request(self, request: httpx2.Request) -> httpx2.Response:
        try:
            response = await self._inner.handle_async_request(request)
        except NoToken as error:
            return _answer(NOT_SENT, str(error))
        except _BEFORE as error:
            return _answer(NOT_SENT, f"no connection ({_words(error)})")
        except httpx2.TransportError as error:
            return _answer(NO_ANSWER, f"the connection broke ({_words(error)})")
        kind = response.headers.get("content-type", "").partition(";")[0].strip().lower()
        if response.status_code >= 400 and request.method == "POST":
            stale = response.status_code == 404 and "mcp-session-id" in request.headers
            if stale or kind != "application/json":
                await response.aclose()
                if stale:
                    return _answer(STALE, "it has forgotten the session")
                code = NOT_SENT if response.status_code in REFUSED else NO_ANSWER
                return _answer(code, f"HTTP {response.status_code}")
        if is_compressed(response):
            await response.aclose()
            return _answer(NO_ANSWER, "its answer is compressed, which was not asked for")
        assert isinstance(response.stream, httpx2.AsyncByteStream)
        response.stream = Limited(response.stream, MOST_BYTES)
        return response

    async def aclose(self) -> None:
        await self._inner.aclose()


def is_compressed(response: httpx2.Response) -> bool:
    """Whether the body would grow as it is read, after it was counted."""
    return response.headers.get("content-encoding", "identity").strip().lower() not in ("", "identity")


class Limited(httpx2.AsyncByteStream):
    """A body of which at most `most` bytes are read; what breaks it ends one request alone."""

    def __init__(self, stream: httpx2.AsyncByteStream, most: int) -> None:
        self._stream, self._most = stream, most

    async def __aiter__(self) -> AsyncIterator[bytes]:
        read = 0
        try:
            async for chunk in self._stream:
                read += len(chunk)
                if read > self._most:
                    raise httpx2.StreamError(f"the answer has more than {self._most // 2**20} MB")
                yield chunk
        except httpx2.TransportError as error:
            raise httpx2.StreamError(f"the connection broke ({_words(error)})") from error

    async def aclose(self) -> None:
        await self._stream.aclose()


def _answer(code: int, message: str) -> httpx2.Response:
    error = {"jsonrpc": "2.0", "id": None, "error": {"code": code, "message": message}}
    return httpx2.Response(
        503, headers={"content-type": "application/json"}, content=json.dumps(error).encode()
    )


def _words(error: Exception) -> str:
    return str(error)[:200] or type(error).__name__
