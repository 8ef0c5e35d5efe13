"""Whatever a model proposes becomes an event that can be stored, with every call named, bound and ruled on."""

from __future__ import annotations

import json
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from supervisor.core.digest import call_digest, canonical_json, digest
from supervisor.core.errors import InvalidInput
from supervisor.core.events import ModelResponded, ToolCall, decode, encode
from supervisor.core.messages import ModelReply, ProposedCall, Usage
from supervisor.core.persona import ApprovalRule, Approvers, Persona
from supervisor.core.prompt import conversation
from supervisor.core.reducer import apply, fold
from supervisor.core.state import Session
from supervisor.core.text.sanitize import DEEPEST, clean
from supervisor.core.tool_calls import MAX_CALLS, record_reply, tools_of
from supervisor.tools.human import ask_human
from tests.core.build import AT, SID, fake_tool, launched

OPS = Approvers(groups=("S-OPS",))
PERSONA = Persona(
    name="p",
    description="d",
    instructions="i",
    tools=("*",),
    approvals=(
        ApprovalRule(tool="shell", when={"command": "rm *"}, mode="deny", reason="Use the bin."),
        ApprovalRule(tool="shell", mode="ask", approvers=OPS, reason="It is a shell"),
    ),
)
TOOLS = {
    t.name: t
    for t in (
        fake_tool("shell", needs="command"),
        fake_tool("look", changes=False, idempotent=True),
        fake_tool("write"),
        ask_human,
    )
}


def reply(*calls: ProposedCall, **fields: Any) -> ModelReply:
    given = {"text": "Well", "usage": Usage(input_tokens=3), "cost_usd": Decimal("0.01"), **fields}
    return ModelReply(**{"model": "test:model", "duration_ms": 7, **given}, calls=calls)


def screened(*calls: ProposedCall, step: int = 1, **fields: Any) -> ModelResponded:
    answer = reply(*calls, **fields)
    event = record_reply(answer, step=step, context_seen=0, persona=PERSONA, tools=TOOLS, at=AT)
    assert decode(SID, 0, encode(event)) == event, "what cannot be stored would stop the session for ever"
    return event


def one(tool: str, arguments: Any, ref: str = "ref") -> ToolCall:
    return screened(ProposedCall(call_id=ref, tool=tool, arguments=arguments)).calls[0]


def after(event: ModelResponded) -> Session:
    return fold(SID, [launched(), event])


# What may run


def test_an_allowed_call() -> None:
    call = one("look", {"b": 1, "a": 2})
    assert (call.call_id, call.ref, call.tool, call.mode) == ("1.1", "ref", "look", "allow")
    assert (call.idempotent, call.control, call.approvers) == (True, False, None)
    assert call.digest == call_digest("look", {"a": 2, "b": 1})


def test_a_call_that_needs_approval_carries_the_policy_in_force() -> None:
    call = one("shell", {"command": "ls"})
    assert (call.mode, call.approvers, call.reason) == ("ask", OPS, "It is a shell")
    assert one("write", {}).mode == "ask"


def test_a_question_is_for_the_control_loop() -> None:
    call = one("ask_human", {"question": "Now?", "options": ["Yes"]})
    assert (call.mode, call.control) == ("allow", True)
    assert (
        after(screened(ProposedCall(call_id="r", tool="ask_human", arguments={"question": "Q"})))
        .call("1.1")
        .phase
        == "open"
    )


# What may not


