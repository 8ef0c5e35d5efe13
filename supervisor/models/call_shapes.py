"""Accepts tool calls of local servers that differ from OpenAI's format where their meaning is clear.

Importing this module imports pydantic-ai, which takes seconds: only `client` does, off the event loop.
"""

from __future__ import annotations

import json
from typing import Any

from openai.types import chat
from pydantic_ai.models import Model
from pydantic_ai.models.openai import OpenAIChatModel


def accept_odd_calls(model: Model) -> None:
    """Have `model` accept calls whose id is missing or a number, or whose arguments are an object."""
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


def _mend(call: dict[str, Any]) -> None:
    function = _object(call.get("function"))
    if not function:
        return
    call["type"] = call.get("type") or "function"
    given = call.get("id")
    # `messages.to_answer` replaces an empty id.
    call["id"] = str(given) if isinstance(given, str | int) else ""
    arguments = function.get("arguments")
    if not isinstance(arguments, str):
        function["arguments"] = "{}" if arguments is None else json.dumps(arguments)


def _list(value: Any) -> list[Any]:
    return value if isinstance(value, list) else []


def _object(value: Any) -> dict[str, Any]:
    return value if isinstance(value, dict) else {}
