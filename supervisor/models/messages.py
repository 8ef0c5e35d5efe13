"""Converts Flagman's conversation to the messages of pydantic-ai, and its response to an `Answer`.

Importing this module imports pydantic-ai, which takes seconds: only `client` does, off the event loop.
"""

from __future__ import annotations

import hashlib
import json
import logging
import re
from collections.abc import Iterable
from dataclasses import dataclass
from decimal import Decimal

import pydantic_core
from pydantic import ValidationError
from pydantic_ai import messages as ai
from pydantic_ai.models import ModelRequestParameters
from pydantic_ai.tools import ToolDefinition

from supervisor.core.messages import (
    Json,
    ModelRequest,
    ModelTurn,
    ProposedCall,
    ToolSpec,
    ToolTurn,
    Turn,
    Usage,
    UserTurn,
)
from supervisor.models.call_shapes import straighten
from supervisor.models.endings import stop_reason

log = logging.getLogger(__name__)

# The form of a call id that all providers accept.
_CALL_ID = re.compile(r"[A-Za-z0-9_-]{1,40}")
NO_RESULT = "No result of this call was recorded."


@dataclass(frozen=True)
class Answer:
    """One response of a provider; `native` is the response as JSON if text and calls do not hold all of it."""

    text: str
    calls: tuple[ProposedCall, ...]
    usage: Usage
    cost_usd: Decimal | None
    native: str | None
    stop_reason: str


# --- towards the provider -------------------------------------------------------------------------


def to_messages(request: ModelRequest) -> list[ai.ModelMessage]:
    """Return the conversation: each model turn as a response, all between two of them as one request."""
    messages: list[ai.ModelMessage] = []
    asked: tuple[ProposedCall, ...] = ()
    said: list[UserTurn | ToolTurn] = []
    for turn in request.turns:
        if not isinstance(turn, ModelTurn):
            said.append(turn)
            continue
        messages += _request(said, asked, request.instructions)
        messages += _response(turn)
        asked, said = turn.calls, []
    return messages + _request(said, asked, request.instructions)


def to_parameters(tools: Iterable[ToolSpec]) -> ModelRequestParameters:
    """Return the tools on offer, as functions that the model may call."""
    return ModelRequestParameters(
        function_tools=[
            ToolDefinition(name=tool.name, description=tool.description, parameters_json_schema=tool.schema_)
            for tool in tools
        ]
    )


def _request(
    said: list[UserTurn | ToolTurn], asked: tuple[ProposedCall, ...], instructions: str
) -> list[ai.ModelMessage]:
    # Providers require the result of each call right after the turn that made it, before messages of people.
    results = {turn.call_id: turn for turn in said if isinstance(turn, ToolTurn)}
    parts: list[ai.ModelRequestPart] = [_result(call, results.pop(call.call_id, None)) for call in asked]
    for turn in said:
        if isinstance(turn, UserTurn):
            parts.append(ai.UserPromptPart(turn.text))
        elif turn.call_id in results:
            # Its call is no longer part of the conversation, so providers accept the result as text only.
            parts.append(ai.UserPromptPart(f"Result of `{turn.tool}`:\n{turn.content}"))
    return [ai.ModelRequest(parts=parts, instructions=instructions or None)] if parts else []


def _result(call: ProposedCall, turn: ToolTurn | None) -> ai.ToolReturnPart:
    if turn is None:
        return ai.ToolReturnPart(_tool_name(call.tool), NO_RESULT, call.call_id, outcome="interrupted")
    return ai.ToolReturnPart(
        _tool_name(call.tool), turn.content, call.call_id, outcome="failed" if turn.failed else "success"
    )


def _response(turn: ModelTurn) -> list[ai.ModelMessage]:
    if turn.native is not None and (restored := _restore(turn.native)):
        return restored
    parts: list[ai.ModelResponsePart] = [ai.TextPart(turn.text)] if turn.text else []
    parts += [ai.ToolCallPart(_tool_name(call.tool), call.arguments, call.call_id) for call in turn.calls]
    return [ai.ModelResponse(parts=parts)] if parts else []


def _restore(native: str) -> list[ai.ModelMessage]:
    try:
        return ai.ModelMessagesTypeAdapter.validate_json(native)
    except ValidationError:
        # Text and calls hold the same content without the provider's extras, so the session can go on.
        log.warning("A stored provider message is not readable by this version; its text and calls are used.")
        return []


# --- back from the provider -----------------------------------------------------------------------


def to_answer(response: ai.ModelResponse, turns: tuple[Turn, ...]) -> Answer:
    """Return the response as an answer, with call ids that are unique in the whole conversation `turns`."""
    for part in response.tool_calls:
        straighten(part)
    tools = [part.tool_name for part in response.tool_calls]
    _number_calls(response, turns)
    return Answer(
        text=response.text or "",
        calls=tuple(
            ProposedCall(call_id=part.tool_call_id, tool=tool, arguments=_arguments(part.args))
            for part, tool in zip(response.tool_calls, tools, strict=True)
        ),
        usage=Usage(
            input_tokens=response.usage.input_tokens,
            output_tokens=response.usage.output_tokens,
            cached_tokens=response.usage.cache_read_tokens,
        ),
        cost_usd=_cost(response),
        native=_native(response),
        stop_reason=stop_reason(response),
    )


def _number_calls(response: ai.ModelResponse, turns: tuple[Turn, ...]) -> None:
    # Some local servers number the calls of every turn from zero, but an approval needs a unique id.
    taken = {call.call_id for turn in turns if isinstance(turn, ModelTurn) for call in turn.calls}
    for part in response.tool_calls:
        given = part.tool_call_id or "call"
        if not _CALL_ID.fullmatch(given):
            given = f"call_{hashlib.sha256(given.encode(errors='replace')).hexdigest()[:24]}"
        part.tool_name = _tool_name(part.tool_name)
        unique, copies = given, 1
        while unique in taken:
            copies += 1
            unique = f"{given}_{copies}"
        taken.add(unique)
        part.tool_call_id = unique


def _tool_name(name: str) -> str:
    """Return the name in a form that all providers accept, also where the model invented it."""
    return re.sub(r"[^A-Za-z0-9_-]", "_", name)[:64] or "unknown"


def _arguments(args: str | Json | None) -> Json | str:
    if isinstance(args, dict):
        return args
    if not args:
        return {}
    try:
        # NaN and Infinity are not JSON and have no canonical form to approve.
        parsed = pydantic_core.from_json(args, allow_inf_nan=False)
        # A number that is too large for a float is read as infinite.
        json.dumps(parsed, allow_nan=False)
    except (ValueError, RecursionError):
        return args
    return parsed if isinstance(parsed, dict) else args


def _cost(response: ai.ModelResponse) -> Decimal | None:
    if not response.model_name:
        return None
    try:
        return response.cost().total_price
    except (LookupError, ValueError):
        # LookupError: the price is not known. ValueError: the provider did not report the usage.
        return None


def _native(response: ai.ModelResponse) -> str | None:
    if all(_plain(part) for part in response.parts):
        return None
    return ai.ModelMessagesTypeAdapter.dump_json([response]).decode()


def _plain(part: ai.ModelResponsePart) -> bool:
    # Texts and calls may also have signatures, in `provider_details`.
    return isinstance(part, ai.TextPart | ai.ToolCallPart) and not part.provider_details
