"""Rules with a JSON Schema of the arguments, or with hours: where it cannot be told, the stricter way holds."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from itertools import product
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from supervisor.core.comparisons import Comparison
from supervisor.core.persona import ApprovalRule, Approvers, Persona
from supervisor.core.policy import evaluate, explain
from supervisor.core.rules.hours import Hours
from supervisor.core.rules.schema import fits, problems

FRONT = {"name": "p", "description": "d", "instructions": "i", "tools": ("t",)}
AMOUNT = {"properties": {"amount": {"type": "number", "maximum": 100}}, "required": ["amount"]}
OFFICE = {"days": "MON-FRI", "from": "09:00", "to": "17:00", "zone": "Europe/Berlin"}
NIGHT = {"days": "FRI", "from": "22:00", "to": "06:00", "zone": "UTC"}


def at(text: str) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=UTC)


def mode(rule: dict[str, Any], arguments: dict[str, Any], when: datetime | None = None) -> str:
    otherwise = "deny" if rule["mode"] == "allow" else "allow"
    persona = Persona.model_validate(
        {**FRONT, "approvals": [{"tool": "t", **rule}, {"tool": "*", "mode": otherwise}]}
    )
    found = evaluate(persona, "t", arguments, changes=True, at=when)
    assert explain(persona, "t", arguments, changes=True, at=when).decision == found
    # A sub-agent and a stored persona are ruled likewise.
    assert Persona.model_validate_json(persona.model_dump_json(exclude_defaults=True)) == persona
    return found.mode


@pytest.mark.parametrize(
    ("schema", "value", "holds"),
    [
        (AMOUNT, {"amount": 100}, True),
        (AMOUNT, {"amount": 100.5}, False),
        (AMOUNT, {"amount": "100"}, None),
        (AMOUNT, {"amount": True}, None),
        (AMOUNT, {}, False),
        ({"type": "integer"}, 3.0, True),
        ({"type": "integer"}, 3.5, False),
        ({"type": "string"}, 3, False),
        ({"type": ["string", "null"], "maxLength": 2}, None, True),
        ({"type": "string", "pattern": "^a+$"}, "aaa", True),
        ({"type": "string", "pattern": "^a+$"}, "aaa\n", None),
        ({"type": "string", "pattern": r"^\d$"}, "\u0663", False),
        ({"type": "string", "pattern": "(a|aa)+$"}, "a" * 5000 + "b", None),
        ({"type": "array", "items": {"enum": ["a", "b"]}, "maxItems": 2}, ["a", "c"], False),
        ({"type": "object", "additionalProperties": False, "properties": {"a": {}}}, {"b": 1}, False),
        ({"const": 1}, True, None),
        ({"not": {"type": "string"}}, 3, True),
        ({"not": {"type": "number", "minimum": 3}}, "3", None),
        ({"anyOf": [{"const": "a"}, {"const": "b"}]}, "b", True),
        ({"oneOf": [{"type": "integer"}, {"type": "number", "minimum": 2}]}, 3, False),
        ({"type": "number", "multipleOf": 0.1}, 0.3, True),
    ],
)
def test_a_value_fits_or_not_or_that_cannot_be_told(
    schema: dict[str, Any], value: Any, holds: bool | None
) -> None:
    assert fits(schema, value) is holds
    whole = {"properties": {"x": schema}, "required": ["x"]}
    assert mode({"arguments": whole, "mode": "allow"}, {"x": value}) == ("allow" if holds else "deny")
    strict = "allow" if holds is False else "deny"
    assert mode({"arguments": whole, "mode": "deny"}, {"x": value}) == strict


@pytest.mark.parametrize(
    "wrong",
    [
        {"type": "text"},
        {"$ref": "#/x"},
        {"properties": {"a": {"maximum": 3}}},
        {"properties": {"a": {"type": "string", "pattern": "("}}},
        {"properties": {"a": {"type": "integer", "minimum": 5, "maximum": 3}}},
        {"properties": {"a": {"type": "number", "exclusiveMinimum": 5, "maximum": 5}}},
        {"properties": {"a": {"type": "string", "minLength": 5, "maxLength": 3}}},
        {"properties": {"a": {"type": "string", "enum": [1, 2]}}},
        {"properties": {"a": False}, "required": ["a"]},
        {"required": ["a"], "additionalProperties": False},
        {"properties": {"a": {"allOf": [{"type": "string"}, {"type": "null"}]}}},
        {"properties": {"a": {"anyOf": [False]}}},
        {"properties": {"a": {"enum": []}}},
        {"required": "a"},
    ],
)
def test_what_is_no_schema_or_never_holds_is_found(wrong: dict[str, Any]) -> None:
    assert list(problems(wrong))


def test_a_schema_that_can_hold_has_no_problem() -> None:
    nested: dict[str, Any] = {"not": {"properties": {"a": {"const": "prod"}}, "required": ["a"]}}
    for schema in (AMOUNT, nested, {"anyOf": [AMOUNT, {"required": ["b"]}]}, {"description": "x", **AMOUNT}):
        assert list(problems(schema)) == []
    deep: dict[str, Any] = {}
    for _ in range(100):
        deep = {"not": deep}
    assert list(problems(deep))


@pytest.mark.parametrize(
    ("hours", "when", "inside"),
    [
        (OFFICE, "2026-12-02T08:00", True),  # Wednesday 09:00 in Berlin
        (OFFICE, "2026-12-02T07:59", False),
        (OFFICE, "2026-12-02T15:59", True),
        (OFFICE, "2026-12-02T16:00", False),
        (OFFICE, "2026-07-01T07:00", True),  # 09:00 in summer
        (OFFICE, "2026-12-05T10:00", False),  # Saturday
        (NIGHT, "2026-12-04T23:00", True),  # Friday
        (NIGHT, "2026-12-05T05:59", True),  # the night of Friday
        (NIGHT, "2026-12-05T06:00", False),
        (NIGHT, "2026-12-04T05:00", False),  # the night of Thursday
        ({"days": "SAT-MON", "zone": "UTC"}, "2026-12-06T23:59", True),
        ({"days": "SAT,SUN", "zone": "UTC"}, "2026-12-07T00:00", False),
    ],
)
def test_hours_are_those_of_their_zone(hours: dict[str, Any], when: str, inside: bool) -> None:
    assert Hours.model_validate(hours).holds(at(when)) is inside
    assert mode({"hours": hours, "mode": "allow"}, {}, at(when)) == ("allow" if inside else "deny")
    assert mode({"hours": hours, "mode": "deny"}, {}, at(when)) == ("deny" if inside else "allow")


def test_without_a_time_the_stricter_way_holds() -> None:
    assert mode({"hours": OFFICE, "mode": "allow"}, {}) == "deny"
    assert mode({"hours": OFFICE, "mode": "deny"}, {}) == "deny"


@pytest.mark.parametrize(
    "wrong",
    [
        {"days": "MON-FOO"}, {"from": 1020}, {"from": "9:00"}, {"to": "25:00"}, {"zone": "Mars/Base"},
        {"from": "17:00", "to": "17:00"}, {"from": "24:00"}, {"until": "18:00"},
    ],
)  # fmt: skip
def test_what_are_no_hours_is_refused(wrong: dict[str, Any]) -> None:
    with pytest.raises(ValidationError):
        Hours.model_validate({**OFFICE, **wrong})
    with pytest.raises(ValidationError):
        Hours.model_validate({"days": "MON"})


@pytest.mark.parametrize(
    ("comparison", "whole", "never"),
    [
        ({"gt": 10, "lt": 5}, False, True),
        ({"gt": 5, "le": 5}, False, True),
        ({"ge": 5, "le": 5}, False, False),
        ({"gt": 5, "lt": 6}, False, False),
        ({"gt": 5, "lt": 6}, True, True),
        ({"eq": 3, "gt": 4}, False, True),
        ({"in": [1, 9], "gt": 4}, False, False),
        ({"in": ["a"], "matches": "b.*"}, False, True),
        ({"gt": 1, "matches": "x"}, False, True),
        ({"eq": "a/b", "within": "c"}, False, True),
        ({"gt": 1}, True, False),
    ],
)
def test_comparisons_that_exclude_each_other_are_found(
    comparison: dict[str, Any], whole: bool, never: bool
) -> None:
    assert bool(Comparison.model_validate(comparison).contradiction(whole=whole)) is never


def test_digits_and_letters_are_those_of_ascii() -> None:
    assert Comparison(matches=r"\d+").holds("\u0661\u0662") is False
    assert Comparison(matches=r"\w+").holds("\u0430") is False
    assert Comparison(matches=r"\w+").holds("a1_") is True


def test_a_persona_without_them_keeps_its_digest() -> None:
    rule = ApprovalRule(tool="t", mode="ask")
    persona = Persona.model_validate({**FRONT, "approvals": [rule]})
    assert {"arguments", "hours"}.isdisjoint(persona.model_dump()["approvals"][0])


def test_large_numbers_are_compared_exactly_and_what_is_no_number_fits_nothing() -> None:
    even = {"type": "integer", "multipleOf": 2}
    assert fits(even, 10**40) is True
    assert fits(even, 10**40 + 1) is False
    for odd in (float("nan"), float("inf"), 10**5000 + 1):
        assert fits(even, odd) is not True
    assert list(problems({"type": "number", "multipleOf": float("nan")}, top=False))


def test_the_approvers_of_a_place_hold_for_what_a_sub_agent_asks_for() -> None:
    place = Approvers(users=("U7",))
    top = Persona(
        name="top",
        description="Above",
        instructions="Do it",
        approvals=(ApprovalRule(tool="shell", mode="allow"),),
        narrowed_to=place,
    )
    below = Persona(name="below", description="Below", instructions="Do it", under=top)
    decision = evaluate(below, "shell", {}, changes=True)
    assert (decision.mode, decision.rules) == ("ask", (place,))
    assert evaluate(top, "shell", {}, changes=True).mode == "allow"


DAYS = ["MON", "TUE", "WED", "THU", "FRI", "SAT", "SUN"]


@pytest.mark.parametrize(("first", "last"), list(product(range(7), range(7))))
def test_a_range_of_days_goes_on_from_sunday_to_monday(first: int, last: int) -> None:
    hours = Hours(days=f"{DAYS[first].lower()} - {DAYS[last]}, {DAYS[first]}", zone="UTC")
    assert hours.days == f"{DAYS[first]}-{DAYS[last]},{DAYS[first]}"
    inside = {(first + n) % 7 for n in range((last - first) % 7 + 1)}
    monday = at("2026-11-30T12:00")
    assert [n for n in range(7) if hours.holds(monday + timedelta(days=n))] == sorted(inside)


def test_days_are_each_of_those_that_are_named_and_the_hours_of_a_night_begin_with_their_first_minute() -> (
    None
):
    hours = Hours.model_validate({**NIGHT, "days": "FRI, MON"})
    friday = at("2026-12-04T22:00")
    assert [hours.holds(friday + timedelta(minutes=n)) for n in (-1, 0)] == [False, True]
    assert hours.holds(at("2026-11-30T22:00"))


@pytest.mark.parametrize(
    ("wrong", "said"),
    [
        ({"days": "FOO"}, "write days like MON-FRI or MON,WED,SAT"),
        ({"days": "FOO-MON"}, "write days like MON-FRI or MON,WED,SAT"),
        ({"zone": "Mars/Base"}, "“Mars/Base” is no time zone; write one like Europe/Berlin."),
        ({"from": "9:00"}, 'write a time in quotes, from "00:00" to "24:00"'),
    ],
)
def test_what_are_no_hours_says_what_to_write(wrong: dict[str, Any], said: str) -> None:
    with pytest.raises(ValidationError) as refused:
        Hours.model_validate({**OFFICE, **wrong})
    assert said in str(refused.value)


LIMIT = st.none() | st.sampled_from([n / 2 for n in range(-4, 9)])


@given(st.fixed_dictionaries({name: LIMIT for name in ("gt", "ge", "lt", "le")}))
def test_limits_exclude_each_other_where_no_number_is_within_them(limits: dict[str, float | None]) -> None:
    comparison = {name: limit for name, limit in limits.items() if limit is not None}
    if not comparison:
        return
    found = Comparison.model_validate(comparison)
    quarters = [n / 4 for n in range(-20, 40)]
    possible = [number for number in quarters if found.holds(number)]
    assert bool(found.contradiction()) is (not possible)
    assert bool(found.contradiction(whole=True)) is (not [n for n in possible if n == int(n)])


@pytest.mark.parametrize(
    ("comparison", "said"),
    [
        ({"gt": 3, "lt": 1}, "no number is within these limits"),
        ({"gt": 3, "within": "docs"}, "no value is a number and a text"),
        ({"in": [1, 2], "gt": 4}, "none of the values that it names is as the rest says"),
    ],
)
def test_a_contradiction_is_said(comparison: dict[str, Any], said: str) -> None:
    assert Comparison.model_validate(comparison).contradiction() == said


@pytest.mark.parametrize(
    ("comparison", "said"),
    [
        ({"within": "../x"}, "it is a folder below that of the session, without `..`"),
        ({"matches": "("}, "it is no regular expression (missing )"),
    ],
)
def test_what_cannot_be_compared_with_says_why(comparison: dict[str, Any], said: str) -> None:
    with pytest.raises(ValidationError) as refused:
        Comparison.model_validate(comparison)
    assert said in str(refused.value)


def test_the_case_of_a_host_does_not_matter() -> None:
    for comparison in ({"eq": "Example.COM"}, {"in": [None, "Example.COM"]}, {"matches": r"EXAMPLE\.com"}):
        found = Comparison.model_validate(comparison).of_a_host()
        assert (found.holds("example.com"), found.holds("example.org") is True) == (True, False)


def test_a_comparison_is_shown_as_it_was_written() -> None:
    assert str(Comparison.model_validate({"in": ["für", 2], "gt": 1.0})) == '{"gt": 1, "in": ["für", 2]}'
