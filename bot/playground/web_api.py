"""The route `/api/<method>` of the Web API: authentication, planned failures, rate limits and methods."""

import asyncio
import json
import logging
from typing import Any

from aiohttp import web

from bot.playground.errors import SlackError
from bot.playground.faults import Fault
from bot.playground.methods import agents, chat, conversations, files, scopes, users, views
from bot.playground.methods.call import Call, Method
from bot.playground.playground import Playground
from bot.playground.store import Json

log = logging.getLogger(__name__)
METHODS: dict[str, Method] = {
    "api.test": lambda call: _api_test(call),
    **agents.METHODS,
    **chat.METHODS,
    **conversations.METHODS,
    **files.METHODS,
    **users.METHODS,
    **views.METHODS,
}
FOR_APP_TOKENS = ("apps.connections.open",)
WITHOUT_TOKEN = ("api.test",)


async def _api_test(call: Call) -> Json:
    """Return the arguments (`api.test`)."""
    return {"args": call.args}


async def arguments(request: web.Request) -> Json:
    """Return the arguments from the query and from the form or JSON body. Raises SlackError."""
    args: Json = dict(request.query)
    if request.content_type == "application/json":
        raw = await request.text()
        try:
            body: Any = json.loads(raw) if raw.strip() else {}
        except ValueError as error:
            raise SlackError("invalid_json") from error
        if not isinstance(body, dict):
            raise SlackError("json_not_object")
        return args | body
    form = await request.post()
    return args | {name: value for name, value in form.items() if isinstance(value, str)}


def _token(request: web.Request, args: Json) -> str:
    header = request.headers.get("Authorization", "")
    given = args.pop("token", None)
    return header.removeprefix("Bearer ").strip() if header.startswith("Bearer ") else str(given or "")


def _authenticate(playground: Playground, method: str, token: str) -> None:
    if method in WITHOUT_TOKEN:
        return
    if not token:
        raise SlackError("not_authed")
    if token not in (playground.bot_token, playground.app_token):
        raise SlackError("invalid_auth")
    wanted = playground.app_token if method in FOR_APP_TOKENS else playground.bot_token
    if token != wanted:
        raise SlackError("not_allowed_token_type")


def _place(playground: Playground, args: Json) -> str:
    """Return the id of the channel in the arguments, which may give a name or a user id."""
    name = str(args.get("channel", ""))
    channel = playground.workspace.find_channel(name)
    return channel.id if channel else name


async def _answer(
    playground: Playground, method: str, token: str, args: Json
) -> tuple[int, Json, dict[str, str]]:
    """Return the status, body and headers that answer a call without a planned failure."""
    try:
        _authenticate(playground, method, token)
        function = METHODS.get(method)
        if function is None:
            raise SlackError("unknown_method", req_method=method)
        scopes.check(playground, method, args)
        wait = playground.limits.wait(method, _place(playground, args))
        if wait:
            return 429, {"ok": False, "error": "ratelimited"}, {"Retry-After": str(wait)}
        scopes_given = {"x-oauth-scopes": ",".join(sorted(playground.workspace.manifest.scopes or ()))}
        return 200, {"ok": True, **await function(Call(playground, args))}, scopes_given
    except SlackError as refusal:
        return 200, refusal.answer(), {}


async def handle(playground: Playground, request: web.Request) -> web.StreamResponse:
    """Answer one call."""
    method = request.match_info["method"]
    try:
        args = await arguments(request)
    except SlackError as refusal:
        return web.json_response(refusal.answer())
    token = _token(request, args)
    fault = playground.faults.take(method, args)
    if fault is None:
        status, body, headers = await _answer(playground, method, token, args)
        playground.record(method, args, status, body, fault=False)
        return web.json_response(body, status=status, headers=headers)
    return await _struck(playground, request, fault, method, token, args)


async def _struck(
    playground: Playground, request: web.Request, fault: Fault, method: str, token: str, args: Json
) -> web.StreamResponse:
    """Answer a call with a planned failure, which comes before or after the method's effect."""
    before = fault.when == "before"
    if before:
        await asyncio.sleep(fault.delay_s)
    status, body, headers = 0, Json(), dict[str, str]()
    if fault.only_late or not before:
        status, body, headers = await _answer(playground, method, token, args)
    if not before:
        await asyncio.sleep(fault.delay_s)
    if not fault.only_late:
        status, body, headers = fault.answer()
    playground.record(method, args, 0 if fault.status == 0 else status, body, fault=True)
    if fault.status == 0 and request.transport is not None:
        request.transport.abort()
    return web.json_response(body, status=status, headers=headers)
