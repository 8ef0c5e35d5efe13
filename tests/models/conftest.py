"""A scripted provider on localhost, and the real gateway pointed at it."""

from __future__ import annotations

from collections.abc import AsyncIterator
from datetime import timedelta

import pytest

from supervisor.core.messages import ModelRequest, ToolSpec, Turn, UserTurn
from supervisor.models import ProviderGateway
from tests.support.providers.anthropic_server import AnthropicServer, anthropic_server
from tests.support.providers.openai_server import OpenAIServer

CHAT, RESPONSES = "openai-chat:gpt-4o-mini", "openai:gpt-4o-mini"

SHELL = ToolSpec(
    name="shell",
    description="Run a command.",
    schema_={"type": "object", "properties": {"command": {"type": "string"}}, "required": ["command"]},
)


def ask(*turns: Turn, model: str | None = None, tools: tuple[ToolSpec, ...] = (SHELL,)) -> ModelRequest:
    """A request with these turns; a bare greeting when there are none."""
    return ModelRequest(
        session_id="s-1",
        model=model,
        instructions="Be brief.",
        turns=turns or (UserTurn(text="Hello"),),
        tools=tools,
    )


@pytest.fixture
async def server(monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[OpenAIServer]:
    async with OpenAIServer() as server:
        monkeypatch.setenv("OPENAI_BASE_URL", server.url)
        monkeypatch.setenv("OPENAI_API_KEY", "sk-test-0123456789")
        yield server


@pytest.fixture
async def anthropic(monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[AnthropicServer]:
    async with anthropic_server() as server:
        monkeypatch.setenv("ANTHROPIC_BASE_URL", server.url)
        monkeypatch.setenv("ANTHROPIC_API_KEY", "sk-ant-test")
        yield server


@pytest.fixture(params=[CHAT, RESPONSES])
async def gateway(server: OpenAIServer, request: pytest.FixtureRequest) -> AsyncIterator[ProviderGateway]:
    """The same promises hold for Chat Completions and for the Responses API."""
    gateway = ProviderGateway(
        request.param,
        timeout=timedelta(seconds=1),
        first_delay=timedelta(milliseconds=1),
        max_delay=timedelta(milliseconds=5),
    )
    yield gateway
    await gateway.close()
