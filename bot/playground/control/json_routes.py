"""Reading of JSON requests and writing of JSON responses for the control API."""

import json
from collections.abc import Awaitable, Callable

from aiohttp import web

from bot.playground.errors import Refusal
from bot.playground.store import Json

Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]
Route = tuple[str, str, Handler]


async def read_body(request: web.Request) -> Json:
    """Return the JSON object in the body; an empty body is `{}`. Raises Refusal."""
    try:
        body = json.loads(await request.text() or "{}")
    except ValueError as error:
        raise Refusal(400, "invalid_json", "The body is not JSON.") from error
    if not isinstance(body, dict):
        raise Refusal(400, "invalid_json", "The body is not a JSON object.")
    return body


def as_json(inner: Callable[[web.Request], Awaitable[Json]]) -> Handler:
    """Wrap a function into a handler that answers with JSON, also when the function raises Refusal."""

    async def handler(request: web.Request) -> web.StreamResponse:
        try:
            return web.json_response(await inner(request))
        except Refusal as refused:
            body = {"ok": False, "error": refused.code, "message": refused.message}
            return web.json_response(body, status=refused.status)

    return handler
