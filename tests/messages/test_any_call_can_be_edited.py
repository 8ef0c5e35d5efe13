"""The window for changing a call, for any schema and any arguments: Slack takes it, and what nobody touches stays."""

from __future__ import annotations

import json
import re
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from bot.playground.block_kit.blocks import check_view
from handlers.action_ids import Target
from handlers.modals.edit_call import EditForm, edit_form
from supervisor.core.commands.approvals import Seen
from supervisor.core.delegation import PLAN
from supervisor.core.messages import Json
from supervisor.core.reducer import fold
from supervisor.core.state import Session
from supervisor.core.text.masking import Masker
from supervisor.tools.agents import plan_tasks
from tests.core.build import SID, launched, responded, tool_call
from tests.examples import examples
from tests.messages.sessions import SECRET, texts
from tests.support.scenario import live_markup

MASK = Masker([SECRET])
ROSTER = ("ops", "sre", "writer")
often = settings(
    max_examples=examples(50),
    deadline=None,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large, HealthCheck.large_base_example],
)

_SIMPLE = st.one_of(
    texts(4000), st.integers(-(10**20), 10**20), st.floats(allow_nan=False, allow_infinity=False)
)
VALUES = st.recursive(
    st.one_of(_SIMPLE, st.booleans(), st.none()),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(texts(20), inner, max_size=3),
    max_leaves=8,
)
_JUNK: st.SearchStrategy[Any] = st.sampled_from(
    [None, 1, "x", [], ["string", "null"], {"$ref": "#/$defs/it"}]
)
RULES: st.SearchStrategy[Any] = st.one_of(
    st.fixed_dictionaries(
        {
            "type": st.sampled_from(
                ["string", "integer", "number", "boolean", "array", "object", None, ["string", "null"]]
            )
        },
        optional={
            "description": texts(2000),
            "default": VALUES,
            "maxLength": st.integers(0, 10**6),
            "minimum": st.integers() | st.floats(allow_nan=False, allow_infinity=False),
            "items": st.sampled_from(
                [{"type": "string"}, {"type": "integer"}, {"type": "number"}, {}, None, "x"]
            ),
            "minItems": st.integers(0, 3),
            "enum": st.lists(VALUES, max_size=4),
            "const": VALUES,
        },
    ),
    st.builds(
        lambda rule: {"anyOf": [rule, {"type": "null"}]},
        st.sampled_from([{"type": "string"}, {"type": "integer"}]),
    ),
    _JUNK,
)
SCHEMAS = st.builds(
    lambda rules, required, defs: {"properties": rules, "required": required, "$defs": defs},
    st.dictionaries(texts(40), RULES, max_size=6) | _JUNK,
    st.lists(texts(40), max_size=2) | _JUNK,
    st.just({"it": {"$ref": "#/$defs/it"}}) | _JUNK,
)


@st.composite
def edits(draw: st.DrawFn) -> tuple[Session, EditForm, Json]:
    """A session whose call waits, its form, and the arguments it has."""
    schema = draw(SCHEMAS)
    names = list(schema["properties"]) if isinstance(schema["properties"], dict) else []
    known = {name: draw(VALUES) for name in names if draw(st.booleans())}
    given = {**known, **draw(st.dictionaries(texts(40), VALUES, max_size=3))}
    return _form(schema, given, tool=draw(st.sampled_from(["deploy", "<!channel> *x* \u202e"])))


def _form(schema: Any, given: Json, *, tool: str = "tool") -> tuple[Session, EditForm, Json]:
    session = fold(SID, [launched(), responded(tool_call(tool=tool, arguments=given))])
    return session, edit_form(session.call("1.1"), schema, ROSTER, MASK), given


def state_of(view: Json) -> Json:
    """What Slack sends when nobody touched anything."""
    state: Json = {}
    for block in view["blocks"]:
        if block["type"] == "input":
            element = block["element"]
            field = {"static_select": "selected_option", "multi_static_select": "selected_options"}
            initial = {"static_select": "initial_option", "multi_static_select": "initial_options"}
            kind = element["type"]
            value = element.get(initial.get(kind, "initial_value"))
            state[block["block_id"]] = {field.get(kind, "value"): value}
    return state


@often
@given(edits(), texts(3000), st.sampled_from([None, "0", "1", "none", "99", "x"]))
def test_any_call_of_any_schema(
    edit: tuple[Session, EditForm, Json], written: str, chosen: str | None
) -> None:
    slack_takes_the_window_and_nothing_in_it_is_alive(edit)
    what_nobody_touches_stays_to_the_letter(edit)
    every_argument_is_an_input_or_said_to_stay(edit)
    whatever_is_written_is_taken_or_refused_beside_its_input(edit, written, chosen)


