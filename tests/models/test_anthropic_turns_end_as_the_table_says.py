"""Anthropic's stop reasons through its own client: what is taken, what goes on, what is refused and in which words."""

from __future__ import annotations

import re
from collections.abc import AsyncIterator
from datetime import timedelta

import pytest

from supervisor.core.errors import GatewayError
from supervisor.core.messages import ModelTurn, ToolTurn, UserTurn
from supervisor.models import ProviderGateway
from tests.models.conftest import ask
from tests.support.providers.anthropic_server import AnthropicServer, message, text

CALL = {"type": "tool_use", "id": "toolu_1", "name": "shell", "input": {"command": "df -h"}}
THINKING = {"type": "thinking", "thinking": "Disk first.", "signature": "c2lnbmVk"}


@pytest.fixture
async def gateway(anthropic: AnthropicServer) -> AsyncIterator[ProviderGateway]:
    gateway = ProviderGateway("anthropic:claude-sonnet-4-6", first_delay=timedelta(milliseconds=1))
    yield gateway
    await gateway.close()


@pytest.mark.parametrize(
    ("stop", "kind", "words"),
    [
        ("max_tokens", "refused", "was cut off at its output limit"),
        ("model_context_window_exceeded", "context_overflow", "no room left for its answer; compact"),
        ("refusal", "refused", "declined to answer"),
    ],
)
@pytest.mark.parametrize("content", [(), (text("Half a sen"),), (text("I run it."), CALL)])
async def test_a_turn_that_did_not_end_by_itself_is_refused(
    anthropic: AnthropicServer,
    gateway: ProviderGateway,
    stop: str,
    kind: str,
    words: str,
    content: tuple[object, ...],
) -> None:
    anthropic.script([message(*content, stop=stop)])  # type: ignore[arg-type]
    with pytest.raises(GatewayError, match=words) as caught:
        await gateway.reply(ask())
    assert (caught.value.kind, caught.value.retryable) == (kind, False)
    assert f"(stop reason: {stop})" in str(caught.value)
    assert len(anthropic.requests) == 1


@pytest.mark.parametrize(
    ("stop", "content"),
    [
        ("end_turn", (text("Done."),)),
        ("stop_sequence", (text("Done."),)),
        ("tool_use", (text("Done."), CALL)),
    ],
)
async def test_a_turn_that_ended_is_taken_and_names_why(
    anthropic: AnthropicServer, gateway: ProviderGateway, stop: str, content: tuple[object, ...]
) -> None:
    sequence = "END" if stop == "stop_sequence" else None
    anthropic.script([message(*content, stop=stop, sequence=sequence)])  # type: ignore[arg-type]
    reply = await gateway.reply(ask())
    assert (reply.text, len(reply.calls), reply.stop_reason) == ("Done.", len(content) - 1, stop)


async def test_a_paused_turn_goes_on_where_it_stopped(
    anthropic: AnthropicServer, gateway: ProviderGateway
) -> None:
    anthropic.script(
        [
            message(THINKING, text("I look. "), stop="pause_turn"),
            message(text("Nothing yet. "), stop="pause_turn"),
            message(text("Now here."), CALL, stop="tool_use"),
            message(text("Full.")),
        ]
    )
    reply = await gateway.reply(ask(UserTurn(text="Check")))
    assert (reply.stop_reason, [call.call_id for call in reply.calls]) == ("tool_use", ["toolu_1"])
    assert all(words in reply.text for words in ("I look.", "Nothing yet.", "Now here."))
    assert reply.usage.output_tokens == 15
    first, second, third = (request["messages"] for request in anthropic.requests)
    assert [turn["role"] for turn in first] == ["user"]
    assert second[-1] == {"role": "assistant", "content": [THINKING, text("I look. ")]}
    assert third[-1]["role"] == "assistant"
    assert [block["type"] for block in third[-1]["content"]] == ["thinking", "text", "text"]
    # The whole turn is one turn of the conversation from then on.
    turn = ModelTurn(text=reply.text, calls=reply.calls, native=reply.native)
    result = ToolTurn(call_id="toolu_1", tool="shell", content="90%")
    await gateway.reply(ask(UserTurn(text="Check"), turn, result))
    later = anthropic.requests[-1]["messages"]
    assert [said["role"] for said in later] == ["user", "assistant", "user"]
    assert later[1]["content"][-1]["id"] == "toolu_1"