@pytest.mark.parametrize(
    ("tool", "arguments", "reason"),
    [
        ("shell", {"cmd": "ls"}, "`command`: is missing."),
        ("teleport", {}, "There is no such tool. You have: shell, look, write, ask_human."),
        ("shell", {"command": "rm -rf /"}, "Policy forbids this call. Use the bin."),
        ("look", "{broken", "The arguments of `look` must be one valid JSON object."),
        ("look", "[1]", "The arguments of `look` must be one valid JSON object."),
        ("ask_human", {"question": ""}, "The arguments of `ask_human` do not fit. `question`: "),
        (
            "ask_human",
            {"question": "Q", "options": ["1"] * 9},
            "The arguments of `ask_human` do not fit. `options`: ",
        ),
    ],
)
def test_a_call_that_cannot_run_is_told_why_and_never_starts(tool: str, arguments: Any, reason: str) -> None:
    event = screened(ProposedCall(call_id="ref", tool=tool, arguments=arguments))
    call = event.calls[0]
    assert (call.mode, call.approvers) == ("refuse", None)
    assert call.reason.startswith(reason)
    assert call.arguments == arguments
    session = after(event)
    assert session.call("1.1").phase == "refused"
    result = conversation(session, 0)[-1]
    assert (result.type, result.type == "tool" and result.failed) == ("tool", True)
    assert result.type == "tool"
    assert result.content.startswith(f"Not run: {reason}")


def test_at_most_fifty_calls_in_one_turn_run() -> None:
    event = screened(
        *[ProposedCall(call_id=f"r{n}", tool="look", arguments={}) for n in range(MAX_CALLS + 5)]
    )
    assert [c.mode for c in event.calls] == ["allow"] * MAX_CALLS + ["refuse"] * 5
    assert event.calls[-1].reason == "At most 50 calls in one turn; call it again next turn."
    assert len(conversation(after(event), 0)) == 2 + MAX_CALLS + 5


# What is hostile


@pytest.mark.parametrize(
    "text", ["\ud800", "a\udfffb", "\x00", "\u202e", "😀" * 500, "x" * 5000, "", "`<@U1>`\n"]
)
def test_any_text_anywhere_can_be_stored(text: str) -> None:
    arguments = {text: text, "command": [text, {text: [text]}]}
    calls = [
        ProposedCall(call_id=text, tool=text, arguments=arguments),
        ProposedCall(call_id=text, tool="shell", arguments=text),
        ProposedCall(call_id=text, tool="look", arguments=arguments),
        ProposedCall(call_id=text, tool="ask_human", arguments={"question": text, text: text}),
    ]
    event = screened(*calls, text=text, model=f"m{text}", native=text)
    assert all(len(c.tool) <= 200 for c in event.calls)
    session = after(event)
    assert Session.model_validate_json(session.model_dump_json()) == session
    look = event.calls[2]
    assert look.digest == call_digest(look.tool, look.arguments), "the start would be refused"


def nested(levels: int) -> Any:
    value: Any = 1
    for _ in range(levels):
        value = {"a": value} if levels % 2 else [value]
    return {"a": value}


@pytest.mark.parametrize(
    "arguments",
    [
        nested(150),
        nested(199),
        nested(251),
        nested(50_000),
        {"a": float("nan")},
        {"a": [float("inf")]},
        {"a": -float("inf")},
        {"a": 10**5000},
        {"a": {1, 2}},
        {"a": b"bytes"},
    ],
    ids=["150 deep", "199 deep", "251 deep", "50000 deep", "nan", "inf", "-inf", "huge", "set", "bytes"],
)
@pytest.mark.parametrize("tool", ["look", "shell", "unknown"])
def test_what_no_log_could_give_back_is_refused(tool: str, arguments: Any) -> None:
    proposed = ProposedCall.model_construct(call_id="r", tool=tool, arguments=arguments)
    event = screened(proposed, ProposedCall(call_id="s", tool="look", arguments={"fine": 1}))
    refused, fine = event.calls
    assert (refused.mode, refused.arguments) == ("refuse", "")
    assert refused.reason.startswith("The arguments cannot be kept. ")
    assert fine.mode == "allow"


def test_the_deepest_that_is_taken_can_be_read_back() -> None:
    assert one("look", nested(DEEPEST - 1)).mode == "allow"
    with pytest.raises(InvalidInput, match="nested more than 100 levels"):
        clean(nested(DEEPEST))