def slack_takes_the_window_and_nothing_in_it_is_alive(edit: tuple[Session, EditForm, Json]) -> None:
    session, form, _ = edit
    view = check_view(form.view(session), "modal")
    assert len(view["private_metadata"]) <= 3000
    assert live_markup(view["blocks"]) == set()
    shown = json.dumps(view, ensure_ascii=False)
    assert all(c not in shown for c in "\x00\x1b\u202e\u200b")
    # Inside a longer word it shows, since that can be anything.
    assert not re.search(rf"(?<![A-Za-z0-9_-]){SECRET}(?![A-Za-z0-9_-])", shown)
    assert Target.decode(view["private_metadata"]).seen == {
        "1.1": Seen(form.call.call.digest[:20], form.call.request)
    }


def what_nobody_touches_stays_to_the_letter(edit: tuple[Session, EditForm, Json]) -> None:
    session, form, arguments = edit
    state = state_of(form.view(session))
    assert form.read(state) == (arguments, {})
    assert form.read({}) == (arguments, {})
    trimmed = {
        block: {name: value.strip() if isinstance(value, str) else value for name, value in inputs.items()}
        for block, inputs in state.items()
    }
    assert form.read(trimmed) == (arguments, {})


def every_argument_is_an_input_or_said_to_stay(edit: tuple[Session, EditForm, Json]) -> None:
    session, form, arguments = edit
    fields = [*form.fields, *form.kept, *form.left]
    assert set(arguments) <= {field.argument.name for field in fields}
    shown = json.dumps(form.view(session)["blocks"], ensure_ascii=False)
    if form.kept or form.left:
        assert f"flagman approve {session.id} 1.1 --edit" in shown
    for field in form.kept:
        assert field.why_kept in shown


def whatever_is_written_is_taken_or_refused_beside_its_input(
    edit: tuple[Session, EditForm, Json], written: str, chosen: str | None
) -> None:
    session, form, _ = edit
    view = form.view(session)
    inputs = {block["block_id"] for block in view["blocks"] if block["type"] == "input"}
    option = {"value": chosen} if chosen else None
    state = {block: {"value": written, "selected_option": option} for block in inputs}
    _, wrong = form.read(state)
    assert set(wrong) <= inputs
    assert all(0 < len(sentence) < 300 for sentence in wrong.values())
    if inputs:
        assert set(form.about("It is wrong.", {})) <= inputs


@pytest.mark.parametrize(
    ("rule", "value", "written", "read"),
    [
        ({"type": "integer"}, 3, "7", 7),
        ({"type": "integer"}, 3, " -7 ", -7),
        ({"type": "number"}, 0.5, "7.25", 7.25),
        ({"type": "number"}, 0.5, "7", 7),
        ({"type": "string"}, "a", " b\r\nc ", " b\nc "),
        ({"type": "array", "items": {"type": "string"}}, ["a"], " b \n\n c", ["b", "c"]),
        ({"type": "array", "items": {"type": "integer"}}, [1], "2\n3", [2, 3]),
        ({"type": "array", "items": {"type": "string"}}, [], "", []),
        ({"type": "array", "items": {"type": "string"}}, ["two\nlines"], '["x"]', ["x"]),
        ({"type": "object"}, {"a": 1}, '{"b": [true, null]}', {"b": [True, None]}),
        ({}, "text", '"other"', "other"),
        ({"type": "string"}, 5, '"five"', "five"),
    ],
)
def test_what_is_written_becomes_its_value(rule: Json, value: Any, written: str, read: Any) -> None:
    _, form, _ = _form({"properties": {"it": rule}, "required": ["it"]}, {"it": value})
    assert form.read({"arg:0": {"value": written}}) == ({"it": read}, {})


@pytest.mark.parametrize(
    ("rule", "value", "written"),
    [
        ({"type": "integer"}, 3, "7.5"),
        ({"type": "integer"}, 3, "many"),
        ({"type": "integer"}, 3, "1" * 400),
        ({"type": "number"}, 3, "nan"),
        ({"type": "number"}, 3, "1e999"),
        ({"type": "array", "items": {"type": "integer"}}, [1], "1\ntwo"),
        ({"type": "object"}, {"a": 1}, "{"),
        ({"type": "object"}, {"a": 1}, "[" * 2000),
        ({"type": "object"}, {"a": 1}, "NaN"),
    ],
)
def test_what_is_no_such_value_is_refused_and_nothing_is_changed(
    rule: Json, value: Any, written: str
) -> None:
    _, form, given_ = _form({"properties": {"it": rule}, "required": ["it"]}, {"it": value})
    arguments, wrong = form.read({"arg:0": {"value": written}})
    assert arguments == given_
    assert set(wrong) == {"arg:0"}


