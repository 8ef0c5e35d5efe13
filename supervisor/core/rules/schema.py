"""A part of JSON Schema for the arguments of a call: a value fits, does not fit, or that cannot be told.

The keywords are those of JSON Schema 2020-12, with two restrictions that keep a rule from holding for more than it
says: a keyword for values of one type stands beside that `type`, and what is not understood is refused.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from decimal import Decimal
from fractions import Fraction
from typing import Any

import regex

from supervisor.core.comparisons import LONGEST_TEXT, PATTERN_SECONDS, equal, number_of

Schema = Mapping[str, Any] | bool
# Where in a schema, and what is wrong there.
Problem = tuple[tuple[str | int, ...], str]

_OF_TYPE: Mapping[str, frozenset[str]] = {
    "number": frozenset({"minimum", "maximum", "exclusiveMinimum", "exclusiveMaximum", "multipleOf"}),
    "string": frozenset({"minLength", "maxLength", "pattern"}),
    "array": frozenset({"items", "minItems", "maxItems"}),
    "object": frozenset({"properties", "required", "additionalProperties"}),
}
_ANY = frozenset({"type", "enum", "const", "anyOf", "oneOf", "allOf", "not"})
_NOTES = frozenset({"title", "description", "$comment", "examples", "default"})
KEYWORDS = frozenset().union(*_OF_TYPE.values()) | _ANY | _NOTES
TYPES = frozenset({"null", "boolean", "integer", "number", "string", "array", "object"})
DEEPEST = 20


def fits(schema: Schema, value: Any) -> bool | None:
    """Whether a value is as the schema says; None where that cannot be told.

    It cannot with a value of another type than the one whose size or parts the schema is about, a text that is too long
    for a pattern, and a pattern that takes too long.
    """
    if isinstance(schema, bool):
        return schema
    return _all(_each(schema, value))


def _each(schema: Mapping[str, Any], value: Any) -> Iterator[bool | None]:
    if "type" in schema and not _types(schema) & _types_of(value):
        about = any(schema.keys() & keywords for keywords in _OF_TYPE.values())
        yield None if about else False
        return
    if "const" in schema:
        yield equal(value, schema["const"])
    if "enum" in schema:
        yield _any(equal(value, one) for one in schema["enum"])
    if "allOf" in schema:
        yield _all(fits(one, value) for one in schema["allOf"])
    if "anyOf" in schema:
        yield _any(fits(one, value) for one in schema["anyOf"])
    if "oneOf" in schema:
        found = [fits(one, value) for one in schema["oneOf"]]
        yield False if found.count(True) > 1 else None if None in found else found.count(True) == 1
    if "not" in schema:
        inner = fits(schema["not"], value)
        yield None if inner is None else not inner
    yield from _sized(schema, value)


def _sized(schema: Mapping[str, Any], value: Any) -> Iterator[bool | None]:
    number = number_of(value)
    if number is not None:
        yield from _number_fits(schema, number)
    elif isinstance(value, str):
        yield schema.get("minLength", 0) <= len(value) <= schema.get("maxLength", len(value))
        if "pattern" in schema:
            yield _found(schema["pattern"], value)
    elif isinstance(value, list):
        yield schema.get("minItems", 0) <= len(value) <= schema.get("maxItems", len(value))
        yield _all(fits(schema.get("items", True), item) for item in value)
    elif isinstance(value, dict):
        named: Mapping[str, Schema] = schema.get("properties", {})
        yield set(schema.get("required", ())) <= value.keys()
        others = schema.get("additionalProperties", True)
        yield _all(fits(named.get(name, others), item) for name, item in value.items())


def _number_fits(schema: Mapping[str, Any], number: Decimal) -> Iterator[bool | None]:
    if not number.is_finite():
        yield None
        return
    if "minimum" in schema:
        yield number >= _exact(schema["minimum"])
    if "maximum" in schema:
        yield number <= _exact(schema["maximum"])
    if "exclusiveMinimum" in schema:
        yield number > _exact(schema["exclusiveMinimum"])
    if "exclusiveMaximum" in schema:
        yield number < _exact(schema["exclusiveMaximum"])
    if "multipleOf" in schema:
        # Decimals are rounded to 28 digits.
        yield (Fraction(number) / Fraction(_exact(schema["multipleOf"]))).denominator == 1


def _found(pattern: str, text: str) -> bool | None:
    # `$` also matches before a line break at the end, which the pattern may not mean.
    if len(text) > LONGEST_TEXT or (text.endswith("\n") and "$" in pattern):
        return None
    try:
        return regex.search(pattern, text, flags=regex.ASCII, timeout=PATTERN_SECONDS) is not None
    except TimeoutError:
        return None


def _exact(value: Any) -> Decimal:
    return Decimal(str(value))


def _types(schema: Mapping[str, Any]) -> frozenset[str]:
    """The types that a schema names, with integers among numbers; all where it names none."""
    given = schema.get("type", TYPES)
    named = frozenset({given} if isinstance(given, str) else given)
    return named | {"integer"} if "number" in named else named


def _types_of(value: Any) -> frozenset[str]:
    if value is None:
        return frozenset({"null"})
    if isinstance(value, bool):
        return frozenset({"boolean"})
    number = number_of(value)
    if number is not None:
        whole = number.is_finite() and number == number.to_integral_value()
        return frozenset({"integer"} if whole else {"number"})
    kind = "string" if isinstance(value, str) else "array" if isinstance(value, list) else "object"
    return frozenset({kind})


def _all(found: Iterator[bool | None]) -> bool | None:
    answers = set(found)
    return False if False in answers else None if None in answers else True


def _any(found: Iterator[bool | None]) -> bool | None:
    answers = set(found)
    return True if True in answers else None if None in answers else False


def problems(schema: Any, at: tuple[str | int, ...] = (), *, top: bool = True) -> Iterator[Problem]:
    """What is wrong with a schema: what is not understood, or can never hold. `top`: it is that of all arguments."""
    if len(at) > 2 * DEEPEST:
        yield at, "this schema is nested too deeply"
        return
    if not isinstance(schema, dict):
        if schema is not True:
            yield at, "no value fits this schema" if schema is False else "a schema is a mapping"
        return
    unknown = sorted(map(str, schema.keys() - KEYWORDS))
    if unknown:
        yield (
            (*at, unknown[0]),
            f"`{unknown[0]}` is not understood in a schema; there are {', '.join(sorted(KEYWORDS))}",
        )
        return
    wrong = list(_misshapen(schema, at))
    yield from wrong
    if not wrong:
        yield from _untyped(schema, at, top=top)
        for part, inner in _parts(schema):
            # What is excluded may be anything; and of several choices one is enough.
            if part[0] != "not" and not (part[0] in ("anyOf", "oneOf") and inner is False):
                yield from problems(inner, (*at, *part), top=top and part[0] in ("anyOf", "oneOf", "allOf"))
            elif isinstance(inner, dict):
                yield from problems(inner, (*at, *part), top=top)
        if reason := _contradiction(schema):
            yield at, reason


def _parts(schema: Mapping[str, Any]) -> Iterator[tuple[tuple[str | int, ...], Any]]:
    """The schemas in a schema, with their places."""
    for name, inner in schema.get("properties", {}).items():
        yield ("properties", name), inner
    for name in ("items", "not"):
        if name in schema:
            yield (name,), schema[name]
    if isinstance(schema.get("additionalProperties"), dict):
        yield ("additionalProperties",), schema["additionalProperties"]
    for name in ("allOf", "anyOf", "oneOf"):
        for number, inner in enumerate(schema.get(name, ())):
            yield (name, number), inner


def _misshapen(schema: Mapping[str, Any], at: tuple[str | int, ...]) -> Iterator[Problem]:
    for name, value in schema.items():
        match name:
            case "type":
                given = [value] if isinstance(value, str) else value
                known = isinstance(given, list) and given and all(isinstance(one, str) for one in given)
                said = "" if known and set(given) <= TYPES else f"a type is one of {', '.join(sorted(TYPES))}"
            case "minimum" | "maximum" | "exclusiveMinimum" | "exclusiveMaximum":
                said = "" if number_of(value) is not None else "this is a number"
            case "multipleOf":
                number = number_of(value)
                said = "" if number is not None and number > 0 else "this is a number above 0"
            case "minLength" | "maxLength" | "minItems" | "maxItems":
                is_count = isinstance(value, int) and not isinstance(value, bool) and value >= 0
                said = "" if is_count else "this is a whole number"
            case "pattern":
                said = _bad_pattern(value)
            case "enum" | "allOf" | "anyOf" | "oneOf":
                said = "" if isinstance(value, list) and value else "this is a list with at least one item"
            case "required":
                is_list = isinstance(value, list) and all(isinstance(one, str) for one in value)
                said = "" if is_list else "this is a list of names"
            case "properties":
                is_named = isinstance(value, dict) and all(isinstance(one, str) for one in value)
                said = "" if is_named else "this is a mapping of names to schemas"
            case "additionalProperties":
                said = "" if isinstance(value, dict | bool) else "this is a schema, `true` or `false`"
            case _:
                said = ""
        if said:
            yield (*at, name), f"`{name}`: {said}"


def _bad_pattern(value: Any) -> str:
    if not isinstance(value, str):
        return "this is a regular expression"
    try:
        regex.compile(value, flags=regex.ASCII)
    except (regex.error, ValueError, RecursionError) as error:
        return f"it is no regular expression ({error})"
    return ""


def _untyped(schema: Mapping[str, Any], at: tuple[str | int, ...], *, top: bool) -> Iterator[Problem]:
    """Keywords for one type without it: for values of other types they say nothing, and so all of those would fit."""
    named = _types(schema) if "type" in schema else frozenset({"object"} if top else ())
    for kind, keywords in _OF_TYPE.items():
        found = sorted(schema.keys() & keywords)
        if found and not named & ({kind, "integer"} if kind == "number" else {kind}):
            yield (*at, found[0]), f"`{found[0]}` is for `type: {kind}`, which has to be said beside it"


def _contradiction(schema: Mapping[str, Any]) -> str:
    """Why no value fits a schema of the right shape, as far as is told; otherwise empty."""
    low, high = schema.get("minimum"), schema.get("maximum")
    above, below = schema.get("exclusiveMinimum"), schema.get("exclusiveMaximum")
    pairs = [(low, high, False), (low, below, True), (above, high, True), (above, below, True)]
    pairs += [(schema.get(f"min{what}"), schema.get(f"max{what}"), False) for what in ("Length", "Items")]
    for one, other, strict in pairs:
        if one is not None and other is not None and (one > other or (strict and one == other)):
            return "no value fits, since its lower limit excludes the upper one"
    choices = [schema["const"]] if "const" in schema else schema.get("enum", ())
    if choices and not any(fits(schema, one) for one in choices):
        return "none of the values that it names fits the rest of this schema"
    if any(_excludes(schema, name) for name in schema.get("required", ())):
        return "it requires what it excludes"
    alternatives = [*schema.get("anyOf", ()), *schema.get("oneOf", ())]
    if alternatives and all(one is False for one in alternatives):
        return "none of its choices can hold"
    together = [schema, *(one for one in schema.get("allOf", ()) if isinstance(one, dict))]
    common = TYPES
    for one in together:
        common &= _types(one)
    return "" if common else "no value has all of these types"


def _excludes(schema: Mapping[str, Any], name: str) -> bool:
    inner = schema.get("properties", {}).get(name, schema.get("additionalProperties", True))
    return inner is False


def named_arguments(schema: Mapping[str, Any]) -> dict[str, tuple[tuple[str | int, ...], Any]]:
    """The arguments that a schema of all arguments names, each with its place and its schema, if it has one."""
    found: dict[str, tuple[tuple[str | int, ...], Any]] = {}
    for number, name in enumerate(schema.get("required", ())):
        found[name] = ("required", number), True
    for name, inner in schema.get("properties", {}).items():
        found[name] = ("properties", name), inner
    for part, inner in _parts(schema):
        if part[0] in ("allOf", "anyOf", "oneOf", "not") and isinstance(inner, dict):
            for name, (place, one) in named_arguments(inner).items():
                found.setdefault(name, ((*part, *place), one))
    return found


def types_named(schema: Any) -> Collection[str]:
    """The types of the values that fit a schema; none where it names none."""
    return _types(schema) if isinstance(schema, dict) and "type" in schema else ()


def optional(schema: Mapping[str, Any]) -> Iterator[tuple[tuple[str | int, ...], str]]:
    """The arguments that a schema is about and does not require, so that it holds where they are left out."""
    for name in schema.get("properties", {}):
        if name not in schema.get("required", ()):
            yield ("properties", name), name
    for part, inner in _parts(schema):
        if part[0] in ("allOf", "anyOf", "oneOf") and isinstance(inner, dict):
            required = {*inner.get("required", ()), *schema.get("required", ())}
            yield from (((*part, *place), name) for place, name in optional(inner) if name not in required)
