"""Limits the bytes and the time of a body, and the requests of a key."""

from __future__ import annotations

import asyncio
import time
import zlib
from collections.abc import AsyncIterator, Callable

from aiohttp import web

from bot.api.errors import ApiError, BodyTooLarge

BODY_BYTES = 1024 * 1024
HOOK_BYTES = 256 * 1024
# A body may take so many seconds, and more for each so many bytes that have come.
PATIENCE_SECONDS, SLOWEST_BYTES = 20.0, 16 * 1024


async def read_chunks(request: web.Request) -> AsyncIterator[bytes]:
    """The body as it comes. Raises ApiError (408) where it comes too slowly, and closes the connection."""
    clock = asyncio.get_running_loop().time
    until = clock() + PATIENCE_SECONDS
    while True:
        try:
            async with asyncio.timeout(until - clock()):
                chunk = await request.content.readany()
        except TimeoutError:
            raise ApiError(
                408, "body_slow", "The body came too slowly; send it again at once.", {"Connection": "close"}
            ) from None
        if not chunk:
            return
        until += len(chunk) / SLOWEST_BYTES
        yield chunk


async def read_body(request: web.Request, limit: int) -> bytes:
    """Raises BodyTooLarge as soon as there is more than `limit`, or ApiError as `read_chunks`."""
    body = bytearray()
    async for chunk in read_chunks(request):
        body += chunk
        if len(body) > limit:
            raise BodyTooLarge(limit, bytes(body))
    return bytes(body)


def decompress(request: web.Request, content: bytes, limit: int) -> bytes:
    """A body without its Content-Encoding. Raises ApiError: 415 unknown, 400 broken; BodyTooLarge."""
    encoding = request.headers.get("Content-Encoding", "identity").strip().lower()
    if encoding in ("", "identity"):
        return content
    if encoding not in ("gzip", "deflate"):
        raise ApiError(
            415, "unsupported_media_type", "The Content-Encoding must be gzip, deflate or identity."
        )
    # Adding 32 has zlib detect the format, gzip or deflate, by the header.
    reader = zlib.decompressobj(wbits=zlib.MAX_WBITS | 32)
    try:
        plain = reader.decompress(content, limit + 1)
    except zlib.error:
        raise ApiError(400, "bad_request", f"The body is no {encoding}.") from None
    if len(plain) > limit:
        raise BodyTooLarge(limit)
    if not reader.eof:
        raise ApiError(400, "bad_request", f"The body ends before its {encoding} does.")
    return plain


class Buckets:
    """A token bucket for each key, in this process."""

    def __init__(self, per_second: int, burst: int, clock: Callable[[], float] = time.monotonic) -> None:
        self._rate, self._burst, self._clock = per_second, burst, clock
        self._buckets: dict[str, tuple[float, float]] = {}

    def take(self, key: str) -> None:
        """Count a request of a key. Raises ApiError (429) with the seconds to wait where the limit is reached."""
        now = self._clock()
        left, at = self._buckets.get(key, (float(self._burst), now))
        left = min(float(self._burst), left + (now - at) * self._rate)
        if left < 1:
            self._buckets[key] = (left, now)
            seconds = max(1, round((1 - left) / self._rate))
            raise ApiError(
                429,
                "too_many_requests",
                f"Too many requests with this key: {self._rate} a second are taken. Come again in {seconds} s.",
                {"Retry-After": str(seconds)},
            )
        self._buckets[key] = (left - 1, now)
