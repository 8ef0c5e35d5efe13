"""Cut, filtered and empty turns are not taken, paused ones go on, odd calls are never sent back as they came."""

from __future__ import annotations

import re
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import replace
from datetime import timedelta

import pytest
from aiohttp import web
from pydantic_ai.messages import ModelMessage, ModelResponse, TextPart
from pydantic_ai.models.function import AgentInfo, FunctionModel

from supervisor.core.errors import GatewayError
from supervisor.core.messages import ModelTurn, ToolTurn, UserTurn
from supervisor.models import ProviderGateway, body_limit
from supervisor.models.client import Connection
from tests.models.conftest import CHAT, RESPONSES, ask
from tests.support.providers.openai_server import OpenAIServer, Step, calls, text
from tests.support.providers.openai_wire import chat_body

PROVIDERS = {
    "OPENAI": "OPENAI_BASE_URL",
    "ANTHROPIC": "ANTHROPIC_BASE_URL",
    "GOOGLE": "GOOGLE_GEMINI_BASE_URL",
}
Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]


@pytest.mark.parametrize("finish", ["length", "content_filter"])
@pytest.mark.parametrize("step", [text("Half a sen"), calls(("shell", {"command": "ls"})), text("")])
async def test_a_turn_that_was_cut_or_filtered_is_not_taken(
    server: OpenAIServer, finish: str, step: Step
) -> None:
    gateway = ProviderGateway(CHAT)
    server.behaviour = lambda _: replace(step, finish=finish)
    with pytest.raises(GatewayError, match=f"stop reason: {finish}") as caught:
        await gateway.reply(ask())
    assert (caught.value.kind, caught.value.retryable) == ("refused", False)
    assert len(server.requests) == 1
    await gateway.close()


@pytest.mark.parametrize(
    "blank", [text(""), text(" \n\t "), text("\u200b\u2060 \n\u3164"), text("", thinking="Hm.")]
)
async def test_an_empty_answer_is_asked_again_and_then_refused(
    server: OpenAIServer, gateway: ProviderGateway, blank: Step
) -> None:
    server.script([blank, blank, text("Done.")])
    assert (await gateway.reply(ask())).text == "Done."
    server.script([blank] * 6)
    with pytest.raises(GatewayError, match="answered with nothing"):
        await gateway.reply(ask())
    assert len(server.requests) == 6


async def test_a_paused_turn_goes_on() -> None:
    asked: list[list[ModelMessage]] = []

    def answer(messages: list[ModelMessage], _: AgentInfo) -> ModelResponse:
        asked.append(list(messages))
        if len(asked) < 3:
            return ModelResponse(parts=[TextPart(f"Part {len(asked)}. ")], state="suspended")
        return ModelResponse(parts=[TextPart("End.")], finish_reason="stop")

    said = await Connection("fake:model", FunctionModel(answer)).ask(ask(), timedelta(seconds=5))
    assert len(asked) == 3
    assert isinstance(asked[1][-1], ModelResponse)
    assert [word in said.text for word in ("Part 1.", "Part 2.", "End.")] == [True] * 3


async def test_odd_names_and_ids_are_never_sent_back(server: OpenAIServer, gateway: ProviderGateway) -> None:
    odd = "shell: rm -rf / \u2603" + "x" * 100
    server.script(
        [calls((odd, {}), ("shell", {}), ("shell", {}), ids=("i" * 300, "a b|c", "\u2603")), text("Done.")]
    )
    first = await gateway.reply(ask())
    assert first.calls[0].tool == odd
    results = [ToolTurn(call_id=call.call_id, tool=call.tool, content="x") for call in first.calls]
    turn = ModelTurn(text=first.text, calls=first.calls, native=first.native)
    await gateway.reply(ask(UserTurn(text="Go"), turn, *results))
    said = server.requests[1].conversation()
    sent = [entry for entry in said if entry.role == "call"]
    assert len({entry.call_id for entry in sent}) == 3
    for entry in sent:
        assert re.fullmatch(r"[A-Za-z0-9_-]{1,64}", entry.name)
    for entry in said:
        assert not entry.call_id or re.fullmatch(r"[A-Za-z0-9_-]{1,64}", entry.call_id)


@asynccontextmanager
async def _served(
    handler: Handler, monkeypatch: pytest.MonkeyPatch, model: str = CHAT
) -> AsyncIterator[ProviderGateway]:
    app = web.Application()
    app.router.add_post("/{path:.*}", handler)
    runner = web.AppRunner(app, shutdown_timeout=0.1)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    address = f"http://127.0.0.1:{runner.addresses[0][1]}"
    for provider, variable in PROVIDERS.items():
        monkeypatch.setenv(variable, f"{address}/v1" if provider == "OPENAI" else address)
        monkeypatch.setenv(f"{provider}_API_KEY", "sk-test-0123456789")
    gateway = ProviderGateway(model, first_delay=timedelta(milliseconds=1))
    try:
        yield gateway
    finally:
        await gateway.close()
        await runner.cleanup()


@pytest.mark.parametrize(
    "odd",
    [
        {"id": 7, "type": "function"},
        {"type": "function"},
        {"id": None, "type": "function"},
        {"id": "a"},
        {"id": {"x": 1}, "type": "function"},
    ],
)
@pytest.mark.parametrize("arguments", [{"command": "ls"}, '{"command": "ls"}'])
async def test_a_call_in_another_shape_is_taken_where_it_is_clear(
    monkeypatch: pytest.MonkeyPatch, odd: dict[str, object], arguments: object
) -> None:
    async def answer(_: web.Request) -> web.Response:
        body = chat_body(calls(("shell", {})), "scripted")
        call = {**odd, "function": {"name": "shell", "arguments": arguments}}
        body["choices"][0]["message"]["tool_calls"] = [call]
        return web.json_response(body)

    async with _served(answer, monkeypatch) as gateway:
        (call,) = (await gateway.reply(ask())).calls
    assert (call.tool, call.arguments) == ("shell", {"command": "ls"})
    assert re.fullmatch(r"[A-Za-z0-9_-]{1,40}", call.call_id)


@pytest.mark.parametrize("told", [True, False])
@pytest.mark.parametrize("model", [CHAT, RESPONSES, "anthropic:claude-sonnet-4-6", "google:gemini-2.5-flash"])
async def test_a_huge_body_is_refused_early(monkeypatch: pytest.MonkeyPatch, model: str, told: bool) -> None:
    sent = 0
    monkeypatch.setattr(body_limit, "LONGEST_BODY", 4 * 1024**2)

    async def huge(request: web.Request) -> web.StreamResponse:
        nonlocal sent
        response = web.StreamResponse(headers={"Content-Type": "application/json"})
        if told:
            response.content_length = 50 * 1024**2
        await response.prepare(request)
        for _ in range(50):
            await response.write(b" " * 1024**2)
            sent += 1
        return response

    async with _served(huge, monkeypatch, model) as gateway:
        with pytest.raises(GatewayError, match="more data than any"):
            await gateway.reply(ask())
    # What lies between the two may hold a few of them.
    assert sent < 25