@pytest.mark.parametrize(
    ("rule", "required", "value", "left"),
    [
        ({"type": "string", "default": "main"}, False, "x", {}),
        ({"type": "string"}, True, "x", {"it": ""}),
        ({"anyOf": [{"type": "string"}, {"type": "null"}], "default": None}, False, "x", {}),
        ({"anyOf": [{"type": "string"}, {"type": "null"}]}, True, "x", {"it": None}),
        ({"type": ["integer", "null"]}, True, 5, {"it": None}),
        ({"type": "integer", "default": 60}, False, 5, {}),
        ({"type": "array", "items": {"type": "string"}, "default": ["a"]}, False, ["x"], {"it": []}),
        ({"type": "object"}, False, {"a": 1}, {}),
    ],
)
def test_an_emptied_input_leaves_the_argument_out_or_empty(
    rule: Json, required: bool, value: Any, left: Json
) -> None:
    schema = {"properties": {"it": rule}, "required": ["it"] if required else []}
    _, form, _ = _form(schema, {"it": value})
    assert form.read({"arg:0": {"value": None}}) == (left, {})


def test_a_choice_is_one_of_its_options() -> None:
    schema = {
        "properties": {"it": {"enum": ["a", 1, True, None]}, "sure": {"type": "boolean", "default": True}}
    }
    session, form, _ = _form(schema, {"it": 1, "sure": True})
    first, second = (b["element"] for b in form.view(session)["blocks"] if b["type"] == "input")
    assert [o["text"]["text"] for o in first["options"]] == ["a", "1", "true", "not set"]
    assert first["initial_option"]["text"]["text"] == "1"
    assert [o["text"]["text"] for o in second["options"]] == ["true", "false", "not set"]
    assert form.read({"arg:0": {"selected_option": {"value": "2"}}})[0]["it"] is True
    assert form.read({"arg:1": {"selected_option": {"value": "1"}}})[0]["sure"] is False
    assert form.read({"arg:0": {"selected_option": {"value": "none"}}})[0] == {"sure": True}


def test_there_is_room_for_many_arguments_and_the_others_are_named() -> None:
    names = [f"argument-{n}" for n in range(150)]
    schema = {"properties": {name: {"type": "string"} for name in names}}
    session, form, given_ = _form(schema, {name: "🙂" * 1400 for name in names})
    view = check_view(form.view(session), "modal")
    assert form.left
    assert f"and {len(form.left) - 10} more" in json.dumps(view)
    assert form.read(state_of(view)) == (given_, {})


@pytest.mark.parametrize("text", ["x" * 3001, "🙂" * 1501, "a\u202eb", "a\x07b", SECRET])
def test_what_an_input_cannot_hold_stays_and_is_shown(text: str) -> None:
    session, form, given_ = _form({"properties": {"it": {"type": "string"}}}, {"it": text})
    view = check_view(form.view(session), "modal")
    assert "submit" not in view
    assert form.kept
    assert form.read(state_of(view)) == (given_, {})
    assert SECRET not in json.dumps(view)


def test_the_longest_that_fits_can_be_changed() -> None:
    _, form, _ = _form({"properties": {"it": {"type": "string"}}}, {"it": "x" * 3000})
    assert form.fields


SUBTASK = st.builds(
    lambda task, persona: {"persona": persona, "task": task or "x"}, texts(6000), st.sampled_from(ROSTER)
)


@often
@given(st.lists(SUBTASK, min_size=1, max_size=50), st.data())
def test_slack_takes_the_window_of_any_plan(parts: list[Json], data: st.DataObject) -> None:
    for n, part in enumerate(parts):
        before = [f"part-{i}" for i in range(n)]
        after = data.draw(st.lists(st.sampled_from(before), max_size=3, unique=True)) if before else []
        part.update({"id": f"part-{n}", "depends_on": after})
    session = fold(
        SID, [launched(), responded(tool_call(tool=PLAN, arguments={"subtasks": parts}, mode="ask"))]
    )
    form = edit_form(session.call("1.1"), plan_tasks.spec.schema_, ROSTER, MASK)
    view = check_view(form.view(session), "modal")
    assert live_markup(view["blocks"]) == set()
    shown = json.dumps(view, ensure_ascii=False)
    # Inside a longer word it shows, since that can be anything.
    assert not re.search(rf"(?<![A-Za-z0-9_-]){SECRET}(?![A-Za-z0-9_-])", shown)
    arguments, wrong = form.read(state_of(view))
    assert (arguments["subtasks"], wrong) == (parts, {})
