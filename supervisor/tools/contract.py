"""The contract of a tool: what it declares, what it is given, what it returns."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path
from typing import Any, Literal, Protocol

from supervisor.core.errors import ToolError
from supervisor.core.messages import Json, ToolSpec


class Emit(Protocol):
    """Says that something happened; gives the sessions that it woke. Raises ToolError."""

    async def __call__(self, type: str, data: Any = None) -> list[str]: ...


async def emit_nowhere(type: str, data: Any = None) -> list[str]:
    """For a context that was made by hand."""
    raise ToolError(f"The event `{type[:80]}` cannot be emitted: nothing here delivers events.")


@dataclass(frozen=True)
class ToolContext:
    """What a running tool may know and say. `folder` is the session's own folder and exists.

    `await ctx.emit(type, data)` emits an event; the call, run again after a crash, tells nobody twice.
    """

    session_id: str
    call_id: str
    idempotency_key: str
    attempt: int
    folder: Path
    emit: Emit = emit_nowhere


@dataclass(frozen=True)
class ToolOutput:
    """`content` is what the model and people read; `artifacts` are paths written, relative to the folder."""

    content: str
    artifacts: tuple[str, ...] = field(default=())


Run = Callable[[Json, ToolContext], Awaitable[ToolOutput]]
Verdict = Literal["done", "not_done", "unknown"]
Verify = Callable[[Json, ToolContext], Awaitable[tuple[Verdict, str]]]


@dataclass(frozen=True)
class Tool:
    """One tool.

    `changes`: it may change something outside, so the default policy is to ask.
    `idempotent`: running it again with the same key is harmless, so a crash needs no person.
    `interruptible`: cancelling the session may stop it half-way.
    `control`: never run; the control loop answers it (`ask_human`).
    `validate` returns the canonical arguments or raises InvalidArguments.
    `verify` tells after a crash whether a call took effect, with its result text.
    """

    spec: ToolSpec
    validate: Callable[[Any], Json]
    run: Run
    changes: bool = True
    idempotent: bool = False
    interruptible: bool = True
    control: bool = False
    timeout: timedelta = timedelta(minutes=2)
    verify: Verify | None = None

    @property
    def name(self) -> str:
        return self.spec.name


Toolset = dict[str, Tool]
