"""A schema holds exactly up to its limits, and what it is about is found in all of its parts."""

from __future__ import annotations

from typing import Any

import pytest

from supervisor.core.comparisons import LONGEST_TEXT
from supervisor.core.rules.schema import DEEPEST, TYPES, fits, named_arguments, optional, problems

NUMBER, TEXT, LIST = {"type": "number"}, {"type": "string"}, {"type": "array"}


@pytest.mark.parametrize(
    ("schema", "fitting", "others"),
    [
        ({**NUMBER, "minimum": 3}, [3, 3.0, 3.5], [2.9, -4]),
        ({**NUMBER, "maximum": 3}, [3, 2.5], [3.1, 4]),
        ({**NUMBER, "exclusiveMinimum": 3}, [3.1, 4], [3, 2]),
        ({**NUMBER, "exclusiveMaximum": 3}, [2.9, 2], [3, 4]),
        ({**TEXT, "minLength": 2}, ["ab", "abc"], ["", "a"]),
        ({**TEXT, "maxLength": 2}, ["", "ab"], ["abc"]),
        ({**LIST, "minItems": 1, "maxItems": 2}, [[1], [1, 2]], [[], [1, 2, 3]]),
        (
            {"oneOf": [{"enum": [1, 2, 3]}, {"enum": [2, 3]}, {"enum": [3, 4]}]},
            [1, 4],
            [2, 3, 5],
        ),
        ({**TEXT, "pattern": "a$"}, ["a" * LONGEST_TEXT], ["b" * LONGEST_TEXT]),
    ],
)
def test_a_limit_is_exact(schema: Any, fitting: list[Any], others: list[Any]) -> None:
    assert [fits(schema, one) for one in fitting] == [True] * len(fitting)
    assert [fits(schema, one) for one in others] == [False] * len(others)


def test_a_text_too_long_for_a_pattern_and_a_choice_that_cannot_be_told_are_unknown() -> None:
    assert fits({**TEXT, "pattern": "a"}, "a" * (LONGEST_TEXT + 1)) is None
    unsure: list[Any] = [{"const": 1}, {"type": "string", "minLength": 1}]
    assert fits({"oneOf": unsure}, 1) is None
    # Two that hold are too many, whatever the third is.
    assert fits({"oneOf": [*unsure, {"enum": [1, 2]}]}, 1) is False


INNER = {"required": ["b"]}


@pytest.mark.parametrize(
    ("schema", "wrong"),
    [
        # The whole is about all arguments, which are an object; a part below it has to say its type.
        ({"properties": {"a": INNER}}, True),
        ({"properties": {"a": {"type": "object", **INNER}}}, False),
        ({"properties": {"a": {"type": "string", "not": INNER}}}, True),
        ({"properties": {"a": {"anyOf": [INNER]}}}, True),
        *(({name: [INNER]}, False) for name in ("allOf", "anyOf", "oneOf")),
        ({"not": INNER}, False),
        *(({name: [False, INNER]}, False) for name in ("anyOf", "oneOf")),
        ({"allOf": [False, INNER]}, True),
        *(({name: [False, False]}, True) for name in ("anyOf", "oneOf")),
        ({"properties": {"a": {"type": "integer", "minLength": 2}}}, True),
        ({"properties": {"a": {"type": "integer", "minimum": 2}}}, False),
        ({"properties": {"a": {**NUMBER, "exclusiveMinimum": 5, "exclusiveMaximum": 5}}}, True),
        ({"properties": {"a": {**NUMBER, "minimum": 5, "exclusiveMaximum": 5}}}, True),
        ({"properties": {"a": {**NUMBER, "exclusiveMinimum": 4, "exclusiveMaximum": 5}}}, False),
        ({"properties": {"a": {"type": sorted(TYPES)}}}, False),
        ({"properties": {"a": {"oneOf": [{"type": "text"}]}}}, True),
    ],
)
def test_a_mistake_is_found_and_nothing_else_is_one(schema: Any, wrong: bool) -> None:
    assert bool(list(problems(schema))) is wrong


@pytest.mark.parametrize(("levels", "wrong"), [(DEEPEST, False), (DEEPEST + 1, True)])
def test_a_schema_has_so_many_levels_of_properties(levels: int, wrong: bool) -> None:
    deep: Any = {"type": "string"}
    for _ in range(levels):
        deep = {"type": "object", "properties": {"a": deep}}
    assert bool(list(problems(deep))) is wrong


@pytest.mark.parametrize("name", ["allOf", "anyOf", "oneOf"])
def test_arguments_are_found_in_every_choice_but_not_below_an_argument(name: str) -> None:
    below = {"type": "object", "properties": {"c": {"type": "string"}}}
    schema = {
        "required": ["a"],
        name: [{"properties": {"a": True, "b": below}}, {"properties": {"d": True}, "required": ["d"]}, True],
    }
    assert named_arguments(schema) == {
        "a": (("required", 0), True),
        "b": ((name, 0, "properties", "b"), below),
        "d": ((name, 1, "properties", "d"), True),
    }
    assert list(optional(schema)) == [((name, 0, "properties", "b"), "b")]


def test_what_a_part_is_about_is_optional_where_neither_it_nor_the_whole_requires_it() -> None:
    assert list(optional({"allOf": [{"properties": {"a": True}}]})) == [
        (("allOf", 0, "properties", "a"), "a")
    ]
    assert list(optional({"required": ["a"], "allOf": [{"properties": {"a": True}}]})) == []
    assert list(optional({})) == []
