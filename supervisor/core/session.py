"""The state of a session: what a fold over its events gives."""

from __future__ import annotations

from datetime import datetime
from decimal import Decimal
from typing import Literal

from pydantic import Field

from supervisor.core.conditions import Condition
from supervisor.core.conversation import Frozen, Json, Usage
from supervisor.core.errors import IllegalEvent
from supervisor.core.events import Paused, PauseReason, ToolCall, Trigger
from supervisor.core.persona import Budgets

CallPhase = Literal[
    "ready", "held", "awaiting", "approved", "denied", "refused",
    "started", "unknown", "finished", "open", "asking", "sleeping",
]  # fmt: skip
Lifecycle = Literal["running", "paused", "completed", "failed", "cancelled"]

SETTLED: frozenset[CallPhase] = frozenset({"denied", "refused", "finished"})


class Decision(Frozen):
    verdict: Literal["approve", "deny"]
    by: str
    by_name: str
    at: datetime
    reason: str = ""
    via: str = "anyone"


class Call(Frozen):
    """A tool call as it stands."""

    call: ToolCall
    phase: CallPhase
    request_id: str = ""
    requested_at: datetime | None = None
    decisions: tuple[Decision, ...] = ()
    attempt: int = 0
    started_at: datetime | None = None
    finished_at: datetime | None = None
    ok: bool = True
    content: str = ""
    artifacts: tuple[str, ...] = ()
    duration_ms: int = 0
    question: str = ""
    options: tuple[str, ...] = ()
    answered_by: str = ""

    @property
    def call_id(self) -> str:
        return self.call.call_id

    @property
    def settled(self) -> bool:
        return self.phase in SETTLED


class Step(Frozen):
    """One answer of the model with the calls it selected; numbered from 1."""

    number: int
    text: str
    calls: tuple[Call, ...]
    usage: Usage
    cost_usd: Decimal | None
    model: str
    duration_ms: int
    at: datetime
    native: str | None = None


class Note(Frozen):
    """Something a person or system told the session; shown to the model before the step that follows."""

    text: str
    by: str
    by_name: str
    at: datetime
    before_step: int = 0


class Halt(Frozen):
    """One explicit pause, numbered from 1, and how it ended."""

    number: int
    reason: PauseReason
    detail: str
    by: str
    by_name: str
    at: datetime
    conditions: tuple[Condition, ...] = ()
    resumed_by: str = ""
    resumed_by_name: str = ""
    resumed_at: datetime | None = None
    trigger: Trigger | None = None


class Timer(Frozen):
    """A reminder: `set` until it fires or is dropped."""

    id: str
    due: datetime
    text: str
    about: str
    by: str
    by_name: str
    state: Literal["set", "fired", "dropped"] = "set"
    ended_by: str = ""
    ended_at: datetime | None = None


class Session(Frozen):
    """Everything known about a session; `version` counts the events folded so far."""

    id: str
    version: int
    task: str
    persona: str
    persona_digest: str
    launched_by: str
    launched_by_name: str
    launched_at: datetime
    changed_at: datetime
    budgets: Budgets
    origin: Json = Field(default_factory=dict)
    lifecycle: Lifecycle = "running"
    pause: Paused | None = None
    halts: tuple[Halt, ...] = ()
    timers: tuple[Timer, ...] = ()
    steps: tuple[Step, ...] = ()
    notes: tuple[Note, ...] = ()
    inbox: tuple[Note, ...] = ()
    usage: Usage = Usage()
    cost_usd: Decimal = Decimal(0)
    unpriced: bool = False
    errors_in_a_row: int = 0
    ended_by: str = ""
    ending: str = ""

    @property
    def ended(self) -> bool:
        return self.lifecycle in ("completed", "failed", "cancelled")

    @property
    def waits(self) -> tuple[tuple[str, Condition], ...]:
        """What would resume it, each with a name of its own: `p<pause>.<position>`."""
        if self.lifecycle != "paused":
            return ()
        return tuple(
            (f"p{halt.number}.{position}", condition)
            for halt in self.halts
            if halt.resumed_at is None
            for position, condition in enumerate(halt.conditions)
        )

    @property
    def open_calls(self) -> tuple[Call, ...]:
        """Calls of the last step that have no result yet."""
        return tuple(c for c in self.steps[-1].calls if not c.settled) if self.steps else ()

    def calls_in(self, *phases: CallPhase) -> tuple[Call, ...]:
        return tuple(c for c in self.open_calls if c.phase in phases)

    def call(self, call_id: str) -> Call:
        """Any call of any step. Raises IllegalEvent when there is none."""
        number, _, _ = call_id.partition(".")
        if number.isdecimal() and len(number) < 10 and 1 <= int(number) <= len(self.steps):
            for call in self.steps[int(number) - 1].calls:
                if call.call_id == call_id:
                    return call
        raise IllegalEvent("That tool call is not part of this session.")

    def timer(self, timer_id: str) -> Timer:
        """A reminder that is set, or has fired and was not put away. Raises IllegalEvent when there is none."""
        for timer in self.timers:
            if timer.id == timer_id and timer.state != "dropped":
                return timer
        raise IllegalEvent("That reminder was already put away.")

    def asks(self, request_id: str) -> bool:
        """Whether a call of an approval request still waits."""
        return not self.ended and any(c.request_id == request_id for c in self.calls_in("awaiting"))

    @property
    def waiting_for(self) -> PauseReason | None:
        """Why nothing goes on by itself; None while something does, and after the end."""
        if self.ended:
            return None
        if self.pause:
            return self.pause.reason
        open_ = {c.phase for c in self.open_calls}
        if not open_ or open_ & {"ready", "approved", "started", "held", "open"}:
            return None
        if "unknown" in open_:
            return "outcome_unknown"
        return "human_approval_required" if "awaiting" in open_ else "human_input_required"

    @property
    def status(self) -> str:
        """`running`, `paused`, `completed`, `failed` or `cancelled`."""
        return "paused" if self.waiting_for else self.lifecycle
