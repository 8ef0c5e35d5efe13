"""Accepts tool calls of local servers that differ from OpenAI's format where their meaning is clear.

Importing this module imports pydantic-ai, which takes seconds: only `client` does, off the event loop.
"""

from __future__ import annotations

import json
from typing import Any

from openai.types import chat
from pydantic_ai.messages import ToolCallPart
from pydantic_ai.models import Model
from pydantic_ai.models.openai import OpenAIChatModel


def accept_odd_calls(model: Model) -> None:
    """Have `model` read calls whose parts are missing or of another type; see `to_text` and `to_arguments`."""
    if not isinstance(model, OpenAIChatModel):
        return
    validate = model._validate_completion

    def tolerant(response: chat.ChatCompletion) -> Any:
        data = response.model_dump(warnings=False)
        for choice in _list(data.get("choices")):
            for call in _list(_object(_object(choice).get("message")).get("tool_calls")):
                _mend(_object(call))
        return validate(chat.ChatCompletion.construct(**data))

    model._validate_completion = tolerant  # type: ignore[method-assign]


def straighten(part: ToolCallPart) -> None:
    """Give a call texts for its id and name; not every model class of pydantic-ai checks what came."""
    part.tool_call_id = to_text(part.tool_call_id)
    part.tool_name = to_text(part.tool_name)
    if not isinstance(part.args, dict):
        part.args = to_arguments(part.args)


def to_text(value: Any) -> str:
    """Return a text, or a number as text; empty for anything else. An empty id gets a number of its own later."""
    return str(value) if isinstance(value, str | int) and not isinstance(value, bool) else ""


def to_arguments(value: Any) -> str:
    """Return arguments as text; a JSON value that is not a text is encoded."""
    if value is None:
        return "{}"
    return value if isinstance(value, str) else json.dumps(value)


def _mend(call: dict[str, Any]) -> None:
    # Some servers put the name and the arguments beside the id, or the whole call under `custom`.
    custom = _object(call.pop("custom", None))
    function = _object(call.get("function")) or {
        "name": custom.get("name", call.get("name")),
        "arguments": custom.get("input", call.get("arguments")),
    }
    if not function.get("name") and not call.get("function"):
        return
    call["type"], call["function"] = "function", function
    call["id"] = to_text(call.get("id"))
    function["name"] = to_text(function.get("name"))
    function["arguments"] = to_arguments(function.get("arguments"))


def _list(value: Any) -> list[Any]:
    return value if isinstance(value, list) else []


def _object(value: Any) -> dict[str, Any]:
    return value if isinstance(value, dict) else {}
