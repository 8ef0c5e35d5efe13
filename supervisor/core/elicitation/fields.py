"""Reads the flat schema of a server's request into the fields of a form."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any, Literal

from supervisor.core.messages import Json
from supervisor.core.text.visible import one_line

MOST_FIELDS, MOST_CHOICES, LONGEST_NAME, LONGEST_LABEL = 25, 100, 80, 500
Kind = Literal["text", "number", "integer", "boolean", "choice", "choices"]
_SIMPLE: dict[str, Kind] = {
    "string": "text",
    "number": "number",
    "integer": "integer",
    "boolean": "boolean",
}
_WORDS = re.compile(r"[A-Z]?[a-z]+|[A-Z]+(?![a-z])")
_SECRET = {
    "password",
    "passwd",
    "passphrase",
    "secret",
    "token",
    "credential",
    "credentials",
    "apikey",
    "otp",
}
_SECRET_PAIRS = {("api", "key"), ("access", "key"), ("private", "key"), ("pass", "word")}


class Unfillable(ValueError):
    """People cannot fill this form in here; the text says why."""


@dataclass(frozen=True)
class FormField:
    """One field. `choices` are its values with their titles; `rule` is what the server wrote of it."""

    name: str
    kind: Kind
    required: bool
    rule: Json
    choices: tuple[tuple[str, str], ...] = ()

    @property
    def label(self) -> str:
        return one_line(str(self.rule.get("title") or self.name), LONGEST_NAME)

    @property
    def description(self) -> str:
        return one_line(str(self.rule.get("description") or ""), LONGEST_LABEL)

    @property
    def default(self) -> Any:
        """What the server proposes; None where it proposes nothing that fits."""
        given = self.rule.get("default")
        match self.kind:
            case "boolean":
                fits = isinstance(given, bool)
            case "number" | "integer":
                fits = isinstance(given, int | float) and not isinstance(given, bool)
            case "choices":
                values = {value for value, _ in self.choices}
                fits = isinstance(given, list) and all(isinstance(g, str) and g in values for g in given)
            case "choice":
                fits = isinstance(given, str) and given in {value for value, _ in self.choices}
            case _:
                fits = isinstance(given, str)
        return given if fits else None

    @property
    def is_secret(self) -> bool:
        """Whether it seems to ask for a password or a key, which would stand in the log."""
        if self.kind != "text":
            return False
        words = [w.lower() for part in (self.name, self.label) for w in (*_WORDS.findall(part), "")]
        return bool(_SECRET & set(words)) or any(p in _SECRET_PAIRS for p in pairwise(words))


def form_fields(schema: Json) -> tuple[FormField, ...]:
    """Return the fields of a schema. Raises Unfillable."""
    properties, required = schema.get("properties"), schema.get("required")
    if not schema:
        return ()
    if schema.get("type") != "object" or not isinstance(properties, dict):
        raise Unfillable("its schema is not that of an object")
    if len(properties) > MOST_FIELDS:
        raise Unfillable(f"it has {len(properties):,} fields, and {MOST_FIELDS} can be shown")
    must = required if isinstance(required, list) else []
    return tuple(_field(name, rule, name in must) for name, rule in properties.items())


def _field(name: str, rule: Any, required: bool) -> FormField:
    shown = one_line(name, 40)
    if not isinstance(rule, dict) or not name or len(name) > LONGEST_NAME:
        raise Unfillable(f"its field `{shown}` cannot be shown")
    rule = _without_null(rule)
    kind = rule.get("type")
    if kind == "array":
        items = rule.get("items")
        if not isinstance(items, dict) or not (choices := _choices(items, shown)):
            raise Unfillable(f"its field `{shown}` is a list of other things than choices")
        return FormField(name, "choices", required, rule, choices)
    if not isinstance(kind, str) or kind not in _SIMPLE:
        raise Unfillable(f"its field `{shown}` is no text, number, choice, or yes or no")
    if kind == "string" and (choices := _choices(rule, shown)):
        return FormField(name, "choice", required, rule, choices)
    return FormField(name, _SIMPLE[kind], required, rule)


def _without_null(rule: Json) -> Json:
    """Return the rule of a field that may be null as that of its values: what is left empty is left out."""
    kinds, either = rule.get("type"), rule.get("anyOf")
    if isinstance(kinds, list) and len(kinds) == 2 and "null" in kinds:
        return {**rule, "type": next((kind for kind in kinds if kind != "null"), None)}
    if isinstance(either, list) and len(either) == 2 and {"type": "null"} in either:
        values = next((one for one in either if one != {"type": "null"}), None)
        if isinstance(values, dict):
            return {**values, **{name: value for name, value in rule.items() if name != "anyOf"}}
    return rule


def _choices(rule: Json, shown: str) -> tuple[tuple[str, str], ...]:
    """Return the values of a rule with their titles, in each of the forms that the protocol has had."""
    titled = rule.get("oneOf") or rule.get("anyOf")
    if isinstance(titled, list):
        found = [(o.get("const"), o.get("title")) for o in titled if isinstance(o, dict)]
    else:
        values, names = rule.get("enum"), rule.get("enumNames")
        if values is None:
            return ()
        values = values if isinstance(values, list) else []
        names = names if isinstance(names, list) and len(names) == len(values) else values
        found = list(zip(values, names, strict=True))
    if not found or len(found) > MOST_CHOICES or not all(isinstance(value, str) for value, _ in found):
        raise Unfillable(f"its field `{shown}` has choices that cannot be shown")
    return tuple((str(value), one_line(str(title or value), LONGEST_NAME) or "–") for value, title in found)


def secrets_in(fields: Sequence[FormField]) -> str:
    """Return the label of the first field that seems to ask for a secret; empty where none does."""
    return next((field.label for field in fields if field.is_secret), "")
