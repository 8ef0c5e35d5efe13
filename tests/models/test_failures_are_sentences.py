"""Each way a provider can fail: what is tried again, and the one sentence people get."""

from __future__ import annotations

import asyncio
import time
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime

import pytest

from supervisor.models import GatewayError, ProviderGateway
from tests.models.conftest import CHAT, ask
from tests.support.providers.openai_server import OpenAIServer, Step, drop, error, garbage, slow, text


async def refusal(gateway: ProviderGateway) -> GatewayError:
    with pytest.raises(GatewayError) as caught:
        await gateway.reply(ask())
    sentence = str(caught.value)
    assert "sk-" not in sentence
    assert "\n" not in sentence
    assert sentence.endswith((".", "?"))
    return caught.value


async def test_429_waits_as_long_as_told(server: OpenAIServer, gateway: ProviderGateway) -> None:
    server.script([error(429, retry_after=1), text("Hi.")])
    started = time.monotonic()
    assert (await gateway.reply(ask())).text == "Hi."
    assert 1 <= time.monotonic() - started < 50
    assert len(server.requests) == 2


async def test_429_may_name_a_date(server: OpenAIServer, gateway: ProviderGateway) -> None:
    soon = format_datetime(datetime.now(UTC) + timedelta(seconds=2), usegmt=True)
    server.script([error(429, retry_after=soon), text("Hi.")])
    started = time.monotonic()
    assert (await gateway.reply(ask())).text == "Hi."
    # An HTTP date has whole seconds.
    assert 0.9 <= time.monotonic() - started < 50


async def test_429_for_good_is_rate_limited(server: OpenAIServer, gateway: ProviderGateway) -> None:
    server.script([error(429, "Slow down, key sk-abcdef0123", retry_after=0)] * 4)
    refused = await refusal(gateway)
    assert (refused.kind, refused.retryable, len(server.requests)) == ("rate_limited", True, 4)
    assert "Slow down" in str(refused)


async def test_used_up_quota_is_not_asked_again(server: OpenAIServer, gateway: ProviderGateway) -> None:
    server.script([error(429, "You exceeded your current quota", code="insufficient_quota")])
    refused = await refusal(gateway)
    assert (refused.kind, refused.retryable, len(server.requests)) == ("refused", False, 1)


@pytest.mark.parametrize("status", [500, 502, 503, 529])
async def test_5xx_is_tried_again_until_attempts_run_out(
    server: OpenAIServer, gateway: ProviderGateway, status: int
) -> None:
    server.script([error(status)] * 4)
    refused = await refusal(gateway)
    assert (refused.kind, refused.retryable, len(server.requests)) == ("unavailable", True, 4)
    assert "4 times" in str(refused)


async def test_a_passing_failure_is_not_seen(server: OpenAIServer, gateway: ProviderGateway) -> None:
    server.script([error(500), drop(), garbage(), text("Hi.")])
    assert (await gateway.reply(ask())).text == "Hi."
    assert len(server.requests) == 4


@pytest.mark.parametrize(
    ("step", "kind", "words"),
    [
        (error(401, "Incorrect API key provided: sk-test-0123456789"), "refused", "`OPENAI_API_KEY`"),
        (error(403, "Not for you"), "refused", "refused the key"),
        (error(404, "No such model", code="model_not_found"), "refused", "does not know the model"),
        (error(400, "tools[0] is wrong"), "refused", "tools[0] is wrong"),
        (error(422, "x" * 1000), "refused", "xxx…"),
        (error(400, "Too long", code="context_length_exceeded"), "context_overflow", "compact"),
        (error(400, "This model's maximum context length is 8192 tokens"), "context_overflow", "compact"),
        (error(400, "prompt is too long: 210000 tokens"), "context_overflow", "compact"),
    ],
)
async def test_4xx_is_final(
    server: OpenAIServer, gateway: ProviderGateway, step: Step, kind: str, words: str
) -> None:
    server.script([step])
    refused = await refusal(gateway)
    assert (refused.kind, refused.retryable, len(server.requests)) == (kind, False, 1)
    assert words in str(refused)
    assert len(str(refused)) < 320


async def test_silence_times_out(server: OpenAIServer) -> None:
    gateway = ProviderGateway(
        CHAT, attempts=2, timeout=timedelta(seconds=2), first_delay=timedelta(milliseconds=1)
    )
    server.script([slow(30)] * 2)
    refused = await refusal(gateway)
    assert (refused.kind, refused.retryable, len(server.requests)) == ("timed_out", True, 2)
    await gateway.close()


async def test_dropped_connections_are_unavailable(server: OpenAIServer, gateway: ProviderGateway) -> None:
    server.script([drop()] * 4)
    refused = await refusal(gateway)
    assert (refused.kind, len(server.requests)) == ("unavailable", 4)


async def test_nobody_listening_is_unavailable(
    gateway: ProviderGateway, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("OPENAI_BASE_URL", "http://127.0.0.1:1/v1")
    assert (await refusal(gateway)).kind == "unavailable"


async def test_a_filtered_answer_is_refused(server: OpenAIServer) -> None:
    gateway = ProviderGateway(CHAT)
    server.script([text("", finish="content_filter")])
    refused = await refusal(gateway)
    assert (refused.kind, refused.retryable) == ("refused", False)
    await gateway.close()


async def test_cancelling_closes_the_request(server: OpenAIServer, gateway: ProviderGateway) -> None:
    server.script([text("Warm."), slow(30)])
    await gateway.reply(ask())
    reply = asyncio.create_task(gateway.reply(ask()))
    await until(lambda: len(server.requests) == 2)
    reply.cancel()
    with pytest.raises(asyncio.CancelledError):
        await reply
    await until(lambda: server.abandoned == 1)
    assert len(server.requests) == 2


async def until(condition: object) -> None:
    assert callable(condition)
    async with asyncio.timeout(60):
        while not condition():
            await asyncio.sleep(0.005)


@pytest.mark.parametrize(
    ("model", "words"),
    [
        ("anthropic:claude-sonnet-4-6", "`ANTHROPIC_API_KEY`"),
        ("google:gemini-3-pro", "`GOOGLE_API_KEY`"),
        ("openai:gpt-5", "`OPENAI_API_KEY`"),
        ("ollama:llama4", "`OLLAMA_BASE_URL`"),
        ("opnai:gpt-5", "no model `opnai:gpt-5`"),
        ("gpt-5", "no model `gpt-5`"),
        ("", "no model ``"),
        ("bedrock:amazon.nova-pro-v1:0", "`bedrock`"),
    ],
)
async def test_what_is_missing_is_named_before_any_call(
    monkeypatch: pytest.MonkeyPatch, model: str, words: str
) -> None:
    for name in (
        "ANTHROPIC_API_KEY",
        "GEMINI_API_KEY",
        "GOOGLE_API_KEY",
        "OLLAMA_BASE_URL",
        "OPENAI_API_KEY",
        "OPENAI_BASE_URL",
    ):
        monkeypatch.delenv(name, raising=False)
    with pytest.raises(GatewayError) as caught:
        await ProviderGateway(model).check()
    assert (caught.value.kind, caught.value.retryable) == ("misconfigured", False)
    assert words in str(caught.value)


async def test_a_usable_model_passes_the_check(server: OpenAIServer, gateway: ProviderGateway) -> None:
    await gateway.check()
    assert server.requests == []
