"""What a provider says arrives as a reply: text, calls, ids, usage and price."""

from __future__ import annotations

from decimal import Decimal

from supervisor.core.messages import ModelTurn, ProposedCall, ToolTurn, Usage, UserTurn
from supervisor.models import ProviderGateway
from tests.models.conftest import CHAT, RESPONSES, ask
from tests.support.providers.openai_server import OpenAIServer, calls, text


async def test_text_usage_and_cost(server: OpenAIServer, gateway: ProviderGateway) -> None:
    server.script([text("Hi there.", input_tokens=1000, output_tokens=200)])
    reply = await gateway.reply(ask())
    assert (reply.text, reply.calls, reply.native) == ("Hi there.", (), None)
    assert reply.usage == Usage(input_tokens=1000, output_tokens=200)
    # gpt-4o-mini: 0.15 USD for a million tokens in, 0.60 out.
    assert reply.cost_usd == Decimal("0.00027")
    assert reply.model == gateway.description
    assert reply.duration_ms >= 0


async def test_no_known_price_is_no_cost(server: OpenAIServer, gateway: ProviderGateway) -> None:
    provider = gateway.description.partition(":")[0]
    server.script([text("Hi.")])
    reply = await gateway.reply(ask(model=f"{provider}:home-grown-7b"))
    assert reply.cost_usd is None
    assert reply.model == f"{provider}:home-grown-7b"
    assert server.requests[0].body["model"] == "home-grown-7b"


async def test_parallel_calls_keep_their_ids(server: OpenAIServer, gateway: ProviderGateway) -> None:
    server.script(
        [
            calls(
                ("shell", {"command": "ls"}), ("shell", {"command": "df -h"}), ids=("a", "b"), text="Looking."
            )
        ]
    )
    reply = await gateway.reply(ask())
    assert reply.text == "Looking."
    assert reply.calls == (
        ProposedCall(call_id="a", tool="shell", arguments={"command": "ls"}),
        ProposedCall(call_id="b", tool="shell", arguments={"command": "df -h"}),
    )
    assert reply.native is None


async def test_ids_used_before_are_made_unique(server: OpenAIServer, gateway: ProviderGateway) -> None:
    before = ModelTurn(calls=(ProposedCall(call_id="0", tool="shell", arguments={"command": "ls"}),))
    server.script([calls(("shell", {}), ("shell", {}), ids=("0", "0"))])
    reply = await gateway.reply(
        ask(UserTurn(text="Go"), before, ToolTurn(call_id="0", tool="shell", content="x"))
    )
    assert [call.call_id for call in reply.calls] == ["0_2", "0_3"]


async def test_missing_ids_are_made_up(server: OpenAIServer, gateway: ProviderGateway) -> None:
    server.script([calls(("shell", {}), ("shell", {}), ids=("", ""))])
    reply = await gateway.reply(ask())
    first, second = (call.call_id for call in reply.calls)
    assert first
    assert second
    assert first != second


async def test_arguments_that_are_no_object_stay_text(server: OpenAIServer, gateway: ProviderGateway) -> None:
    broken = ['{"command": ', "[1, 2]", '{"limit": NaN}', "", '{"command": "ls"}']
    server.script([calls(*(("shell", arguments) for arguments in broken))])
    reply = await gateway.reply(ask())
    assert [call.arguments for call in reply.calls] == [*broken[:3], {}, {"command": "ls"}]


async def test_unknown_tools_are_passed_on(server: OpenAIServer, gateway: ProviderGateway) -> None:
    server.script([calls(("launch_missiles", {"at": "dawn"}))])
    reply = await gateway.reply(ask())
    assert reply.calls[0].tool == "launch_missiles"


async def test_thinking_is_kept_native_but_not_shown(server: OpenAIServer, gateway: ProviderGateway) -> None:
    model = gateway.description.replace("gpt-4o-mini", "gpt-5-mini")
    server.script([calls(("shell", {"command": "ls"}), ids=("a",), thinking="Let me look."), text("Done.")])
    first = await gateway.reply(ask(UserTurn(text="Go"), model=model))
    assert first.text == ""
    assert first.native is not None
    turn = ModelTurn(text=first.text, calls=first.calls, native=first.native)
    result = ToolTurn(call_id="a", tool="shell", content="x")
    await gateway.reply(ask(UserTurn(text="Go"), turn, result, model=model))
    sent = server.requests[1].body
    if gateway.description == RESPONSES:
        reasoning = [item for item in sent["input"] if item.get("type") == "reasoning"]
        assert [item["encrypted_content"] for item in reasoning] == ["sealed"]
    else:
        assert sent["messages"][2]["reasoning_content"] == "Let me look."


async def test_an_unreadable_native_message_falls_back(
    server: OpenAIServer, gateway: ProviderGateway
) -> None:
    turn = ModelTurn(text="I said this.", native='[{"kind": "from the future"}]')
    await gateway.reply(ask(UserTurn(text="Go"), turn, UserTurn(text="And?")))
    said = [(entry.role, entry.text) for entry in server.requests[0].conversation()]
    assert said == [
        ("instructions", "Be brief."),
        ("user", "Go"),
        ("model", "I said this."),
        ("user", "And?"),
    ]


async def test_each_model_is_opened_once(server: OpenAIServer, gateway: ProviderGateway) -> None:
    for model in (None, CHAT, RESPONSES, None):
        await gateway.reply(ask(model=model))
    paths = [request.path for request in server.requests]
    assert paths[1:3] == ["/v1/chat/completions", "/v1/responses"]
    assert paths[0] == paths[3]
