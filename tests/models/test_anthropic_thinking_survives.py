"""Signed thinking must come back to Anthropic exactly as it was given, or it refuses the conversation."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from typing import Any

import pytest
from aiohttp import web

from supervisor.core.messages import ModelTurn, ToolTurn, UserTurn
from supervisor.models import GatewayError, ProviderGateway
from tests.models.conftest import ask

Json = dict[str, Any]
THINKING = {"type": "thinking", "thinking": "Disk first.", "signature": "c2lnbmVk"}
CALL = {"type": "tool_use", "id": "toolu_1", "name": "shell", "input": {"command": "df -h"}}
EMPTY: dict[str, Json] = {
    "text": {"text": ""},
    "thinking": {"thinking": "", "signature": ""},
    "tool_use": {"input": {}},
}
# For each kind of block: the deltas that carry it, as (type, key, field of the block).
DELTAS = {
    "text": [("text_delta", "text", "text")],
    "thinking": [("thinking_delta", "thinking", "thinking"), ("signature_delta", "signature", "signature")],
    "tool_use": [("input_json_delta", "partial_json", "input")],
}


class Messages:
    """Anthropic's Messages API, answering each request with the next prepared status and body."""

    def __init__(self) -> None:
        self.received: list[Json] = []
        self.answers: list[tuple[int, Json]] = []

    async def answer(self, request: web.Request) -> web.Response:
        self.received.append(await request.json())
        status, body = self.answers.pop(0)
        if status == 200 and self.received[-1].get("stream"):
            return web.Response(text=events(body), content_type="text/event-stream")
        return web.json_response(body, status=status)


def events(body: Json) -> str:
    """The same message as a stream, which long answers are asked for as."""
    stream: list[Json] = [{"type": "message_start", "message": {**body, "content": [], "stop_reason": None}}]
    for index, block in enumerate(body["content"]):
        empty, deltas = EMPTY[block["type"]], DELTAS[block["type"]]
        stream.append({"type": "content_block_start", "index": index, "content_block": {**block, **empty}})
        for kind, key, field in deltas:
            value = json.dumps(block[field]) if kind == "input_json_delta" else block[field]
            delta = {"type": kind, key: value}
            stream.append({"type": "content_block_delta", "index": index, "delta": delta})
        stream.append({"type": "content_block_stop", "index": index})
    end = {"stop_reason": body["stop_reason"], "stop_sequence": None}
    stream += [{"type": "message_delta", "delta": end, "usage": body["usage"]}, {"type": "message_stop"}]
    return "".join(f"event: {event['type']}\ndata: {json.dumps(event)}\n\n" for event in stream)


def message(*content: Json) -> tuple[int, Json]:
    usage = {"input_tokens": 10, "cache_read_input_tokens": 90, "output_tokens": 5}
    return 200, {
        "id": "msg_1",
        "type": "message",
        "role": "assistant",
        "model": "claude-sonnet-4-6",
        "content": list(content),
        "stop_reason": "end_turn",
        "stop_sequence": None,
        "usage": usage,
    }


@pytest.fixture
async def messages(monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Messages]:
    api, app = Messages(), web.Application()
    app.router.add_post("/v1/messages", api.answer)
    runner = web.AppRunner(app)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    monkeypatch.setenv("ANTHROPIC_BASE_URL", f"http://127.0.0.1:{runner.addresses[0][1]}")
    monkeypatch.setenv("ANTHROPIC_API_KEY", "sk-ant-test")
    yield api
    await runner.cleanup()


async def test_thinking_and_failed_results_go_back(messages: Messages) -> None:
    gateway = ProviderGateway("anthropic:claude-sonnet-4-6")
    messages.answers = [message(THINKING, CALL), message({"type": "text", "text": "Full."})]
    first = await gateway.reply(ask(UserTurn(text="Check")))
    assert (first.text, first.calls[0].call_id) == ("", "toolu_1")
    assert (first.usage.input_tokens, first.usage.cached_tokens) == (100, 90)
    turn = ModelTurn(text=first.text, calls=first.calls, native=first.native)
    failed = ToolTurn(call_id="toolu_1", tool="shell", content="no df", failed=True)
    second = await gateway.reply(ask(UserTurn(text="Check"), turn, failed))
    assert second.text == "Full."
    answered, result = messages.received[1]["messages"][1:]
    assert answered["content"] == [THINKING, CALL]
    assert (result["content"][0]["tool_use_id"], result["content"][0]["is_error"]) == ("toolu_1", True)
    await gateway.close()


@pytest.mark.parametrize(
    ("status", "kind", "reason", "expected"),
    [
        (529, "overloaded_error", "Overloaded", "unavailable"),
        (400, "invalid_request_error", "prompt is too long: 300000 tokens > 200000", "context_overflow"),
        (401, "authentication_error", "invalid x-api-key", "refused"),
        (400, "invalid_request_error", "messages: at least one message is required", "refused"),
    ],
)
async def test_failures_have_the_same_kinds(
    messages: Messages, status: int, kind: str, reason: str, expected: str
) -> None:
    gateway = ProviderGateway("anthropic:claude-sonnet-4-6", attempts=1)
    messages.answers = [(status, {"type": "error", "error": {"type": kind, "message": reason}})]
    with pytest.raises(GatewayError) as caught:
        await gateway.reply(ask())
    assert caught.value.kind == expected
    assert len(messages.received) == 1
    await gateway.close()
