"""The interface of tools: their declaration, their context and their output."""

from __future__ import annotations

import math
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path
from typing import Any, Literal, Protocol

from supervisor.core.errors import ToolError
from supervisor.core.messages import Json, ToolDefinition, ToolSpec
from supervisor.core.persona import Grants
from supervisor.tools.executor import Executor
from supervisor.tools.inputs import Ask, Continued, nobody
from supervisor.tools.path_guard import Folder, open_folder


class Emit(Protocol):
    """Emits an event and returns the ids of the sessions that it resumed. Raises ToolError."""

    async def __call__(self, type: str, data: Any = None) -> list[str]: ...


async def emit_nowhere(type: str, data: Any = None) -> list[str]:
    """Raise ToolError; the default of `ToolContext.emit`."""
    raise ToolError(f"The event `{type[:80]}` cannot be emitted: nothing here delivers events.")


def unseen(output: bytes) -> None:
    """Do nothing; the default of `ToolContext.printed`."""


@dataclass(frozen=True)
class ToolContext:
    """The context of a running tool. `folder` is the path of the session's own folder, which exists.

    Others may write above that folder (the launcher of a sub-agent): a tool that works in it uses `held()`.
    `await ctx.emit(type, data)` emits an event; a call that runs again after a crash does not deliver it twice.
    `executor` runs commands, with what the persona `grants` them. After `begin_by`, in seconds of the monotonic clock,
    another worker may have the call: a tool that has something to prepare raises NotBegun where its effect would begin
    later. The output is masked after the call; a tool that cuts it uses `mask` before. What a tool prints while it runs
    is given to `printed`: people see the last lines of it. `ask` asks people for something while it runs; a tool
    that can be continued later raises InputNeeded instead, and finds the answers in `continued`.
    """

    session_id: str
    call_id: str
    idempotency_key: str
    attempt: int
    folder: Path
    emit: Emit = emit_nowhere
    executor: Executor = field(default_factory=Executor)
    grants: Grants = field(default_factory=Grants)
    begin_by: float = math.inf
    root: Folder | None = None
    mask: Callable[[str], str] = str
    printed: Callable[[bytes], None] = unseen
    ask: Ask = nobody
    continued: Continued | None = None

    def held(self) -> Folder:
        """Return the session's folder as it was opened at the start of the call, whatever is at its path now."""
        return self.root or open_folder(self.folder)


@dataclass(frozen=True)
class ToolOutput:
    """The output of a tool: the model and people read `content`, `artifacts` are paths of written files."""

    content: str
    artifacts: tuple[str, ...] = field(default=())


class OutcomeUnknown(Exception):
    """A call that was handed over, and of which it is not known whether it took effect; the text says why."""


class ConnectionRequired(Exception):
    """A person has to connect a server before anything can be done there as this person; the text says why."""

    def __init__(self, server: str, person: str, why: str = "") -> None:
        super().__init__(why)
        self.server, self.person = server, person


Run = Callable[[Json, ToolContext], Awaitable[ToolOutput]]
Verdict = Literal["done", "not_done", "unknown"]
Verify = Callable[[Json, ToolContext], Awaitable[tuple[Verdict, str]]]
Preview = Callable[[Json, ToolContext], Awaitable[str]]
Prepare = Callable[[ToolContext], Awaitable[None]]


@dataclass(frozen=True)
class Tool:
    """One tool.

    `changes`: it may change something outside, so by default its calls need an approval.
    `destructive`: what it changes cannot be had back, as a deletion; people are told so before they approve.
    `idempotent`: running it again with the same key is harmless, so it is run again after a crash.
    `interruptible`: cancelling the session stops a running call.
    `control`: it never runs; the control loop carries it out (`ask_human`).
    `validate` returns the canonical arguments or raises InvalidArguments.
    `verify` returns after a crash whether a call took effect, and the text of its result.
    `preview` returns what a call would do as things stand, such as a difference, and changes nothing.
    `definition` is what a server says of it, where it is the tool of a server. `prepare` is awaited before a call
    begins, and raises NotBegun where it cannot.
    """

    spec: ToolSpec
    validate: Callable[[Any], Json]
    run: Run
    changes: bool = True
    destructive: bool = False
    idempotent: bool = False
    interruptible: bool = True
    control: bool = False
    timeout: timedelta = timedelta(minutes=2)
    verify: Verify | None = None
    preview: Preview | None = None
    definition: ToolDefinition | None = None
    prepare: Prepare | None = None

    @property
    def name(self) -> str:
        return self.spec.name

    @property
    def risk(self) -> Literal["reads", "repeatable", "changes", "destructive"]:
        """What a call may do by the declaration: read only, change what may be repeated, change, or destroy."""
        if self.destructive:
            return "destructive"
        if not self.changes:
            return "reads"
        return "repeatable" if self.idempotent else "changes"


Toolset = dict[str, Tool]