def test_clean_keeps_what_is_json_and_makes_lists_of_tuples() -> None:
    value = {"a": (1, 2.5, None, True), "b": {"c": "ü"}, "d": 10**1000}
    assert clean(value) == {"a": [1, 2.5, None, True], "b": {"c": "ü"}, "d": 10**1000}
    assert clean({1: "x"}) == {"1": "x"}


# Names and digests


def test_every_call_has_an_id_of_its_own_whatever_the_provider_calls_it() -> None:
    first = screened(
        *[ProposedCall(call_id="same", tool=t, arguments={}) for t in ("look", "nope", "write", "look")]
    )
    second = screened(ProposedCall(call_id="same", tool="look", arguments={}), step=2)
    assert [c.call_id for c in (*first.calls, *second.calls)] == ["1.1", "1.2", "1.3", "1.4", "2.1"]
    refused = screened(*[ProposedCall(call_id="same", tool="nope", arguments={})] * 3)
    session = apply(SID, fold(SID, [launched(), refused]), second)
    assert session.call("2.1").call.tool == "look"


def test_the_answer_says_which_step_it_is_for_and_keeps_what_it_cost() -> None:
    event = screened(step=4, native='[{"kind":"response"}]', stop_reason="stop_sequence")
    assert (event.step, event.usage, event.cost_usd) == (4, Usage(input_tokens=3), Decimal("0.01"))
    assert (event.by, event.model, event.duration_ms) == ("model:test:model", "test:model", 7)
    assert (event.native, event.stop_reason) == ('[{"kind":"response"}]', "stop_sequence")
    assert b"stop_reason" not in encode(screened(step=4)), "an event without it is stored as before"


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=8,
)


def turned(value: Any) -> Any:
    """The same value with the keys of every object the other way round."""
    if isinstance(value, dict):
        return {key: turned(value[key]) for key in reversed(value)}
    return [turned(item) for item in value] if isinstance(value, list) else value


@settings(max_examples=60, deadline=None, database=None)
@given(value=st.dictionaries(st.text(), JSON, max_size=4))
def test_the_order_of_keys_is_of_no_account(value: dict[str, Any]) -> None:
    assert canonical_json(turned(value)) == canonical_json(value)
    assert call_digest("t", turned(value)) == call_digest("t", value)
    assert json.loads(canonical_json(value)) == value
    assert one("look", turned(value)).digest == one("look", value).digest


@settings(max_examples=60, deadline=None, database=None)
@given(a=JSON, b=JSON)
def test_other_arguments_or_another_tool_have_another_digest(a: Any, b: Any) -> None:
    assert (digest(a) == digest(b)) == (json.dumps(a, sort_keys=True) == json.dumps(b, sort_keys=True))
    assert call_digest("one", a) != call_digest("two", a)


def test_a_digest_tells_apart_what_looks_alike() -> None:
    alike = [1, 1.0, "1", True, [1], {"1": 1}, None, "null", "", "é", "e\u0301"]
    assert len({call_digest("t", {"x": value}) for value in alike}) == len(alike)
    with pytest.raises(ValueError):
        canonical_json(float("nan"))


# Which tools a persona has


def test_a_persona_has_the_tools_its_globs_name() -> None:
    given = PERSONA.model_copy(update={"tools": ("sh*", "ask_?????")})
    assert list(tools_of(given, TOOLS)) == ["shell", "ask_human"]
    assert tools_of(PERSONA.model_copy(update={"tools": ()}), TOOLS) == {}


def test_a_tool_the_persona_does_not_have_is_no_tool() -> None:
    proposed = reply(ProposedCall(call_id="r", tool="shell", arguments={"command": "ls"}))
    event = record_reply(proposed, step=1, context_seen=0, persona=PERSONA, tools={}, at=AT)
    assert event.calls[0].reason == "There is no such tool. You have: none."
