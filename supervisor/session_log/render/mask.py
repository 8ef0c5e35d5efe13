"""Masks the secrets in events and personas, of which a SESSION_LOG is made."""

from __future__ import annotations

from collections.abc import Iterable
from functools import cache
from typing import Any, Literal, TypeVar, get_origin

from supervisor.core.events import Event, ToolCall
from supervisor.core.messages import Frozen, Json
from supervisor.core.persona import Persona
from supervisor.core.text.masking import Masker, masked_json

Made = TypeVar("Made", bound=Frozen)


def masked_events(events: Iterable[Event], mask: Masker) -> tuple[Event, ...]:
    return tuple(_model(event, mask) for event in events)


def masked_persona(persona: Persona, mask: Masker) -> Json:
    """Return the persona as JSON, since the masked values may not make a valid Persona."""
    found: Json = _value(persona.model_dump(mode="json", exclude_defaults=True), mask)
    return found


def _model(model: Made, mask: Masker) -> Made:
    changes = {name: _value(getattr(model, name), mask) for name in _free(type(model))}
    if isinstance(model, ToolCall):
        # Arguments that run, or ran, are shown; only known secrets in them are masked.
        changes["arguments"] = mask.arguments(model.arguments)
    changed = {name: value for name, value in changes.items() if value is not getattr(model, name)}
    return model.model_copy(update=changed) if changed else model


@cache
def _free(kind: type[Frozen]) -> tuple[str, ...]:
    """Return the names of all fields that are not a Literal, whose values cannot contain secrets."""
    return tuple(name for name, f in kind.model_fields.items() if get_origin(f.annotation) is not Literal)


def _value(value: Any, mask: Masker) -> Any:
    """Return the value with secrets masked; where there are none, the same object (lists and dicts are copied)."""
    match value:
        case str():
            hidden = mask(value)
            return value if hidden == value else hidden
        case Frozen():
            return _model(value, mask)
        case tuple():
            row = tuple(_value(item, mask) for item in value)
            return value if all(a is b for a, b in zip(row, value, strict=True)) else row
        case list() | dict():
            return masked_json(value, mask)
        case _:
            return value
