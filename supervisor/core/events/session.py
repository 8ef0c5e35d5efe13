"""Events about a session as a whole: its launch, messages, pauses, timers, budgets and end."""

from __future__ import annotations

from datetime import datetime
from decimal import Decimal
from typing import Annotated, Any, ClassVar, Literal

from pydantic import Field

from supervisor.core.conditions import Condition
from supervisor.core.events.base import Fact, PauseReason, ToolCall, Waker
from supervisor.core.events.subagents import Inherited, Lineage
from supervisor.core.messages import Frozen, Json, Usage
from supervisor.core.persona import Approvers, Budgets


class SessionLaunched(Fact):
    """The launch; `asked_by` are those who asked for it besides the actor, such as the maker of a schedule."""

    type: Literal["SessionLaunched"] = "SessionLaunched"
    doing: ClassVar[str] = "Launching it again"
    task: str
    persona: str
    persona_digest: str
    budgets: Budgets = Budgets()
    origin: Json = Field(default_factory=dict)
    lineage: Lineage | None = None
    asked_by: tuple[str, ...] = ()


class GivenFile(Frozen):
    """A file that a person attached, as the place `source` has it; `size` is in bytes."""

    source: str
    name: str
    size: Annotated[int, Field(ge=0)] = 0


class TakenFile(Frozen):
    """An attached file that is in the session's folder at `path`; `size` is in bytes."""

    source: str
    path: str
    size: int


class LostFile(Frozen):
    """An attached file that could not be taken into the session's folder, with the reason."""

    source: str
    name: str
    problem: str


class ContextAdded(Fact):
    """A message of a person or system to the session; `kind` says how it came, `persona` whose note it passes on.

    `files` are attached, and are taken into the session's folder by the next job.
    """

    type: Literal["ContextAdded"] = "ContextAdded"
    doing: ClassVar[str] = "Adding context"
    text: str
    kind: Literal["reply", "mention", "command", "api"] = "reply"
    persona: str = ""
    files: tuple[GivenFile, ...] = ()


class FilesTaken(Fact):
    """Attached files are in the session's folder, or could not be taken."""

    type: Literal["FilesTaken"] = "FilesTaken"
    doing: ClassVar[str] = "Taking attached files"
    taken: tuple[TakenFile, ...] = ()
    lost: tuple[LostFile, ...] = ()


class ModelResponded(Fact):
    """An answer of the model, which had been shown `context_seen` items of the inbox.

    `step` is the step that the answer was requested for, from 1, so that a late one is recognised; 0 if unknown.
    `stop_reason` is the provider's own word for why the turn ended; empty where none was kept.
    """

    type: Literal["ModelResponded"] = "ModelResponded"
    doing: ClassVar[str] = "An answer of the model"
    text: str
    step: Annotated[int, Field(ge=0)] = 0
    calls: tuple[ToolCall, ...] = ()
    usage: Usage = Usage()
    cost_usd: Decimal | None = None
    model: str
    duration_ms: int = 0
    context_seen: int = 0
    native: str | None = None
    stop_reason: str = ""


class Paused(Fact):
    """A pause until one of `conditions`, or a person, resumes it; for `approval` that takes the right to decide.

    `approvers` are those of that approval, and `also` further rules, each to be satisfied; None in logs from before it
    was a request of its own. `requesters` are who paused it so, and who told the agent what to do. `too_few`: fewer
    people could approve than it takes.

    In a session that is paused already it adds its conditions, or `replaces` those of before. With `cascade` the
    sub-agents pause, too, and go on with it.
    """

    type: Literal["Paused"] = "Paused"
    doing: ClassVar[str] = "Pausing"
    reason: PauseReason
    detail: str = ""
    conditions: tuple[Condition, ...] = ()
    approvers: Approvers | None = None
    also: tuple[Approvers, ...] = ()
    requesters: tuple[str, ...] = ()
    too_few: bool = False
    replaces: bool = False
    cascade: bool = False


