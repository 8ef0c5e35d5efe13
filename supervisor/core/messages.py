"""Requests to the model (turns and tools) and its reply, independent of any provider."""

from __future__ import annotations

from decimal import Decimal
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, SkipValidation

Json = dict[str, Any]


class Frozen(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class Usage(Frozen):
    """Tokens of one model call."""

    input_tokens: int = 0
    output_tokens: int = 0
    cached_tokens: int = 0

    def __add__(self, other: Usage) -> Usage:
        return Usage(
            input_tokens=self.input_tokens + other.input_tokens,
            output_tokens=self.output_tokens + other.output_tokens,
            cached_tokens=self.cached_tokens + other.cached_tokens,
        )


class ProposedCall(Frozen):
    """A tool call as the model wrote it. `arguments` is the raw text when it was not a JSON object."""

    call_id: str
    tool: str
    arguments: Json | str


class UserTurn(Frozen):
    type: Literal["user"] = "user"
    text: str


class ModelTurn(Frozen):
    """A turn of the model. `native`: the provider's own message as JSON, where text and calls lose something."""

    type: Literal["model"] = "model"
    text: str = ""
    calls: tuple[ProposedCall, ...] = ()
    native: str | None = None


class ToolTurn(Frozen):
    """The result of one call, in the form that the model reads."""

    type: Literal["tool"] = "tool"
    call_id: str
    tool: str
    content: str
    failed: bool = False


Turn = Annotated[UserTurn | ModelTurn | ToolTurn, Field(discriminator="type")]


class ToolSpec(Frozen):
    """A tool as it is offered to the model; `schema_` is a JSON schema of an object."""

    name: str
    description: str
    schema_: Json


class ModelRequest(Frozen):
    """One request; `model` is `provider:name`, or None for the default.

    With the purpose `summary` only the text of the reply is used, not its calls.
    """

    session_id: str
    model: str | None
    instructions: str
    turns: SkipValidation[tuple[Turn, ...]]
    tools: tuple[ToolSpec, ...]
    purpose: Literal["step", "summary"] = "step"


class ModelReply(Frozen):
    """One answer. `cost_usd` is None where the price of the model is not known.

    `stop_reason` is the provider's own word for why the turn ended; empty where it is not known.
    """

    text: str
    calls: tuple[ProposedCall, ...]
    usage: Usage
    cost_usd: Decimal | None
    model: str
    duration_ms: int
    native: str | None = None
    stop_reason: str = ""
