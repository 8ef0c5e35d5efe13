"""Every turn reaches the provider in the order and form it accepts."""

from __future__ import annotations

import json

from supervisor.core.messages import ModelTurn, ProposedCall, ToolTurn, UserTurn
from supervisor.models import ProviderGateway
from tests.models.conftest import SHELL, ask
from tests.support.providers.openai_server import OpenAIServer, Said

LIST = ProposedCall(call_id="a", tool="shell", arguments={"command": "ls"})
FREE = ProposedCall(call_id="b", tool="shell", arguments={"command": "df"})
BROKEN = ProposedCall(call_id="c", tool="shell", arguments='{"command": ')


def said(server: OpenAIServer) -> list[Said]:
    return server.requests[-1].conversation()


async def test_results_of_one_turn_go_together(server: OpenAIServer, gateway: ProviderGateway) -> None:
    await gateway.reply(
        ask(
            UserTurn(text="Look around."),
            ModelTurn(text="Looking.", calls=(LIST, FREE)),
            UserTurn(text="Mind the logs."),
            ToolTurn(call_id="b", tool="shell", content="disk full", failed=True),
            ToolTurn(call_id="a", tool="shell", content="notes.md"),
        )
    )
    sent = said(server)
    assert [(entry.role, entry.call_id) for entry in sent] == [
        ("instructions", ""),
        ("user", ""),
        ("model", ""),
        ("call", "a"),
        ("call", "b"),
        ("result", "a"),
        ("result", "b"),
        ("user", ""),
    ]
    assert json.loads(sent[3].text) == {"command": "ls"}
    assert sent[5].text == "notes.md"
    assert json.loads(sent[6].text) == {"error": "disk full"}
    assert sent[7].text == "Mind the logs."


async def test_tools_are_offered_with_their_schema(server: OpenAIServer, gateway: ProviderGateway) -> None:
    await gateway.reply(ask())
    offered = server.requests[0].body["tools"][0]
    function = offered.get("function", offered)
    assert (function["name"], function["description"]) == ("shell", "Run a command.")
    assert function["parameters"]["properties"] == SHELL.schema_["properties"]


async def test_broken_arguments_can_be_sent_again(server: OpenAIServer, gateway: ProviderGateway) -> None:
    result = ToolTurn(call_id="c", tool="shell", content="Not JSON.", failed=True)
    await gateway.reply(ask(UserTurn(text="Go"), ModelTurn(calls=(BROKEN,)), result))
    call = next(entry for entry in said(server) if entry.role == "call")
    assert json.loads(call.text) == {"INVALID_JSON": BROKEN.arguments}


async def test_a_call_without_a_result_gets_one(server: OpenAIServer, gateway: ProviderGateway) -> None:
    await gateway.reply(ask(UserTurn(text="Go"), ModelTurn(calls=(LIST,)), UserTurn(text="Never mind.")))
    assert said(server)[-2:] == [
        Said("result", "No result of this call was recorded.", call_id="a"),
        Said("user", "Never mind."),
    ]


async def test_a_result_without_its_call_is_told_as_text(
    server: OpenAIServer, gateway: ProviderGateway
) -> None:
    await gateway.reply(ask(UserTurn(text="Go"), ToolTurn(call_id="x", tool="shell", content="42")))
    assert [entry.role for entry in said(server)[1:]] == ["user", "user"]
    assert said(server)[-1].text == "Result of `shell`:\n42"


async def test_empty_model_turns_are_left_out(server: OpenAIServer, gateway: ProviderGateway) -> None:
    await gateway.reply(ask(UserTurn(text="Go"), ModelTurn(), UserTurn(text="On")))
    assert [entry.text for entry in said(server)] == ["Be brief.", "Go", "On"]


async def test_the_key_goes_to_the_provider_only(server: OpenAIServer, gateway: ProviderGateway) -> None:
    reply = await gateway.reply(ask())
    assert server.requests[0].headers["Authorization"] == "Bearer sk-test-0123456789"
    assert "sk-test" not in reply.model_dump_json()
