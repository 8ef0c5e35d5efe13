"""Reads from any JSON schema what an input needs to know about each argument."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from supervisor.core.messages import Json

MOST_HOPS = 20


@dataclass(frozen=True)
class Argument:
    """One argument. `rule` is its schema with references resolved; `nullable` says that it may be null."""

    name: str
    rule: Json
    required: bool
    nullable: bool

    @property
    def description(self) -> str:
        return str(self.rule.get("description") or "")

    @property
    def default(self) -> Any:
        return self.rule.get("default")

    @property
    def choices(self) -> list[Any] | None:
        """The values that it may have, where the schema lists them."""
        if "const" in self.rule:
            return [self.rule["const"]]
        named = self.rule.get("enum")
        if isinstance(named, list) and (values := [value for value in named if value is not None]):
            return values
        return [True, False] if self.rule.get("type") == "boolean" else None

    @property
    def item(self) -> str:
        """The type of its items where it is a list of simple values; empty otherwise."""
        items = self.rule.get("items")
        if self.rule.get("type") != "array" or not isinstance(items, dict) or "enum" in items:
            return ""
        kind = items.get("type")
        return kind if kind in ("string", "integer", "number") else ""


def arguments(schema: Json, given: Json) -> list[Argument]:
    """Return the arguments in the schema, in its order, then other arguments in `given`."""
    properties, required, defs = (_dict(schema, "properties"), schema.get("required"), _dict(schema, "$defs"))
    names = [*properties, *(name for name in given if name not in properties)]
    must = required if isinstance(required, list) else []
    return [_argument(name, properties.get(name), name in must, defs) for name in names]


def _dict(schema: Json, key: str) -> Json:
    value = schema.get(key)
    return value if isinstance(value, dict) else {}


def _argument(name: str, rule: Any, required: bool, defs: Json) -> Argument:
    nullable = False
    found: Json = dict(rule) if isinstance(rule, dict) else {}
    for _ in range(MOST_HOPS):
        ref, any_of = found.get("$ref"), found.get("anyOf") or found.get("oneOf") or found.get("allOf")
        if isinstance(ref, str):
            inner = defs.get(ref.removeprefix("#/$defs/"))
            found = _merge(found, inner, "$ref")
        elif isinstance(any_of, list):
            others = [one for one in any_of if one != {"type": "null"}]
            nullable = nullable or len(others) < len(any_of)
            if len(others) != 1:
                break
            found = _merge(found, others[0], "anyOf", "oneOf", "allOf")
        elif isinstance(found.get("type"), list):
            kinds = [kind for kind in found["type"] if kind != "null"]
            nullable = nullable or len(kinds) < len(found["type"])
            found = {**found, "type": kinds[0] if len(kinds) == 1 else None}
        else:
            break
    return Argument(name, found, required, nullable or None in (found.get("enum") or ()))


def _merge(outer: Json, inner: Any, *hops: str) -> Json:
    """Return the inner schema with the keys of the outer one that are beside the reference."""
    beside = {key: value for key, value in outer.items() if key not in hops}
    return {**(inner if isinstance(inner, dict) else {}), **beside}
