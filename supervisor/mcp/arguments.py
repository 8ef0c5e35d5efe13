"""Checks the arguments of a call against the JSON Schema of a server, which may be any and is not trusted."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from supervisor.core.digest import canonical_json
from supervisor.core.errors import InvalidArguments
from supervisor.core.messages import Json, ToolDefinition

MOST_PROBLEMS = 10
MOST_REFERENCES = 10_000
LONGEST_PROBLEM = 300
# A regular expression of a server could take for ever; the server checks these itself.
UNCHECKED = ("pattern", "patternProperties", "format")


def shown_schema(definition: ToolDefinition) -> Json:
    """Return the schema of the arguments that the model chooses: without those that the app gives."""
    schema, provided = definition.schema_, definition.provided
    if not provided:
        return schema
    properties, required = schema.get("properties"), schema.get("required")
    shown = dict(schema)
    if isinstance(properties, dict):
        shown["properties"] = {name: rule for name, rule in properties.items() if name not in provided}
    if isinstance(required, list):
        shown["required"] = [name for name in required if name not in provided]
    return shown


def checked(tool: str, definition: ToolDefinition, given: Any) -> Json:
    """Return the arguments with those that the app gives. Raises InvalidArguments."""
    if not isinstance(given, dict):
        raise InvalidArguments(f"The arguments of `{tool}` must be one valid JSON object.")
    for name, value in definition.provided.items():
        if name in given and canonical(given[name]) != canonical(value):
            problem = "is given by the app and cannot be chosen"
            raise InvalidArguments(
                f"The arguments of `{tool}` do not fit. `{name}`: {problem}.", {name: problem}
            )
    arguments = {**given, **definition.provided}
    try:
        canonical_json(arguments).encode()
    except ValueError as error:
        raise InvalidArguments(f"The arguments of `{tool}` are not JSON: {error}.") from error
    problems = list(_problems(definition.schema_, arguments))
    if problems:
        said = "; ".join(f"`{name or 'arguments'}`: {problem}" for name, problem in problems)
        beside: dict[str, str] = {}
        for name, problem in problems:
            beside.setdefault(name.partition(".")[0], problem)
        raise InvalidArguments(f"The arguments of `{tool}` do not fit. {said}.", beside)
    return arguments


def canonical(value: Any) -> str:
    """Return a text that is the same for equal JSON; for anything else, one that equals no JSON."""
    try:
        return canonical_json(value)
    except ValueError:
        return ""


def _problems(schema: Json, arguments: Json) -> Iterator[tuple[str, str]]:
    from jsonschema.exceptions import SchemaError
    from referencing.exceptions import Unresolvable

    try:
        for count, error in enumerate(_validator(schema).iter_errors(arguments)):
            if count == MOST_PROBLEMS:
                return
            yield ".".join(map(str, error.absolute_path)), error.message[:LONGEST_PROBLEM].rstrip(".")
    except _TooMany:
        yield "", "the schema of the server takes too long to check"
    except (RecursionError, Unresolvable, SchemaError, TypeError, ValueError, KeyError, AttributeError):
        # The server checks them itself by a schema that it understands.
        return


class _TooMany(Exception):
    """The schema refers to itself too often."""


def _validator(schema: Json) -> Any:
    """Return a validator that reads nothing from elsewhere and runs no regular expression."""
    from jsonschema import Draft202012Validator, validators
    from referencing import Registry

    left = MOST_REFERENCES
    follow = Draft202012Validator.VALIDATORS["$ref"]
    additional = Draft202012Validator.VALIDATORS["additionalProperties"]

    def count_references(validator: Any, ref: Any, instance: Any, rule: Mapping[str, Any]) -> Iterator[Any]:
        nonlocal left
        left -= 1
        if left < 0:
            raise _TooMany
        yield from follow(validator, ref, instance, rule) or ()

    def without_patterns(validator: Any, given: Any, instance: Any, rule: Mapping[str, Any]) -> Iterator[Any]:
        if "patternProperties" not in rule:
            yield from additional(validator, given, instance, rule) or ()

    rules: dict[str, Any] = {
        **dict.fromkeys(UNCHECKED),
        "$ref": count_references,
        "$dynamicRef": None,
        "additionalProperties": without_patterns,
        "unevaluatedProperties": None,
        "unevaluatedItems": None,
        "uniqueItems": None,
    }
    without = {name: rule for name, rule in Draft202012Validator.VALIDATORS.items() if name not in rules}
    checks = {**without, **{name: rule for name, rule in rules.items() if rule}}
    kind = validators.create(meta_schema={}, validators=checks, version=None)
    return kind(schema, registry=Registry())
