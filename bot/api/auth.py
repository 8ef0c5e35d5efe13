"""Authenticates requests by the key in `Authorization: Bearer`, and checks its rate."""

from __future__ import annotations

from aiohttp import web

from bot.api.errors import ApiError
from bot.api.rate_limit import Buckets
from supervisor.api_keys import ApiKey, ApiKeys

_LONGEST = 500


async def authenticate(request: web.Request, keys: ApiKeys, buckets: Buckets) -> ApiKey:
    """The key of a request. Raises ApiError (401, 429), KeyRefused or StoreUnavailable."""
    key = await recognise(request, keys)
    buckets.take(key.id)
    return key


async def recognise(request: web.Request, keys: ApiKeys) -> ApiKey:
    """The key of a request as it is now. Raises ApiError (401), KeyRefused or StoreUnavailable."""
    kind, _, text = request.headers.get("Authorization", "").partition(" ")
    text = text.strip()
    if kind.lower() != "bearer" or not text or len(text) > _LONGEST:
        raise ApiError(
            401,
            "unauthorized",
            "An API key is needed: send it as `Authorization: Bearer <key>`.",
            {"WWW-Authenticate": 'Bearer realm="flagman"'},
        )
    return await keys.recognise(text)