class Resumed(Fact):
    """The end of a pause; `condition` is the text of the one that came true, `data` came with it, untrusted.

    With `compact` the earlier steps are summed up before the model is asked again. `delivery` is the id of the webhook
    or event that resumed it.
    """

    type: Literal["Resumed"] = "Resumed"
    doing: ClassVar[str] = "Resuming"
    trigger: Waker = "manual"
    condition: str = ""
    data: Any = None
    context: str = ""
    compact: bool = False
    delivery: str = ""


class TimerSet(Fact):
    """A reminder at `due`; `about` names the approval request that it is about, if any."""

    type: Literal["TimerSet"] = "TimerSet"
    doing: ClassVar[str] = "Setting a reminder"
    timer_id: str
    due: datetime
    text: str = ""
    about: str = ""


class TimerFired(Fact):
    type: Literal["TimerFired"] = "TimerFired"
    doing: ClassVar[str] = "Firing a reminder"
    timer_id: str


class TimerDropped(Fact):
    type: Literal["TimerDropped"] = "TimerDropped"
    doing: ClassVar[str] = "Dropping a reminder"
    timer_id: str


class BudgetRaised(Fact):
    type: Literal["BudgetRaised"] = "BudgetRaised"
    doing: ClassVar[str] = "Raising the budget"
    budgets: Budgets


class Compacted(Fact):
    """From now on the model reads `summary` in place of the steps up to `through_step`; the log keeps them all."""

    type: Literal["Compacted"] = "Compacted"
    doing: ClassVar[str] = "Summing up earlier steps"
    through_step: int
    summary: str
    usage: Usage = Usage()
    cost_usd: Decimal | None = None
    model: str = ""
    duration_ms: int = 0


class ActionRefused(Fact):
    """An actor without the right tried to do something, which `attempt` names; nothing was done.

    `about` is the call that it was about, if any.
    """

    type: Literal["ActionRefused"] = "ActionRefused"
    doing: ClassVar[str] = "Recording a refusal"
    attempt: str
    problem: str
    about: str = ""


class SessionForked(Fact):
    """Everything before this was copied from the first `version` events of `source`, up to its step `step`.

    `requesters` are those who had asked for the source, `files` what it had written by then or had been given, of
    which `missing` were not on the machine that took the request.
    """

    type: Literal["SessionForked"] = "SessionForked"
    doing: ClassVar[str] = "Copying it"
    source: str
    step: int
    version: int
    requesters: tuple[str, ...] = ()
    files: Inherited | None = None
    missing: tuple[str, ...] = ()


class SessionRestored(Fact):
    """Everything before this came from a SESSION_LOG whose chain ends in `chain`.

    `lost` are open calls whose arguments held a secret, which no SESSION_LOG keeps: they will not run. `missing` are
    files of the session that are not on the machine where it was restored.
    """

    type: Literal["SessionRestored"] = "SessionRestored"
    doing: ClassVar[str] = "Restoring it"
    chain: str
    lost: tuple[str, ...] = ()
    missing: tuple[str, ...] = ()


class Completed(Fact):
    type: Literal["Completed"] = "Completed"
    doing: ClassVar[str] = "Completing"
    summary: str


class Failed(Fact):
    type: Literal["Failed"] = "Failed"
    doing: ClassVar[str] = "Failing"
    error: str


class Cancelled(Fact):
    type: Literal["Cancelled"] = "Cancelled"
    doing: ClassVar[str] = "Cancelling"
    reason: str = ""


SessionFact = (
    SessionLaunched
    | ContextAdded
    | FilesTaken
    | ModelResponded
    | Paused
    | Resumed
    | TimerSet
    | TimerFired
    | TimerDropped
    | BudgetRaised
    | Compacted
    | ActionRefused
    | SessionForked
    | SessionRestored
    | Completed
    | Failed
    | Cancelled
)
