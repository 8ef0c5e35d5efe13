"""The union of all events, and its stored form: one compact JSON object with type and schema version."""

from __future__ import annotations

from typing import Annotated, Any

from pydantic import Field, TypeAdapter, ValidationError

from supervisor.core.errors import LogUnreadable
from supervisor.core.events.base import SCHEMA
from supervisor.core.events.calls import CallFact
from supervisor.core.events.grants import GrantFact
from supervisor.core.events.session import SessionFact
from supervisor.core.events.subagents import SubagentFact

Event = Annotated[SessionFact | CallFact | GrantFact | SubagentFact, Field(discriminator="type")]
_ADAPTER: TypeAdapter[Event] = TypeAdapter(Event)


def encode(event: Event) -> bytes:
    """Return the event as one compact JSON object with type and version, without fields at their defaults."""
    body = event.model_dump_json(exclude_defaults=True, exclude={"type", "v"})
    return f'{{"type":"{event.type}","v":{event.v},{body[1:]}'.encode()


def decode(session_id: str, position: int, data: bytes) -> Event:
    """Return the event at `position` (from 0) of a log. Raises LogUnreadable naming session and position."""
    try:
        return _ADAPTER.validate_json(data)
    except ValidationError as error:
        raise LogUnreadable(session_id, _why(position, data, error)) from error


def _why(position: int, data: bytes, error: ValidationError) -> str:
    probe = TypeAdapter(dict[str, Any])
    try:
        version = probe.validate_json(data).get("v")
    except ValidationError:
        return f"event {position + 1} is damaged (not a JSON object)."
    if isinstance(version, int) and version > SCHEMA:
        return (
            f"event {position + 1} was written by a newer Flagman (schema {version}, this one knows "
            f"{SCHEMA}). Update Flagman to go on with it."
        )
    first = error.errors()[0]
    if first["type"].startswith("union_tag"):
        return f"event {position + 1} is of no known type."
    return f"event {position + 1} is damaged ({'.'.join(map(str, first['loc']))}: {first['msg']})."
