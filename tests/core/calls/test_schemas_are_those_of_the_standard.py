"""A schema in a rule holds as an independent validator says, or it is not told; mistakes are named with their place."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from jsonschema import Draft202012Validator

from supervisor.core.rules.schema import fits, named_arguments, optional, problems, types_named

NAMES = st.sampled_from(["a", "b"])
VALUES = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-3, 3)
    | st.sampled_from([0.5, 1.0, 2.5])
    | st.sampled_from(["", "a", "ab"]),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(NAMES, inner, max_size=2),
    max_leaves=5,
)
SIZES = st.integers(0, 2)
NUMBERS = st.fixed_dictionaries(
    {"type": st.sampled_from(["number", "integer"])},
    optional={
        "minimum": st.integers(-2, 2), "maximum": st.integers(-2, 2), "exclusiveMinimum": st.integers(-2, 2),
        "exclusiveMaximum": st.integers(-2, 2), "multipleOf": st.sampled_from([1, 2, 0.5]),
    },
)  # fmt: skip
TEXTS = st.fixed_dictionaries(
    {"type": st.just("string")},
    optional={"minLength": SIZES, "maxLength": SIZES, "pattern": st.sampled_from(["a", "^b", "b$", "^a*$"])},
)
PLAIN = st.fixed_dictionaries({"type": st.sampled_from(["null", "boolean", ["string", "null"]])})
CHOICES = st.fixed_dictionaries({"enum": st.lists(VALUES, min_size=1, max_size=3)}) | st.fixed_dictionaries(
    {"const": VALUES}
)


def _larger(inner: Any) -> Any:
    several = st.lists(inner, min_size=1, max_size=3)
    lists = st.fixed_dictionaries(
        {"type": st.just("array")}, optional={"items": inner, "minItems": SIZES, "maxItems": SIZES}
    )
    mappings = st.fixed_dictionaries(
        {"type": st.just("object")},
        optional={
            "properties": st.dictionaries(NAMES, inner, max_size=2),
            "required": st.lists(NAMES, unique=True, max_size=2),
            "additionalProperties": inner | st.booleans(),
        },
    )
    combined = [st.fixed_dictionaries({name: several}) for name in ("allOf", "anyOf", "oneOf")]
    return st.one_of(lists, mappings, *combined, st.fixed_dictionaries({"not": inner}))


SCHEMAS = st.recursive(st.one_of(NUMBERS, TEXTS, PLAIN, CHOICES, st.booleans()), _larger, max_leaves=6)


@given(SCHEMAS, VALUES)
@settings(max_examples=600, deadline=None)
def test_what_is_told_is_what_the_standard_says(schema: Any, value: Any) -> None:
    told = fits(schema, value)
    assert told is None or told is Draft202012Validator(schema).is_valid(value)


@given(VALUES)
@settings(max_examples=100, deadline=None)
def test_a_value_of_the_right_type_is_always_told(value: Any) -> None:
    kind = {type(None): "null", bool: "boolean", str: "string", list: "array", dict: "object"}.get(
        type(value), "number"
    )
    assert fits({"type": kind}, value) is True
    assert fits({"enum": [value]}, value) is True
    assert fits(True, value) is True
    assert fits(False, value) is False


COUNT, NUMBER, LIST = "this is a whole number", "this is a number", "this is a list with at least one item"
TYPES = "a type is one of array, boolean, integer, null, number, object, string"


@pytest.mark.parametrize(
    ("schema", "place", "says"),
    [
        ({"type": "text"}, ("type",), f"`type`: {TYPES}"),
        ({"type": []}, ("type",), f"`type`: {TYPES}"),
        ({"type": [3]}, ("type",), f"`type`: {TYPES}"),
        ({"type": 3}, ("type",), f"`type`: {TYPES}"),
        ({"type": ["string", "x"]}, ("type",), f"`type`: {TYPES}"),
        ({"type": "number", "minimum": "3"}, ("minimum",), f"`minimum`: {NUMBER}"),
        ({"type": "number", "maximum": True}, ("maximum",), f"`maximum`: {NUMBER}"),
        ({"type": "number", "exclusiveMinimum": None}, ("exclusiveMinimum",), f"`exclusiveMinimum`: {NUMBER}"),
        ({"type": "number", "exclusiveMaximum": []}, ("exclusiveMaximum",), f"`exclusiveMaximum`: {NUMBER}"),
        ({"type": "number", "multipleOf": 0}, ("multipleOf",), "`multipleOf`: this is a number above 0"),
        ({"type": "number", "multipleOf": "a"}, ("multipleOf",), "`multipleOf`: this is a number above 0"),
        ({"type": "string", "minLength": -1}, ("minLength",), f"`minLength`: {COUNT}"),
        ({"type": "string", "maxLength": 1.5}, ("maxLength",), f"`maxLength`: {COUNT}"),
        ({"type": "array", "minItems": True}, ("minItems",), f"`minItems`: {COUNT}"),
        ({"type": "array", "maxItems": "3"}, ("maxItems",), f"`maxItems`: {COUNT}"),
        ({"type": "string", "pattern": 3}, ("pattern",), "`pattern`: this is a regular expression"),
        ({"enum": []}, ("enum",), f"`enum`: {LIST}"),
        ({"enum": "a"}, ("enum",), f"`enum`: {LIST}"),
        ({"anyOf": {}}, ("anyOf",), f"`anyOf`: {LIST}"),
        ({"oneOf": []}, ("oneOf",), f"`oneOf`: {LIST}"),
        ({"allOf": []}, ("allOf",), f"`allOf`: {LIST}"),
        ({"required": "a"}, ("required",), "`required`: this is a list of names"),
        ({"required": [1]}, ("required",), "`required`: this is a list of names"),
        ({"properties": []}, ("properties",), "`properties`: this is a mapping of names to schemas"),
        ({"properties": {1: {}}}, ("properties",), "`properties`: this is a mapping of names to schemas"),
        (
            {"additionalProperties": 1},
            ("additionalProperties",),
            "`additionalProperties`: this is a schema, `true` or `false`",
        ),
        ({"properties": {"a": {"minimum": 1}}}, ("properties", "a", "minimum"),
         "`minimum` is for `type: number`, which has to be said beside it"),
        ({"properties": {"a": {"type": "string", "items": {}}}}, ("properties", "a", "items"),
         "`items` is for `type: array`, which has to be said beside it"),
        ({"properties": {"a": 3}}, ("properties", "a"), "a schema is a mapping"),
        ({"properties": {"a": False}}, ("properties", "a"), "no value fits this schema"),
        ({"allOf": [False]}, ("allOf", 0), "no value fits this schema"),
        ({"additionalProperties": {"type": "x"}}, ("additionalProperties", "type"), f"`type`: {TYPES}"),
        ({"properties": {"a": {"not": {"type": "x"}}}}, ("properties", "a", "not", "type"), f"`type`: {TYPES}"),
        ({"properties": {"a": {"type": "array", "items": {"type": "x"}}}}, ("properties", "a", "items", "type"),
         f"`type`: {TYPES}"),
        ({"anyOf": [False, False]}, (), "none of its choices can hold"),
        ({"required": ["a"], "properties": {"a": False}}, (), "it requires what it excludes"),
        ({"required": ["a"], "additionalProperties": False}, (), "it requires what it excludes"),
        ({"properties": {"a": {"type": "number", "minimum": 3, "maximum": 2}}}, ("properties", "a"),
         "no value fits, since its lower limit excludes the upper one"),
        ({"properties": {"a": {"type": "number", "minimum": 3, "exclusiveMaximum": 3}}}, ("properties", "a"),
         "no value fits, since its lower limit excludes the upper one"),
        ({"properties": {"a": {"type": "number", "exclusiveMinimum": 3, "maximum": 3}}}, ("properties", "a"),
         "no value fits, since its lower limit excludes the upper one"),
        ({"properties": {"a": {"type": "string", "minLength": 3, "maxLength": 2}}}, ("properties", "a"),
         "no value fits, since its lower limit excludes the upper one"),
        ({"properties": {"a": {"type": "array", "minItems": 3, "maxItems": 2}}}, ("properties", "a"),
         "no value fits, since its lower limit excludes the upper one"),
        ({"properties": {"a": {"type": "number", "maximum": 2, "const": 3}}}, ("properties", "a"),
         "none of the values that it names fits the rest of this schema"),
        ({"properties": {"a": {"type": "number", "allOf": [{"type": "string"}]}}}, ("properties", "a"),
         "no value has all of these types"),
        ({"then": {}}, ("then",), "`then` is not understood in a schema; there are $comment, additionalProperties"),
    ],
)  # fmt: skip
def test_a_mistake_is_named_with_its_place(schema: Any, place: tuple[Any, ...], says: str) -> None:
    found = list(problems(schema))
    assert [(at, words.startswith(says)) for at, words in found if at == place] == [(place, True)], found


@pytest.mark.parametrize(
    "schema",
    [
        {"properties": {"a": {"type": "number", "minimum": 3, "maximum": 3}}},
        {"properties": {"a": {"type": "integer", "exclusiveMinimum": 3, "exclusiveMaximum": 5}}},
        {"properties": {"a": {"type": "string", "minLength": 0, "maxLength": 0, "pattern": "x|^$"}}},
        {"properties": {"a": {"type": ["number", "null"], "multipleOf": 0.1}}},
        {"anyOf": [False, {"required": ["a"]}]},
        {"not": {"required": ["a"]}},
        {"properties": {"a": True}, "required": ["a"], "additionalProperties": False},
        {"properties": {"a": {"enum": [1, None, "x"]}}},
        {
            "properties": {
                "a": {"title": "A", "description": "d", "default": 1, "examples": [1], "$comment": "c"}
            }
        },
        {"properties": {"a": {"type": "array", "items": {"type": "string"}, "minItems": 1, "maxItems": 1}}},
        {"allOf": [{"required": ["a"]}, {"properties": {"b": {"type": "integer"}}}]},
    ],
)
def test_a_schema_that_can_hold_is_taken(schema: Any) -> None:
    assert list(problems(schema)) == []


def test_the_arguments_that_a_schema_is_about() -> None:
    schema = {
        "required": ["a", "c"],
        "properties": {"a": {"type": "string"}, "b": {"type": ["integer", "null"]}},
        "anyOf": [{"properties": {"d": {"const": 1}}}, {"required": ["e"], "properties": {"e": True}}],
        "not": {"properties": {"f": {}}},
    }
    assert named_arguments(schema) == {
        "a": (("properties", "a"), {"type": "string"}),
        "c": (("required", 1), True),
        "b": (("properties", "b"), {"type": ["integer", "null"]}),
        "d": (("anyOf", 0, "properties", "d"), {"const": 1}),
        "e": (("anyOf", 1, "properties", "e"), True),
        "f": (("not", "properties", "f"), {}),
    }
    assert list(optional(schema)) == [(("properties", "b"), "b"), (("anyOf", 0, "properties", "d"), "d")]
    assert set(types_named({"type": "number"})) == {"number", "integer"}
    assert (types_named({"const": 1}), types_named(True)) == ((), ())


def test_a_schema_has_so_many_levels() -> None:
    deep: Any = {"type": "string"}
    for _ in range(60):
        deep = {"type": "object", "properties": {"a": deep}}
    assert [words for _, words in problems(deep)] == ["this schema is nested too deeply"]
