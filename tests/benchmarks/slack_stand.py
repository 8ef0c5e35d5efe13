"""A stand-in for Slack and for a provider of models: it answers at once, keeps nothing, and acts as one person.

It checks nothing that it is sent, unlike the playground, so that next to all of the time measured is the bot's.
"""

from __future__ import annotations

import asyncio
import itertools
import json
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any, Self
from urllib.parse import urlencode

import aiohttp
from aiohttp import web
from slack_sdk.signature import SignatureVerifier

from tests.benchmarks.stand import COMMAND, WHY
from tests.support.slack import ADA, SIGNING_SECRET

TEAM = "T0TEAM001"
APPROVE = "call_approve"
Json = dict[str, Any]
PERSON = {"id": ADA, "team_id": TEAM, "name": "ada", "real_name": "Ada", "profile": {"display_name": "ada"}}
PROPOSAL = {"name": "restart", "arguments": json.dumps({"command": COMMAND, "why": WHY})}


class Stand:
    """`post_to` is the address at which the bot takes what Slack sends. `ends` counts the sessions that ended."""

    def __init__(self, post_to: str) -> None:
        self._post_to = post_to
        self._ids = itertools.count(1)
        self._verifier = SignatureVerifier(SIGNING_SECRET)
        self._asked: dict[str, asyncio.Future[Json]] = {}
        self._ended: dict[str, asyncio.Future[None]] = {}
        self._http: aiohttp.ClientSession | None = None
        self.acks: list[float] = []
        self.calls: dict[str, int] = {}

    async def __aenter__(self) -> Self:
        self._http = aiohttp.ClientSession(connector=aiohttp.TCPConnector(limit=0))
        return self

    async def __aexit__(self, *_: object) -> None:
        assert self._http
        await self._http.close()

    @asynccontextmanager
    async def listen(self) -> AsyncIterator[str]:
        """Yield the address at which it listens."""
        served = web.Application(client_max_size=4 * 2**20)
        served.router.add_route("*", "/api/{method}", self._api)
        served.router.add_post("/v1/chat/completions", self._model)
        served.router.add_post("/response", _nothing)
        runner = web.AppRunner(served, access_log=None)
        await runner.setup()
        await web.TCPSite(runner, "127.0.0.1", 0).start()
        self._url = f"http://127.0.0.1:{runner.addresses[0][1]}"
        try:
            yield self._url
        finally:
            await runner.cleanup()

    async def cycle(self, channel: str, words: str) -> float:
        """Launch a session, approve what it asks and wait for its end; returns the seconds from the click to that."""
        loop = asyncio.get_running_loop()
        self._asked[channel], self._ended[channel] = loop.create_future(), loop.create_future()
        form = {"command": "/agent", "text": words, "user_id": ADA, "user_name": "ada", "channel_id": channel}
        form |= {
            "channel_name": channel.lower(),
            "team_id": TEAM,
            "team_domain": "bench",
            "trigger_id": self._trigger(),
        }
        await self._send(urlencode(form | {"response_url": f"{self._url}/response", "api_app_id": "A0"}))
        message = await self._asked[channel]
        begun = time.perf_counter()
        await self._send(urlencode({"payload": json.dumps(self._click(channel, message))}))
        self.acks.append(time.perf_counter() - begun)
        await self._ended[channel]
        return time.perf_counter() - begun

    def _trigger(self) -> str:
        return f"{next(self._ids)}.2.3"

    def _click(self, channel: str, message: Json) -> Json:
        block, element = next(_buttons(message["blocks"]))
        action = {k: element[k] for k in ("type", "action_id", "value", "text") if k in element}
        where = {"type": "message", "message_ts": message["ts"], "channel_id": channel, "is_ephemeral": False}
        return {
            "type": "block_actions",
            "team": {"id": TEAM, "domain": "bench"},
            "user": {"id": ADA, "username": "ada", "name": "ada", "team_id": TEAM},
            "api_app_id": "A0",
            "container": {**where, "thread_ts": message.get("thread_ts")},
            "trigger_id": self._trigger(),
            "channel": {"id": channel, "name": channel.lower()},
            "message": message,
            "response_url": f"{self._url}/response",
            "actions": [{**action, "block_id": block["block_id"], "action_ts": message["ts"]}],
        }

    async def _send(self, body: str) -> None:
        assert self._http
        at = str(int(time.time()))
        signature = self._verifier.generate_signature(timestamp=at, body=body)
        headers = {
            "Content-Type": "application/x-www-form-urlencoded",
            "X-Slack-Request-Timestamp": at,
            "X-Slack-Signature": str(signature),
        }
        async with self._http.post(self._post_to, data=body, headers=headers) as answer:
            assert answer.status == 200, await answer.text()
            await answer.read()

    async def _api(self, request: web.Request) -> web.Response:
        method = request.match_info["method"]
        self.calls[method] = self.calls.get(method, 0) + 1
        body = await request.json() if request.content_type == "application/json" else dict(request.query)
        return web.json_response({"ok": True, **self._answer(method, body)})

    def _answer(self, method: str, body: Json) -> Json:
        channel = body.get("channel", "")
        match method:
            case "auth.test":
                return {
                    "team_id": TEAM,
                    "team": "bench",
                    "user_id": "U0BOT",
                    "bot_id": "B0",
                    "url": self._url,
                }
            case "chat.postMessage":
                ts = f"{int(time.time())}.{next(self._ids):06d}"
                message = {"type": "message", "user": "U0BOT", "bot_id": "B0", **body, "ts": ts}
                self._posted(channel, message)
                return {"channel": channel, "ts": ts, "message": message}
            case "chat.update":
                return {"channel": channel, "ts": body["ts"], "text": ""}
            case "users.info":
                return {"user": PERSON}
            case "conversations.info":
                kind = {"is_channel": True, "is_private": False, "is_member": True}
                return {"channel": {"id": channel, "name": channel.lower(), "num_members": 3, **kind}}
            case "conversations.members":
                return {"members": [ADA, "U0BOT"], "response_metadata": {"next_cursor": ""}}
            case "chat.getPermalink":
                return {"permalink": f"{self._url}/archives/{channel}"}
        return {}

    def _posted(self, channel: str, message: Json) -> None:
        asked, ended = self._asked.get(channel), self._ended.get(channel)
        if asked and not asked.done():
            if next(_buttons(message.get("blocks", [])), None):
                asked.set_result(message)
        elif ended and not ended.done():
            ended.set_result(None)

    async def _model(self, request: web.Request) -> web.Response:
        body = await request.json()
        over = body["messages"][-1]["role"] == "tool"
        message: Json = {"role": "assistant", "content": "The shop is up again." if over else "I restart it."}
        if not over:
            message["tool_calls"] = [{"id": "call_1", "type": "function", "function": PROPOSAL}]
        choice = {"index": 0, "message": message, "finish_reason": "stop" if over else "tool_calls"}
        usage = {"prompt_tokens": 2100, "completion_tokens": 140, "total_tokens": 2240}
        return web.json_response(
            {
                "id": "chatcmpl-1",
                "object": "chat.completion",
                "created": int(time.time()),
                "model": "gpt-5-mini",
                "choices": [choice],
                "usage": usage,
            }
        )


async def _nothing(_: web.Request) -> web.Response:
    return web.Response()


def _buttons(blocks: list[Json]) -> Any:
    """Yield the blocks with the button that approves, each with that."""
    for block in blocks:
        for element in block.get("elements", []):
            if element.get("action_id", "").startswith(APPROVE):
                yield block, element
