"""Anthropic's Messages API on localhost, scripted answer by answer, both whole and as a stream."""

from __future__ import annotations

import json
from collections import deque
from collections.abc import AsyncIterator, Iterable
from contextlib import asynccontextmanager
from typing import Any

from aiohttp import web

Json = dict[str, Any]
EMPTY: dict[str, Json] = {
    "text": {"text": ""},
    "thinking": {"thinking": "", "signature": ""},
    "tool_use": {"input": {}},
    "server_tool_use": {"input": {}},
    "web_search_tool_result": {},
}
# For each kind of block: the deltas that carry it, as (type, key, field of the block).
DELTAS = {
    "text": [("text_delta", "text", "text")],
    "thinking": [("thinking_delta", "thinking", "thinking"), ("signature_delta", "signature", "signature")],
    "tool_use": [("input_json_delta", "partial_json", "input")],
    "server_tool_use": [("input_json_delta", "partial_json", "input")],
    "web_search_tool_result": [],
}


class AnthropicServer:
    """The server; `url` goes into ANTHROPIC_BASE_URL. Each request takes the next prepared answer."""

    def __init__(self) -> None:
        self.url = ""
        self.requests: list[Json] = []
        self._answers: deque[tuple[int, Json]] = deque()

    def script(self, answers: Iterable[tuple[int, Json]]) -> None:
        """Answer the coming requests with these, in order."""
        self._answers = deque(answers)

    async def answer(self, request: web.Request) -> web.Response:
        self.requests.append(await request.json())
        status, body = self._answers.popleft()
        body = dict(body)
        cut = body.pop("cut", 0)
        if status == 200 and self.requests[-1].get("stream"):
            return web.Response(text=_events(body, cut), content_type="text/event-stream")
        return web.json_response(body, status=status)


@asynccontextmanager
async def anthropic_server() -> AsyncIterator[AnthropicServer]:
    server, app = AnthropicServer(), web.Application()
    app.router.add_post("/v1/messages", server.answer)
    runner = web.AppRunner(app, shutdown_timeout=0.1)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    server.url = f"http://127.0.0.1:{runner.addresses[0][1]}"
    try:
        yield server
    finally:
        await runner.cleanup()


def message(
    *content: Json, stop: str = "end_turn", sequence: str | None = None, cut: int = 0
) -> tuple[int, Json]:
    """An answer with these blocks, which ended for the reason `stop`; `cut` is how many events of it are lost."""
    usage = {"input_tokens": 10, "cache_read_input_tokens": 90, "output_tokens": 5}
    return 200, {
        "id": "msg_1",
        "type": "message",
        "role": "assistant",
        "model": "claude-sonnet-4-6",
        "content": list(content),
        "stop_reason": stop,
        "stop_sequence": sequence,
        "usage": usage,
        "cut": cut,
    }


def text(words: str) -> Json:
    return {"type": "text", "text": words}


def _events(body: Json, cut: int) -> str:
    """The same message as a stream, which long answers are asked for as; without its last `cut` events."""
    stream: list[Json] = [{"type": "message_start", "message": {**body, "content": [], "stop_reason": None}}]
    for index, block in enumerate(body["content"]):
        empty, deltas = EMPTY[block["type"]], DELTAS[block["type"]]
        stream.append({"type": "content_block_start", "index": index, "content_block": {**block, **empty}})
        for kind, key, field in deltas:
            value = json.dumps(block[field]) if kind == "input_json_delta" else block[field]
            delta = {"type": kind, key: value}
            stream.append({"type": "content_block_delta", "index": index, "delta": delta})
        stream.append({"type": "content_block_stop", "index": index})
    end = {"stop_reason": body["stop_reason"], "stop_sequence": body["stop_sequence"]}
    stream += [{"type": "message_delta", "delta": end, "usage": body["usage"]}, {"type": "message_stop"}]
    stream = stream[: len(stream) - cut]
    return "".join(f"event: {event['type']}\ndata: {json.dumps(event)}\n\n" for event in stream)
