"""The facts of a session. Each is stored as one JSON object with its type and schema version."""

from __future__ import annotations

from datetime import datetime
from decimal import Decimal
from typing import Annotated, Any, Literal

from pydantic import Field, TypeAdapter, ValidationError

from supervisor.core.conditions import Condition
from supervisor.core.errors import LogUnreadable
from supervisor.core.events.base import SCHEMA as SCHEMA
from supervisor.core.events.base import SYSTEM as SYSTEM
from supervisor.core.events.base import Actor as Actor
from supervisor.core.events.base import Fact as Fact
from supervisor.core.events.base import PauseReason as PauseReason
from supervisor.core.events.base import ToolCall as ToolCall
from supervisor.core.events.base import Trigger as Trigger
from supervisor.core.events.subagents import CallEdited as CallEdited
from supervisor.core.events.subagents import ChildDecided as ChildDecided
from supervisor.core.events.subagents import ChildFinished as ChildFinished
from supervisor.core.events.subagents import ChildLaunched as ChildLaunched
from supervisor.core.events.subagents import ChildrenJoined as ChildrenJoined
from supervisor.core.events.subagents import ChildSkipped as ChildSkipped
from supervisor.core.events.subagents import Compacted as Compacted
from supervisor.core.events.subagents import Inherited as Inherited
from supervisor.core.events.subagents import Lineage as Lineage
from supervisor.core.events.subagents import SessionForked as SessionForked
from supervisor.core.events.subagents import SessionRestored as SessionRestored
from supervisor.core.messages import Json, Usage
from supervisor.core.persona import Budgets


class SessionLaunched(Fact):
    type: Literal["SessionLaunched"] = "SessionLaunched"
    task: str
    persona: str
    persona_digest: str
    budgets: Budgets = Budgets()
    origin: Json = Field(default_factory=dict)
    lineage: Lineage | None = None


class ContextAdded(Fact):
    """A person or system told the session something; `kind` says how it came."""

    type: Literal["ContextAdded"] = "ContextAdded"
    text: str
    kind: Literal["reply", "mention", "command", "api"] = "reply"


class ModelResponded(Fact):
    """`context_seen` is how many items of the inbox the model had been shown.

    `step` is the place this answer was made for, from 1: a late one must not pass for the next. 0: not said.
    """

    type: Literal["ModelResponded"] = "ModelResponded"
    text: str
    step: Annotated[int, Field(ge=0)] = 0
    calls: tuple[ToolCall, ...] = ()
    usage: Usage = Usage()
    cost_usd: Decimal | None = None
    model: str
    duration_ms: int = 0
    context_seen: int = 0
    native: str | None = None


class ApprovalRequested(Fact):
    type: Literal["ApprovalRequested"] = "ApprovalRequested"
    request_id: str
    call_ids: tuple[str, ...]


class ApprovalDecided(Fact):
    """`via` says what gave the right: `anyone`, `user` or `group:<id>`."""

    type: Literal["ApprovalDecided"] = "ApprovalDecided"
    call_id: str
    digest: str
    verdict: Literal["approve", "deny"]
    reason: str = ""
    via: str = "anyone"


class ToolStarted(Fact):
    type: Literal["ToolStarted"] = "ToolStarted"
    call_id: str
    attempt: int
    idempotency_key: str
    digest: str


class ToolFinished(Fact):
    type: Literal["ToolFinished"] = "ToolFinished"
    call_id: str
    attempt: int
    ok: bool
    content: str
    artifacts: tuple[str, ...] = ()
    duration_ms: int = 0


class OutcomeLost(Fact):
    """A worker died while the call ran, and nothing can tell whether it took effect."""

    type: Literal["OutcomeLost"] = "OutcomeLost"
    call_id: str
    attempt: int


class OutcomeDecided(Fact):
    """To run it again takes the same right as to approve it: `via` says what gave it."""

    type: Literal["OutcomeDecided"] = "OutcomeDecided"
    call_id: str
    verdict: Literal["run_again", "done", "failed"]
    result: str = ""
    via: str = "anyone"


class QuestionAsked(Fact):
    type: Literal["QuestionAsked"] = "QuestionAsked"
    call_id: str
    question: str
    options: tuple[str, ...] = ()


class QuestionAnswered(Fact):
    type: Literal["QuestionAnswered"] = "QuestionAnswered"
    call_id: str
    answer: str


class Paused(Fact):
    """Any of `conditions` resumes it, and a person always may."""

    type: Literal["Paused"] = "Paused"
    reason: PauseReason
    detail: str = ""
    conditions: tuple[Condition, ...] = ()


class Resumed(Fact):
    """`condition` is the text of the one that came true; `data` is what came with it, untrusted.

    `compact`: the earlier steps are summed up before the model is asked again. `delivery` is the id of the webhook or
    event that did it.
    """

    type: Literal["Resumed"] = "Resumed"
    trigger: Trigger = "manual"
    condition: str = ""
    data: Any = None
    context: str = ""
    compact: bool = False
    delivery: str = ""


class WaitBegun(Fact):
    """The agent's own call waits; the pause that goes with it says for what."""

    type: Literal["WaitBegun"] = "WaitBegun"
    call_id: str


class WaitEnded(Fact):
    """`content` is what the agent reads as the result of its call."""

    type: Literal["WaitEnded"] = "WaitEnded"
    call_id: str
    content: str


class TimerSet(Fact):
    """A reminder at `due`; `about` names the approval request that it is about, if any."""

    type: Literal["TimerSet"] = "TimerSet"
    timer_id: str
    due: datetime
    text: str = ""
    about: str = ""


class TimerFired(Fact):
    type: Literal["TimerFired"] = "TimerFired"
    timer_id: str


class TimerDropped(Fact):
    type: Literal["TimerDropped"] = "TimerDropped"
    timer_id: str


class BudgetRaised(Fact):
    type: Literal["BudgetRaised"] = "BudgetRaised"
    budgets: Budgets


class Completed(Fact):
    type: Literal["Completed"] = "Completed"
    summary: str


class Failed(Fact):
    type: Literal["Failed"] = "Failed"
    error: str


class Cancelled(Fact):
    type: Literal["Cancelled"] = "Cancelled"
    reason: str = ""


Event = Annotated[
    SessionLaunched
    | ContextAdded
    | ModelResponded
    | ApprovalRequested
    | ApprovalDecided
    | ToolStarted
    | ToolFinished
    | OutcomeLost
    | OutcomeDecided
    | QuestionAsked
    | QuestionAnswered
    | Paused
    | Resumed
    | WaitBegun
    | WaitEnded
    | TimerSet
    | TimerFired
    | TimerDropped
    | BudgetRaised
    | CallEdited
    | ChildLaunched
    | ChildFinished
    | ChildSkipped
    | ChildDecided
    | ChildrenJoined
    | Compacted
    | SessionForked
    | SessionRestored
    | Completed
    | Failed
    | Cancelled,
    Field(discriminator="type"),
]
_ADAPTER: TypeAdapter[Event] = TypeAdapter(Event)


def encode(event: Event) -> bytes:
    """One compact JSON object; fields at their defaults are left out, type and version never."""
    body = event.model_dump_json(exclude_defaults=True, exclude={"type", "v"})
    return f'{{"type":"{event.type}","v":{event.v},{body[1:]}'.encode()


def decode(session_id: str, position: int, data: bytes) -> Event:
    """The event at `position` (from 0) of a log. Raises LogUnreadable naming session and position."""
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
