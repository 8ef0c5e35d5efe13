"""Checks the JSON Schema of a rule against those of the tools that the rule is for."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from typing import Any

from supervisor.core.persona import ApprovalRule
from supervisor.core.rules.schema import Problem, named_arguments, optional, problems, types_named


def schema_problems(rule: ApprovalRule, tools: Mapping[str, Mapping[str, Any]]) -> Iterator[Problem]:
    """What is wrong with `arguments` of a rule, by the schemas of its tools: it is no schema, or can never hold."""
    schema = rule.arguments
    assert schema is not None, "only for a rule with a schema"
    wrong = list(problems(schema))
    yield from wrong
    if wrong:
        return
    if not schema:
        yield (), "an empty schema holds for every call; leave it out"
    if types_named(schema) and "object" not in types_named(schema):
        yield (), "the arguments of a call are an object"
    known = {name for declared in tools.values() for name in declared.get("properties", {})}
    for name, (place, inner) in named_arguments(schema).items():
        if name not in known:
            said = ", ".join(sorted(known)) or "none"
            yield place, f"`{rule.tool}` has no argument `{name}`; there are {said}"
            continue
        found = [declared.get("properties", {}).get(name, {}) for declared in tools.values()]
        types = {one for part in found for one in types_of(part)}
        wanted = set(types_named(inner))
        if types and wanted and not types & wanted:
            yield place, f"`{name}` is {either(types)}, which this schema never fits"
    if rule.mode == "allow":
        for place, name in optional(schema):
            yield place, f"name `{name}` in `required`, or the rule also allows calls without it"


def types_of(schema: Mapping[str, Any]) -> Iterator[str]:
    """The JSON types that the schema of a tool names for an argument."""
    for part in (schema, *schema.get("anyOf", ())):
        given = part.get("type", ())
        yield from [given] if isinstance(given, str) else given


def either(types: Collection[str]) -> str:
    """Return `a string or an integer`."""
    return " or ".join(f"{'an' if one[0] in 'aio' else 'a'} {one}" for one in sorted(types))
