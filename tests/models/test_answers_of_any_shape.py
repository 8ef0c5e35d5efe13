"""Answers as local servers and proxies give them: taken, told back to the model or refused, and never a traceback."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from typing import Any

import pytest

from supervisor.core.errors import GatewayError
from supervisor.core.messages import ModelTurn, ToolTurn, UserTurn
from supervisor.models import ProviderGateway
from tests.models.conftest import ask
from tests.support.providers.openai_server import OpenAIServer, Recorded, Step, calls, raw, text
from tests.support.providers.openai_wire import Json, chat_body, responses_body

GOOD = '{"command": "ls"}'
# What both APIs take back.
NAME = re.compile(r"[A-Za-z0-9_-]{1,64}")
LEFT_OUT = object()


def call(**odd: Any) -> Json:
    """A call with `id`, `name` and `arguments` as they are given; LEFT_OUT for none."""
    given = {"id": "c1", "name": "shell", "arguments": GOOD, **odd}
    return {key: value for key, value in given.items() if value is not LEFT_OUT}


# Calls, and what they are taken as: name and arguments of each.
TAKEN: dict[str, tuple[list[Json], list[tuple[str, object]]]] = {
    **{
        f"id {name}": ([call(id=value)], [("shell", {"command": "ls"})])
        for name, value in {
            "missing": LEFT_OUT,
            "null": None,
            "a number": 7,
            "a float": 1.5,
            "a boolean": True,
            "an object": {"x": 1},
            "a list": [1],
            "empty": "",
            "blank": "  ",
            "of 300 characters": "i" * 300,
            "a snowman": "\u2603",
            "half a character": "\ud83d",
            "with a zero": "a\0b",
        }.items()
    },
    **{
        f"two ids {name}": ([call(id=value), call(id=value)], [("shell", {"command": "ls"})] * 2)
        for name, value in {
            "the same": "x",
            "missing": LEFT_OUT,
            "zero": 0,
            "of 300 characters": "i" * 300,
        }.items()
    },
    **{
        f"arguments {name}": ([call(arguments=value)], [("shell", taken)])
        for name, value, taken in [
            ("an object", {"command": "ls"}, {"command": "ls"}),
            ("null", None, {}),
            ("missing", LEFT_OUT, {}),
            ("empty", "", {}),
            ("no JSON", "{nope", "{nope"),
            ("fenced", f"```json\n{GOOD}\n```", f"```json\n{GOOD}\n```"),
            ("a list", [1], "[1]"),
            ("a number", 5, "5"),
            ("a boolean", True, "true"),
            ("a list as text", "[1]", "[1]"),
            ("a text as text", '"x"', '"x"'),
            ("null as text", "null", "null"),
            ("not a number", '{"command": NaN}', '{"command": NaN}'),
            ("infinite", '{"command": 1e999}', '{"command": 1e999}'),
            ("with half a character", '{"command": "\\ud83d"}', '{"command": "\\ud83d"}'),
            ("twice the same key", '{"command": "a", "command": "b"}', {"command": "b"}),
            ("very deep", '{"a":' * 500 + "1" + "}" * 500, '{"a":' * 500 + "1" + "}" * 500),
        ]
    },
    **{
        f"name {name}": ([call(name=value)], [(taken, {"command": "ls"})])
        for name, value, taken in [
            ("blank", "", ""),
            ("of spaces", "   ", "   "),
            ("of 200 characters", "n" * 200, "n" * 200),
            ("in other letters", "шелл\u2603", "шелл\u2603"),
            ("with dots", "functions.shell", "functions.shell"),
            ("with a line break", "sh\nell", "sh\nell"),
            ("null", None, ""),
            ("missing", LEFT_OUT, ""),
            ("a number", 5, "5"),
            ("an object", {"x": 1}, ""),
        ]
    },
}


def answer(proposed: list[Json]) -> Callable[[Recorded], Step]:
    """Proposes these calls, and ends when it is told their results."""

    def behave(request: Recorded) -> Step:
        if any(said.role == "result" for said in request.conversation()):
            return text("Done.")
        if request.path.endswith("/chat/completions"):
            body = chat_body(calls(("shell", {})), "scripted")
            body["choices"][0]["message"]["tool_calls"] = [_nested(one) for one in proposed]
        else:
            body = responses_body(text(""), "scripted")
            body["output"] = [_flat(one) for one in proposed]
        return raw(body)

    return behave


def _nested(one: Json) -> Json:
    function = {key: value for key, value in one.items() if key != "id"}
    return {"type": "function", "function": function} | ({"id": one["id"]} if "id" in one else {})


def _flat(one: Json) -> Json:
    item = {"call_id" if key == "id" else key: value for key, value in one.items()}
    return {"type": "function_call", "id": "fc_1", "status": "completed", **item}


@pytest.mark.parametrize("name", TAKEN)
async def test_a_call_of_any_shape_is_taken_and_sent_back_as_the_api_wants_it(
    server: OpenAIServer, gateway: ProviderGateway, name: str
) -> None:
    proposed, taken = TAKEN[name]
    server.behaviour = answer(proposed)
    first = await gateway.reply(ask())
    assert [(one.tool, one.arguments) for one in first.calls] == taken
    assert len({one.call_id for one in first.calls}) == len(taken)
    results = [ToolTurn(call_id=one.call_id, tool=one.tool, content="x") for one in first.calls]
    turn = ModelTurn(text=first.text, calls=first.calls, native=first.native)
    assert (await gateway.reply(ask(UserTurn(text="Go"), turn, *results))).text == "Done."
    assert len(server.requests) == 2
    said = server.requests[1].conversation()
    sent = [entry for entry in said if entry.role == "call"]
    assert [entry.call_id for entry in sent] == [entry.call_id for entry in said if entry.role == "result"]
    for entry in sent:
        assert NAME.fullmatch(entry.name)
        assert NAME.fullmatch(entry.call_id)
        assert isinstance(json.loads(entry.text), dict)


CHAT_ONLY: dict[str, tuple[Json, tuple[str, object]]] = {
    "flat": ({"id": "a", "name": "shell", "arguments": GOOD}, ("shell", {"command": "ls"})),
    "custom": ({"id": "a", "type": "custom", "custom": {"name": "shell", "input": "ls"}}, ("shell", "ls")),
    "without a type": (
        {"id": "a", "function": {"name": "shell", "arguments": GOOD}},
        ("shell", {"command": "ls"}),
    ),
}


@pytest.mark.parametrize("name", CHAT_ONLY)
async def test_a_call_that_is_built_otherwise_is_taken_where_it_is_clear(
    server: OpenAIServer, name: str
) -> None:
    odd, taken = CHAT_ONLY[name]
    body = chat_body(calls(("shell", {})), "scripted")
    body["choices"][0]["message"]["tool_calls"] = [odd]
    server.script([raw(body)])
    gateway = ProviderGateway("openai-chat:gpt-4o-mini")
    (one,) = (await gateway.reply(ask())).calls
    assert (one.tool, one.arguments) == taken
    await gateway.close()


NO_ANSWER = {
    "nothing": "",
    "a page": "<html>Bad gateway</html>",
    "null": "null",
    "a list": "[]",
    "a text": '"x"',
    "a number": "5",
    "cut off": '{"choices": [{',
    "not a number": '{"choices": NaN}',
    "too deep": "[" * 100_000,
    "no choice": {"choices": [], "output": None},
    "choices that are none": {"choices": {"a": 1}, "output": 5, "usage": "x"},
    "calls that are none": {
        "choices": [{"index": 0, "message": {"role": "assistant", "tool_calls": [None, "shell", []]}}],
        "output": [{"type": "teapot"}],
    },
}


@pytest.mark.parametrize("name", NO_ANSWER)
async def test_what_is_no_answer_is_tried_again_and_then_said_in_a_sentence(
    server: OpenAIServer, gateway: ProviderGateway, name: str
) -> None:
    server.behaviour = lambda _: raw(NO_ANSWER[name])
    with pytest.raises(GatewayError, match="that is not a model's reply") as caught:
        await gateway.reply(ask())
    assert (caught.value.kind, caught.value.retryable) == ("unavailable", True)
    assert len(server.requests) == 4
    server.requests.clear()
    server.behaviour = lambda _: raw(NO_ANSWER[name]) if len(server.requests) < 2 else text("Here.")
    assert (await gateway.reply(ask())).text == "Here."