async def test_a_turn_that_pauses_for_ever_is_given_up(
    anthropic: AnthropicServer, gateway: ProviderGateway
) -> None:
    anthropic.script([message(text("Hm. "), stop="pause_turn")] * 40)
    with pytest.raises(GatewayError, match=r"kept pausing its turn \(stop reason: pause_turn\)"):
        await gateway.reply(ask())
    assert len(anthropic.requests) == 11


async def test_a_paused_turn_that_is_cut_off_in_the_end_is_refused(
    anthropic: AnthropicServer, gateway: ProviderGateway
) -> None:
    anthropic.script([message(text("One. "), stop="pause_turn"), message(text("Tw"), stop="max_tokens")])
    with pytest.raises(GatewayError, match="stop reason: max_tokens"):
        await gateway.reply(ask())


@pytest.mark.parametrize("content", [(text("Half a sen"),), (text("I look."), CALL)])
@pytest.mark.parametrize("cut", [2, 3])
async def test_an_answer_that_the_connection_cuts_is_asked_for_again(
    anthropic: AnthropicServer, gateway: ProviderGateway, content: tuple[object, ...], cut: int
) -> None:
    anthropic.script([message(*content, cut=cut), message(text("Whole."))])  # type: ignore[arg-type]
    reply = await gateway.reply(ask())
    assert (reply.text, reply.calls) == ("Whole.", ())
    anthropic.script([message(*content, cut=cut)] * 4)  # type: ignore[arg-type]
    with pytest.raises(GatewayError, match="broke in the middle of an answer") as caught:
        await gateway.reply(ask())
    assert (caught.value.kind, caught.value.retryable) == ("unavailable", True)


@pytest.mark.parametrize("odd", [text(None), text(5)])  # type: ignore[arg-type]
async def test_a_text_that_is_none_is_said_in_a_sentence(
    anthropic: AnthropicServer, gateway: ProviderGateway, odd: dict[str, object]
) -> None:
    anthropic.script([message(odd)] * 4)
    with pytest.raises(GatewayError, match="that is not a model's reply"):
        await gateway.reply(ask())


@pytest.mark.parametrize("model", ["claude-sonnet-4-6", "claude-3-haiku-20240307"])
@pytest.mark.parametrize(
    ("field", "value"),
    [
        *(("id", value) for value in (None, 7, "", "i" * 300, "\u2603", "a.b", [1])),
        *(("name", value) for value in (7, "", "i" * 300, "\u2603", "a.b")),
        *(("input", value) for value in (None, 7, "", "{nope", [1])),
    ],
    ids=str,
)
async def test_odd_calls_are_never_sent_back(
    anthropic: AnthropicServer, model: str, field: str, value: object
) -> None:
    anthropic.script([message({**CALL, field: value}, CALL, stop="tool_use"), message(text("Done."))])
    gateway = ProviderGateway(f"anthropic:{model}")
    first = await gateway.reply(ask())
    assert len({call.call_id for call in first.calls}) == 2
    turn = ModelTurn(text=first.text, calls=first.calls, native=first.native)
    results = [ToolTurn(call_id=call.call_id, tool=call.tool, content="x") for call in first.calls]
    assert (await gateway.reply(ask(UserTurn(text="Go"), turn, *results))).text == "Done."
    for block in anthropic.requests[-1]["messages"][1]["content"]:
        assert re.fullmatch("[A-Za-z0-9_-]{1,64}", block["id"])
        assert re.fullmatch("[A-Za-z0-9_-]{1,64}", block["name"])
        assert isinstance(block["input"], dict)
    await gateway.close()
