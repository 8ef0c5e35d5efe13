"""Masks the secrets in events and personas, of which a SESSION_LOG is made."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from functools import cache
from typing import Any, Literal, TypeVar, get_origin

from supervisor.core.events import Event
from supervisor.core.messages import Frozen, Json
from supervisor.core.persona import Persona

Mask = Callable[[str], str]
Made = TypeVar("Made", bound=Frozen)


def masked_events(events: Iterable[Event], mask: Mask) -> tuple[Event, ...]:
    return tuple(_model(event, mask) for event in events)


def masked_persona(persona: Persona, mask: Mask) -> Json:
    """The persona as JSON, since the masked values may not make a valid Persona."""
    found: Json = _value(persona.model_dump(mode="json", exclude_defaults=True), mask)
    return found


def _model(model: Made, mask: Mask) -> Made:
    changes = {name: _value(getattr(model, name), mask) for name in _free(type(model))}
    changed = {name: value for name, value in changes.items() if value is not getattr(model, name)}
    return model.model_copy(update=changed) if changed else model


@cache
def _free(kind: type[Frozen]) -> tuple[str, ...]:
    """The names of all fields that are not a Literal, whose values cannot contain secrets."""
    return tuple(name for name, f in kind.model_fields.items() if get_origin(f.annotation) is not Literal)


def _value(value: Any, mask: Mask) -> Any:
    """The value with secrets masked; where there are none, the same object (lists and dicts are copied)."""
    match value:
        case str():
            hidden = mask(value)
            return value if hidden == value else hidden
        case Frozen():
            return _model(value, mask)
        case tuple():
            row = tuple(_value(item, mask) for item in value)
            return value if all(a is b for a, b in zip(row, value, strict=True)) else row
        case list():
            return [_value(item, mask) for item in value]
        case dict():
            return _mapping(value, mask)
        case _:
            return value


def _mapping(value: Json, mask: Mask) -> Json:
    found: Json = {}
    for name, item in value.items():
        hidden = mask(name)
        # Two names that became equal by masking are kept apart.
        while hidden in found:
            hidden += "'"
        found[hidden] = _value(item, mask)
    return found
