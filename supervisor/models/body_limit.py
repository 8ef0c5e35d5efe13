"""Limits the body of a provider's answer to `LONGEST_BODY` bytes; reading a longer one raises BodyTooLarge."""

from __future__ import annotations

from collections.abc import AsyncIterator

import httpx2

LONGEST_BODY = 32 * 1024 * 1024


class BodyTooLarge(Exception):
    """The body of the answer is longer than the limit."""


class _Limited(httpx2.AsyncByteStream):
    def __init__(self, stream: httpx2.AsyncByteStream) -> None:
        self._stream = stream

    async def __aiter__(self) -> AsyncIterator[bytes]:
        read = 0
        async for chunk in self._stream:
            read += len(chunk)
            if read > LONGEST_BODY:
                raise BodyTooLarge
            yield chunk

    async def aclose(self) -> None:
        await self._stream.aclose()


def limit_bodies(client: httpx2.AsyncClient) -> None:
    """Have `client` raise BodyTooLarge for longer bodies from now on."""

    async def ask_plain(request: httpx2.Request) -> None:
        # A compressed body would grow after it was counted.
        request.headers["Accept-Encoding"] = "identity"

    async def limit(response: httpx2.Response) -> None:
        if int(response.headers.get("Content-Length") or 0) > LONGEST_BODY:
            raise BodyTooLarge
        assert isinstance(response.stream, httpx2.AsyncByteStream)
        response.stream = _Limited(response.stream)

    hooks = client.event_hooks
    client.event_hooks = {
        "request": [*hooks["request"], ask_plain],
        "response": [*hooks["response"], limit],
    }


def is_too_large(error: BaseException | None) -> bool:
    """Return whether an error of the provider's library comes from the limit."""
    while error is not None:
        if isinstance(error, BodyTooLarge):
            return True
        error = error.__cause__ or error.__context__
    return False
