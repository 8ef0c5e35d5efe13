"""The state of a session, which the reducer makes from its events."""

from __future__ import annotations

from datetime import datetime
from decimal import Decimal
from typing import Literal

from pydantic import Field

from supervisor.core.conditions import Condition
from supervisor.core.elicitation.request import Inputs
from supervisor.core.errors import IllegalEvent
from supervisor.core.events import Inherited, Lineage, Paused, PauseReason, ToolCall
from supervisor.core.events.base import DEFERRED_TOOLS, NOTE_DECISION, Deed, Waker
from supervisor.core.events.subagents import child_folder
from supervisor.core.messages import Frozen, Json, ToolDefinition, Usage
from supervisor.core.persona import Approvers, Budgets, Granted
from supervisor.core.records import (
    Attachments,
    Compaction,
    Decision,
    Family,
    Fork,
    Grant,
    Note,
    NotedDecision,
    Refusal,
    Skip,
    Timer,
)
from supervisor.core.text.visible import one_line

CallPhase = Literal[
    "ready", "held", "awaiting", "approved", "denied", "refused",
    "started", "unknown", "finished", "open", "asking", "sleeping", "delegating",
    "answered", "expired", "superseded",
]  # fmt: skip
Lifecycle = Literal["running", "paused", "completed", "failed", "cancelled"]

SETTLED: frozenset[CallPhase] = frozenset(
    {"denied", "refused", "finished", "answered", "expired", "superseded"}
)
TERMINAL: frozenset[str] = frozenset({"completed", "failed", "cancelled"})


class Call(Frozen):
    """A tool call and its phase; `proposed` is the call of the model where a person changed it.

    `requesters` are those who told the agent what to do before it was requested: they count as requesters of this call,
    besides those of the session. `editors` changed it last, and do not count alone where another person has to approve.
    `request` counts how often people were asked about it: for an approval, again after each change, and for its
    outcome. A decision is bound to one of these requests. `too_few`, `unsandboxed` and `grants` are what was known of
    the approvers and the sandbox when it was requested, the latter two for commands alone.
    `denied_before` are the denials of the same call, with the same arguments, until then. People were asked at
    `asked_at` about it as it is; `nudges` counts the deadlines of its rules that passed since, and `reminded` those of
    them that reminded its approvers. `closed_by` is who withdrew it. `preview` is what its tool said it would do,
    and `redefined` what a server said of its tool before that changed. `lost` says why its outcome is not known, if
    not for the end of its worker; `inputs` is what its server asked people for. `grant` of `granted_by` allowed it.
    """

    call: ToolCall
    phase: CallPhase
    # Without a default, so that no snapshot of an earlier shape is taken for one that counted.
    request: int
    proposed: ToolCall | None = None
    edited_by: str = ""
    edited_by_name: str = ""
    request_id: str = ""
    requested_at: datetime | None = None
    requesters: frozenset[str] = frozenset()
    editors: frozenset[str] = frozenset()
    too_few: bool = False
    reactions: bool = False
    unsandboxed: bool = False
    grants: Granted | None = None
    denied_before: tuple[Decision, ...] = ()
    asked_at: datetime | None = None
    nudges: int = 0
    reminded: int = 0
    reminded_at: datetime | None = None
    closed_by: str = ""
    closed_by_name: str = ""
    preview: str = ""
    grant: str = ""
    granted_by: Deed | None = None
    redefined: ToolDefinition | None = None
    lost: str = ""
    decisions: tuple[Decision, ...] = ()
    attempt: int = 0
    started_at: datetime | None = None
    finished_at: datetime | None = None
    ok: bool = True
    content: str = ""
    artifacts: tuple[str, ...] = ()
    removed: tuple[str, ...] = ()
    duration_ms: int = 0
    question: str = ""
    options: tuple[str, ...] = ()
    answered_by: str = ""
    inputs: Inputs = Inputs()

    @property
    def call_id(self) -> str:
        return self.call.call_id

    @property
    def is_held(self) -> bool:
        """Whether it asks for the input of people while a worker holds it open."""
        return self.phase == "asking" and any(one.until for one in self.inputs.last)

    @property
    def settled(self) -> bool:
        return self.phase in SETTLED

    def approvals(self, rule: int) -> tuple[Decision, ...]:
        """Return the approvals that count for the rule at this position of the call."""
        return tuple(
            d
            for d in self.decisions
            if d.verdict == "approve" and (not self.call.also or d.via.split("\n")[rule])
        )

    @property
    def noted(self) -> NotedDecision | None:
        """The decision of the agent that this call has noted; None for any other call."""
        given, at = self.call.arguments, self.finished_at
        if self.call.tool != NOTE_DECISION or not (self.ok and at) or isinstance(given, str):
            return None
        decision, why = str(given.get("decision", "")), str(given.get("why", ""))
        return NotedDecision(call_id=self.call_id, at=at, decision=decision, why=why)

    def excluded(self, rule: Approvers) -> frozenset[str]:
        """Return those who may not approve by the rule if it excludes requesters, besides those of the session."""
        return self.requesters | (self.editors if rule.quorum == 1 else frozenset())

    @property
    def approved_enough(self) -> bool:
        """Whether each rule of the call has as many approvals as it takes."""
        return all(len(self.approvals(n)) >= rule.quorum for n, rule in enumerate(self.call.rules))


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


