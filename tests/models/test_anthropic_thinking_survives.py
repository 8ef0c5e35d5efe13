"""Signed thinking must come back to Anthropic exactly as it was given, or it refuses the conversation."""

from __future__ import annotations

import pytest

from supervisor.core.messages import ModelTurn, ToolTurn, UserTurn
from supervisor.models import GatewayError, ProviderGateway
from tests.models.conftest import ask
from tests.support.providers.anthropic_server import AnthropicServer, message, text

THINKING = {"type": "thinking", "thinking": "Disk first.", "signature": "c2lnbmVk"}
CALL = {"type": "tool_use", "id": "toolu_1", "name": "shell", "input": {"command": "df -h"}}


async def test_thinking_and_failed_results_go_back(anthropic: AnthropicServer) -> None:
    gateway = ProviderGateway("anthropic:claude-sonnet-4-6")
    anthropic.script([message(THINKING, CALL), message(text("Full."))])
    first = await gateway.reply(ask(UserTurn(text="Check")))
    assert (first.text, first.calls[0].call_id) == ("", "toolu_1")
    assert (first.usage.input_tokens, first.usage.cached_tokens) == (100, 90)
    turn = ModelTurn(text=first.text, calls=first.calls, native=first.native)
    failed = ToolTurn(call_id="toolu_1", tool="shell", content="no df", failed=True)
    second = await gateway.reply(ask(UserTurn(text="Check"), turn, failed))
    assert second.text == "Full."
    answered, result = anthropic.requests[1]["messages"][1:]
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
    anthropic: AnthropicServer, status: int, kind: str, reason: str, expected: str
) -> None:
    gateway = ProviderGateway("anthropic:claude-sonnet-4-6", attempts=1)
    anthropic.script([(status, {"type": "error", "error": {"type": kind, "message": reason}})])
    with pytest.raises(GatewayError) as caught:
        await gateway.reply(ask())
    assert caught.value.kind == expected
    assert len(anthropic.requests) == 1
    await gateway.close()
