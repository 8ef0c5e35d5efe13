"""Requests to the model (turns and tools) and its reply, independent of any provider."""

from __future__ import annotations

import json
from decimal import Decimal
from difflib import unified_diff
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, SkipValidation

from supervisor.core.digest import digest

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


class ToolDefinition(Frozen):
    """What a server says of one of its tools; it is pinned with each call, and compared before the call runs.

    `name` is the server's own, and `schema_` that of all arguments; `provided` are those that the configuration of the
    server gives, which the model neither sees nor chooses. `destructive`: the server says so. `repeatable`: the server
    says that it is harmless to run a call again. `personal`: it is run as the person who launched the session.
    """

    server: str
    name: str
    description: str = ""
    schema_: Json
    provided: Json = Field(default_factory=dict)
    destructive: bool = False
    repeatable: bool = False
    personal: bool = False

    @property
    def risk(self) -> Literal["destructive", "repeatable", "changes"]:
        """What a call may do. That a tool only reads is not believed."""
        if self.destructive:
            return "destructive"
        return "repeatable" if self.repeatable else "changes"

    @property
    def digest(self) -> str:
        """The digest of all of it; an approval is for this definition only."""
        # Without what was added later, where it says nothing: digests that are stored stay right.
        return digest(self.model_dump(mode="json", exclude=None if self.personal else {"personal"}))

    @property
    def text(self) -> str:
        """The definition as people read and compare it, a line for each part."""
        given = {"arguments given by the app": self.provided} if self.provided else {}
        hints = [word for word in ("destructive", "repeatable") if getattr(self, word)]
        hinted = {"the server says that it is": hints} if hints else {}
        whose = {"runs as": "the person who launched the session"} if self.personal else {}
        rest = {**hinted, **whose, **given, "arguments": self.schema_}
        shown = json.dumps(rest, indent=2, ensure_ascii=False, sort_keys=True)
        return f"{self.server}: {self.name}\n\n{self.description}\n\n{shown}"

    def changes_from(self, earlier: ToolDefinition) -> str:
        """The difference to an earlier definition, line by line."""
        lines = unified_diff(
            earlier.text.splitlines(), self.text.splitlines(), "before", "now", n=2, lineterm=""
        )
        return "\n".join(lines)


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
