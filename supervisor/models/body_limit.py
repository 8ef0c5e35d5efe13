"""A limit on the body of a provider's answer: what is longer is given up while it is read."""

from __future__ import annotations

from collections.abc import AsyncIterator

import httpx2

LONGEST_BODY = 32 * 1024 * 1024


class BodyTooLarge(Exception):
    """The answer is longer than any model's."""


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
    """Every answer that `client` receives from now on is limited."""

    async def ask_plain(request: httpx2.Request) -> None:
        # A compressed body grows after it was counted.
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
    """Whether an error of the provider's library comes from the limit."""
    while error is not None:
        if isinstance(error, BodyTooLarge):
            return True
        error = error.__cause__ or error.__context__
    return False
