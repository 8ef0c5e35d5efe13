"""Signs the requests of a connection with the token of a person, and gets a new one where the server refuses it."""

from __future__ import annotations

import json
import re
import time
from typing import Protocol

import httpx2

# For so long a call may wait for a token, and be sent nevertheless.
MOST_SECONDS = 2.0
_SCOPE = re.compile(r'scope="([^"]*)"')


class NoToken(Exception):
    """There is no token that the server takes, so the request was not carried out; the text says why."""


class Bearer(Protocol):
    """The tokens of one person for one server. Methods raise NoToken."""

    async def token(self) -> str:
        """Return a token that is valid by what is known."""
        ...

    async def renewed(self, refused: str) -> str:
        """Return a token in place of one that the server refused."""
        ...

    async def refuse(self, refused: str, why: str, scopes: str = "") -> None:
        """Remember that the server takes no token of the person, and which `scopes` it asks for."""
        ...


class SignedTransport(httpx2.AsyncBaseTransport):
    """Sends each request to the server at `url` with a token.

    One that is refused before it ran is sent once more with a new one. Another server, to which a redirect leads, gets
    no token.
    """

    def __init__(self, inner: httpx2.AsyncBaseTransport, bearer: Bearer, url: str) -> None:
        self._inner, self._bearer, self._origin = inner, bearer, _origin(httpx2.URL(url))

    async def handle_async_request(self, request: httpx2.Request) -> httpx2.Response:
        if _origin(request.url) != self._origin:
            return await self._inner.handle_async_request(request)
        came = time.monotonic()
        token = await self._bearer.token()
        _check_in_time(request, came)
        response = await self._send(request, token)
        if response.status_code == 401:
            await response.aclose()
            token = await self._bearer.renewed(token)
            _check_in_time(request, came)
            response = await self._send(request, token)
        if response.status_code == 401:
            await response.aclose()
            await self._refused(token, "the server does not take the token")
        if response.status_code == 403 and "insufficient_scope" in _challenge(response):
            found = _SCOPE.search(_challenge(response))
            await response.aclose()
            await self._refused(token, "the server asks for more rights", found[1] if found else "")
        return response

    async def _refused(self, token: str, why: str, scopes: str = "") -> None:
        await self._bearer.refuse(token, why, scopes)
        raise NoToken(why)

    async def _send(self, request: httpx2.Request, token: str) -> httpx2.Response:
        request.headers["Authorization"] = f"Bearer {token}"
        return await self._inner.handle_async_request(request)

    async def aclose(self) -> None:
        await self._inner.aclose()


def _check_in_time(request: httpx2.Request, came: float) -> None:
    """Raise NoToken for a call that a token kept waiting for long: whether it may begin is looked at anew."""
    if time.monotonic() - came > MOST_SECONDS and _is_call(request):
        raise NoToken("its token was renewed too late to begin the call")


def _is_call(request: httpx2.Request) -> bool:
    try:
        message = json.loads(request.content)
    except (ValueError, RecursionError, httpx2.StreamError):
        return False
    return isinstance(message, dict) and message.get("method") == "tools/call"


def _origin(url: httpx2.URL) -> tuple[str, str, int | None]:
    return url.scheme, url.host, url.port


def _challenge(response: httpx2.Response) -> str:
    return str(response.headers.get("www-authenticate", ""))