class PauseRecord(Frozen):
    """One explicit pause, or an addition to one, numbered from 1, and how it ended.

    Its conditions do not count any more once a later one has `replaced` it. `approval` is the request of a pause that
    waits for an approval, in the form of a call that never runs.
    """

    number: int
    reason: PauseReason
    detail: str
    by: str
    by_name: str
    at: datetime
    # Without a default, as `Call.request`.
    approval: Call | None
    by_owner: str
    conditions: tuple[Condition, ...] = ()
    cascade: bool = False
    replaced: bool = False
    resumed_by: str = ""
    resumed_by_name: str = ""
    resumed_at: datetime | None = None
    trigger: Waker | None = None
    delivery: str = ""

    @property
    def lasts(self) -> bool:
        """Whether it has neither ended nor been replaced."""
        return self.resumed_at is None and not self.replaced

    @property
    def people(self) -> frozenset[str]:
        """The ids of who paused it: the actor, and the person whose key it was."""
        return frozenset({self.by, self.by_owner} - {""})


class Session(Family):
    """Everything known about a session; `version` counts the events folded so far.

    `allowance` are its budgets at the start, by which they are raised. `asked_by` are those who asked for it besides
    the one who launched it, `steered_by` those who told the agent what to do since the last approval, and `refusals`
    the latest attempts of people without the right, of which there were `refused` in all.
    """

    id: str
    version: int
    task: str
    persona: str
    persona_digest: str
    launched_by: str
    launched_by_name: str
    asked_by: frozenset[str] = frozenset()
    launched_at: datetime
    changed_at: datetime
    budgets: Budgets
    allowance: Budgets
    origin: Json = Field(default_factory=dict)
    lineage: Lineage | None = None
    forked: Fork | None = None
    restored_at: datetime | None = None
    lifecycle: Lifecycle = "running"
    pause: Paused | None = None
    halts: tuple[PauseRecord, ...] = ()
    timers: tuple[Timer, ...] = ()
    grants: tuple[Grant, ...] = ()
    steps: tuple[Step, ...] = ()
    notes: tuple[Note, ...] = ()
    inbox: tuple[Note, ...] = ()
    attachments: Attachments = Attachments()
    skips: tuple[Skip, ...] = ()
    compactions: tuple[Compaction, ...] = ()
    steered_by: frozenset[str] = frozenset()
    refusals: tuple[Refusal, ...] = ()
    # Without a default, as `Call.request`.
    refused: int
    compact_next: bool = False
    errors_in_a_row: int = 0
    ended_by: str = ""
    ending: str = ""

    @property
    def ended(self) -> bool:
        return self.lifecycle in TERMINAL

    @property
    def began_at(self) -> datetime:
        """The launch, or for a forked session the fork; minutes of its budget count from here."""
        return self.forked.at if self.forked else self.launched_at

    @property
    def root(self) -> str:
        """The id of the session that a person launched; its own id unless it is a sub-agent."""
        return self.lineage.root if self.lineage else self.id

    @property
    def folder(self) -> str:
        """Its folder below the workspace; that of a sub-agent lies in the folder of the session that launched it."""
        return self.lineage.folder if self.lineage else self.id

    @property
    def inherited(self) -> tuple[Inherited, ...]:
        """The files that are copied into its folder at the beginning."""
        given = self.lineage.inputs if self.lineage else ()
        return (*given, self.forked.files) if self.forked and self.forked.files else given

    @property
    def requesters(self) -> frozenset[str]:
        """The actors who launched, scheduled or forked this session or one of its ancestors."""
        forked = self.forked.people | set(self.forked.requesters) if self.forked else set()
        above = self.lineage.requesters if self.lineage else ()
        return frozenset({self.launched_by, *self.asked_by, *above, *forked})

    def barred(self, call: Call, rule: Approvers) -> frozenset[str]:
        """Return those who may not approve the call by the rule, since they asked for it."""
        return self.requesters | call.excluded(rule) if rule.exclude_requester else frozenset()

    @property
    def decisions(self) -> tuple[NotedDecision, ...]:
        """The decisions that its agent noted."""
        return tuple(call.noted for step in self.steps for call in step.calls if call.noted)

    @property
    def files(self) -> dict[str, bool]:
        """The files that people gave it, its calls wrote, and its sub-agents that have ended, relative to its folder.

        In the order of their last writing, those of sub-agents behind its own; False for one that was removed since.
        """
        found = {path: True for path, _ in self.attachments.taken}
        for call in (call for step in self.steps for call in step.calls):
            found |= {path: False for path in call.removed if path in found}
            for path in call.artifacts:
                found.pop(path, None)
                found[path] = True
        below = (f"{child_folder(c.name, c.id)}/{path}" for c in self.children for path in c.artifacts)
        return found | dict.fromkeys(below, True)

    @property
    def artifacts(self) -> tuple[str, ...]:
        """Those of its `files` that were not removed."""
        return tuple(path for path, there in self.files.items() if there)

    @property
    def waits(self) -> tuple[tuple[str, Condition], ...]:
        """The conditions that would resume it, by the name `p<pause>.<position>`."""
        if self.lifecycle != "paused":
            return ()
        return tuple(
            (f"p{halt.number}.{position}", condition)
            for halt in self.halts
            if halt.lasts
            for position, condition in enumerate(halt.conditions)
        )

    @property
    def approval(self) -> Call | None:
        """The request of a pause that waits for an approval; None where the session is in no such pause."""
        open_ = [h.approval for h in self.halts if h.approval and h.lasts]
        return open_[0] if open_ and self.lifecycle == "paused" else None

    @property
    def open_calls(self) -> tuple[Call, ...]:
        """Calls of the last step that have no result yet."""
        return tuple(c for c in self.steps[-1].calls if not c.settled) if self.steps else ()

    def calls_in(self, *phases: CallPhase) -> tuple[Call, ...]:
        return tuple(c for c in self.open_calls if c.phase in phases)

    def call(self, call_id: str) -> Call:
        """Return the call with this id, of any step, or the request of a pause. Raises IllegalEvent."""
        for halt in self.halts:
            if halt.approval and halt.approval.call_id == call_id:
                return halt.approval
        number, _, _ = call_id.partition(".")
        if number.isdecimal() and len(number) < 10 and 1 <= int(number) <= len(self.steps):
            for call in self.steps[int(number) - 1].calls:
                if call.call_id == call_id:
                    return call
        raise IllegalEvent("That tool call is not part of this session.")

    def denials(self, digest: str) -> tuple[Decision, ...]:
        """Return the denials of calls with this digest, the earliest first."""
        calls = (call for step in self.steps for call in step.calls)
        return tuple(c.decisions[-1] for c in calls if c.phase == "denied" and c.call.digest == digest)

    def grant(self, grant_id: str) -> Grant:
        """Return the grant with this id, made in this session. Raises IllegalEvent when there is none."""
        for grant in self.grants:
            if grant.id == grant_id:
                return grant
        raise IllegalEvent("There is no such grant in this session.")

    def timer(self, timer_id: str) -> Timer:
        """Return the reminder with this id, set or fired, unless removed. Raises IllegalEvent when there is none."""
        for timer in self.timers:
            if timer.id == timer_id:
                if timer.state == "dropped":
                    raise IllegalEvent("That reminder was already dismissed.")
                return timer
        known = ", ".join(f"`{timer.id}`" for timer in self.timers if timer.state != "dropped")
        choice = f"choose from {known}" if known else "none is set"
        raise IllegalEvent(f"There is no reminder `{one_line(timer_id, 40)}` here; {choice}.")

    def asks(self, request_id: str) -> bool:
        """Return whether a call of an approval request still waits."""
        return not self.ended and any(c.request_id == request_id for c in self.calls_in("awaiting"))

    @property
    def waiting_for(self) -> PauseReason | None:
        """The reason of a pause of any kind; None while the session runs and after its end."""
        if self.ended:
            return None
        if self.pause:
            return self.pause.reason
        left = [c for c in self.open_calls if c.phase != "open" or c.call.tool not in DEFERRED_TOOLS]
        open_ = {c.phase for c in left}
        if not open_ or open_ & {"ready", "approved", "started", "held", "open"}:
            return None
        if "unknown" in open_:
            return "outcome_unknown"
        if "awaiting" in open_:
            return "human_approval_required"
        if "asking" in open_ or not open_ & {"delegating"}:
            return "human_input_required"
        if self.running_children:
            return "children_running"
        # Otherwise the next subtask begins, or the plan ends, without anyone's action.
        return "human_input_required" if self._failure_asked_about else None

    @property
    def _failure_asked_about(self) -> bool:
        asking = {
            call.call_id
            for call in self.calls_in("delegating")
            if isinstance(call.call.arguments, dict) and call.call.arguments.get("on_failure") == "ask"
        }
        return any(
            child.state in ("failed", "cancelled") and not child.verdict and child.call_id in asking
            for child in self.children
        )

    @property
    def status(self) -> str:
        """`running`, `paused`, `completed`, `failed` or `cancelled`."""
        return "paused" if self.waiting_for else self.lifecycle
