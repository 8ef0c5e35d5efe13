"""Facts and sessions for the tests of the core, short to write and complete enough to be legal."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any, get_args

from supervisor.core.delegation import PLAN
from supervisor.core.digest import call_digest
from supervisor.core.elicitation.request import InputRequest
from supervisor.core.errors import InvalidArguments
from supervisor.core.events import (
    ActionRefused,
    Actor,
    ApprovalDecided,
    ApprovalOverdue,
    ApprovalRequested,
    ApprovalWithdrawn,
    BudgetRaised,
    CallEdited,
    CallGranted,
    CallRuledAnew,
    Cancelled,
    ChildDecided,
    ChildFinished,
    ChildLaunched,
    ChildrenJoined,
    ChildSkipped,
    Compacted,
    Completed,
    ContextAdded,
    Event,
    Failed,
    FilesTaken,
    GrantAdded,
    GrantEnded,
    InputGiven,
    InputRequested,
    LostFile,
    ModelResponded,
    OutcomeDecided,
    OutcomeLost,
    Paused,
    QuestionAnswered,
    QuestionAsked,
    Resumed,
    SessionForked,
    SessionLaunched,
    SessionRestored,
    TakenFile,
    TimerDropped,
    TimerFired,
    TimerSet,
    ToolCall,
    ToolFinished,
    ToolNotBegun,
    ToolRedefined,
    ToolStarted,
    WaitBegun,
    WaitEnded,
)
from supervisor.core.events.base import Deed
from supervisor.core.messages import Json, ToolDefinition, ToolSpec
from supervisor.core.persona import Approvers, Budgets
from supervisor.core.reducer import fold
from supervisor.core.state import Session
from supervisor.tools.contract import Tool, ToolContext, ToolOutput

SID = "p0-test"
AT = datetime(2026, 11, 3, 9, 0, tzinfo=UTC)
LATER = datetime(2026, 11, 3, 9, 30, tzinfo=UTC)
ALICE = Actor(id="slack:U1", name="Alice", groups=("S-OPS",))
BOB = Actor(id="slack:U2", name="Bob")
CAROL = Actor(id="slack:U3", name="Carol", groups=("S-OPS",))
DAN = Actor(id="slack:U4", name="Dan", groups=("S-SEC",))
PIPELINE = Actor(id="api:pipeline")

EVENT_TYPES: tuple[type[Any], ...] = get_args(get_args(Event)[0])


def by(actor: Actor | None = None, at: datetime = AT) -> dict[str, Any]:
    who = actor or Actor(id="system")
    return {"at": at, "by": who.id, "by_name": who.name}


def launched(**fields: Any) -> SessionLaunched:
    given = {"task": "Tidy up", "persona": "helper", "persona_digest": "d" * 64, **fields}
    return SessionLaunched(**by(ALICE), **given)


def tool_call(call_id: str = "1.1", **fields: Any) -> ToolCall:
    tool, arguments = fields.pop("tool", "shell"), fields.pop("arguments", {"command": "ls"})
    given = {"mode": "ask", "ref": f"ref-{call_id}", "digest": call_digest(tool, arguments), **fields}
    return ToolCall(call_id=call_id, tool=tool, arguments=arguments, **given)


def responded(*calls: ToolCall, **fields: Any) -> ModelResponded:
    return ModelResponded(**by(), **{"text": "", "model": "test:model", **fields}, calls=calls)


def awaiting(approvers: Approvers | None = None, **fields: Any) -> Session:
    """A session that ALICE launched, whose one call is waiting for an approval."""
    call = tool_call(approvers=approvers, **fields)
    requested = ApprovalRequested(**by(), request_id="r2", call_ids=("1.1",))
    return fold(SID, [launched(), responded(call), requested])


def step_events(number: int, **fields: Any) -> list[Event]:
    """One whole step: an answer with one call, which runs at once and says `result <number>`."""
    call = tool_call(f"{number}.1", mode="allow")
    start = {"call_id": call.call_id, "attempt": 1, "idempotency_key": "k", "digest": call.digest}
    end = {"call_id": call.call_id, "attempt": 1, "ok": True, "content": f"result {number}"}
    answer = responded(call, text=f"step {number}", **fields)
    return [answer, ToolStarted(**by(), **start), ToolFinished(**by(), **end)]


def grown(steps: int, *, budgets: Budgets | None = None, **fields: Any) -> Session:
    """A session of so many settled steps, and a word of Bob's before the second."""
    session = fold(SID, [launched(budgets=budgets or Budgets())])
    for n in range(1, steps + 1):
        session = fold(SID, step_events(n, context_seen=len(session.inbox), **fields), session)
        if n == 1:
            session = fold(SID, [ContextAdded(**by(BOB), text="Mind the gap")], session)
    return session


def decided(
    session: Session, actor: Actor, verdict: str = "approve", via: str = "anyone", **fields: Any
) -> ApprovalDecided:
    digest = session.call("1.1").call.digest
    given = {"call_id": "1.1", "digest": digest, "verdict": verdict, "via": via, **fields}
    return ApprovalDecided(**by(actor), **given)


def edited(call: ToolCall, arguments: Json, actor: Actor, **fields: Any) -> CallEdited:
    """The call with other arguments, which are asked for under the same policy unless `call` says otherwise."""
    other = {"arguments": arguments, "digest": call_digest(call.tool, arguments), "mode": "ask"}
    given = {"call_id": call.call_id, "before": call.digest, "call": call.model_copy(update=other), **fields}
    return CallEdited(**by(actor), **given)


def subtask(name: str, *needs: str, **fields: Any) -> Json:
    return {"id": name, "persona": "sre", "task": f"Do {name}", "depends_on": list(needs), **fields}


def plan_call(*subtasks: Json, on_failure: str = "continue", **fields: Any) -> ToolCall:
    """A call of `plan_tasks` that nobody has to approve."""
    arguments = {"subtasks": list(subtasks), "on_failure": on_failure}
    return tool_call(**{"tool": PLAN, "mode": "allow", "control": True, "arguments": arguments, **fields})


def redefined(call: ToolCall) -> ToolCall:
    """The call with the tool of a server, or with another one than before."""
    schema = {"type": "object", "properties": {"command": {"type": "string"}}}
    definition = ToolDefinition(server="host", name=call.tool, description="Run it, now.", schema_=schema)
    new = call.model_copy(update={"mode": "ask", "definition": definition})
    return new.model_copy(update={"digest": new.digest_of(new.arguments)})


INPUT = InputRequest(
    key="who",
    server="github",
    message="Who?",
    schema_={"type": "object", "properties": {"name": {"type": "string"}}},
)


def one_of_each(call_id: str = "1.1", *, attempt: int = 1, call: ToolCall | None = None) -> dict[str, Event]:
    """One event of every type; those about a call are about `call_id`."""
    call = call or tool_call(call_id)
    return {
        "SessionLaunched": launched(),
        "ContextAdded": ContextAdded(**by(BOB), text="Mind the gap"),
        "FilesTaken": FilesTaken(
            **by(),
            taken=(TakenFile(source="F1", path="attached/a.txt", size=3),),
            lost=(LostFile(source="F2", name="b.iso", problem="it is too large"),),
        ),
        "ModelResponded": responded(step=2),
        "ApprovalRequested": ApprovalRequested(**by(), request_id="r1", call_ids=(call_id,)),
        "ApprovalDecided": ApprovalDecided(
            **by(BOB), call_id=call_id, digest=call.digest, verdict="approve", via="anyone"
        ),
        "ToolStarted": ToolStarted(
            **by(), call_id=call_id, attempt=attempt + 1, idempotency_key="k", digest=call.digest
        ),
        "ToolFinished": ToolFinished(**by(), call_id=call_id, attempt=attempt, ok=True, content="fine"),
        "ApprovalOverdue": ApprovalOverdue(**by(), call_ids=(call_id,), step="remind"),
        "ApprovalWithdrawn": ApprovalWithdrawn(**by(BOB), call_ids=(call_id,), reason="Look first"),
        "ToolNotBegun": ToolNotBegun(**by(), call_id=call_id, attempt=attempt),
        "OutcomeLost": OutcomeLost(**by(), call_id=call_id, attempt=attempt),
        "OutcomeDecided": OutcomeDecided(**by(BOB), call_id=call_id, verdict="run_again"),
        "QuestionAsked": QuestionAsked(**by(), call_id=call_id, question="Which?"),
        "QuestionAnswered": QuestionAnswered(**by(BOB), call_id=call_id, answer="This"),
        "InputRequested": InputRequested(
            **by(), call_id=call_id, attempt=attempt, requests=(INPUT,), state="s"
        ),
        "InputGiven": InputGiven(
            **by(BOB), call_id=call_id, key="who", action="accept", content={"name": "x"}
        ),
        "Paused": Paused(**by(BOB), reason="manual", detail="Lunch"),
        "Resumed": Resumed(**by(BOB)),
        "WaitBegun": WaitBegun(**by(), call_id=call_id),
        "WaitEnded": WaitEnded(**by(), call_id=call_id, content="It came"),
        "TimerSet": TimerSet(**by(BOB), timer_id="t9", due=AT, text="Look"),
        "TimerFired": TimerFired(**by(), timer_id="t1"),
        "TimerDropped": TimerDropped(**by(BOB), timer_id="t1"),
        "ActionRefused": ActionRefused(
            **by(BOB), attempt="cancel", problem="You may not steer this session."
        ),
        "BudgetRaised": BudgetRaised(**by(BOB), budgets=Budgets(max_steps=99)),
        "CallEdited": edited(call, {"command": "pwd"}, BOB, call_id=call_id),
        "CallRuledAnew": CallRuledAnew(**by(), call_id=call_id, call=call.model_copy(update={"mode": "ask"})),
        "GrantAdded": GrantAdded(
            **by(BOB),
            grant_id="g9",
            call_id=call_id,
            tool=call.tool,
            patterns={"command": "ls *"},
            until=LATER,
        ),
        "GrantEnded": GrantEnded(**by(BOB), grant_id="g1"),
        "CallGranted": CallGranted(
            **by(),
            call_id=call_id,
            digest=call.digest,
            grant="g1",
            granter=Deed(by=BOB.id, by_name="Bob"),
            via="anyone",
        ),
        "ToolRedefined": ToolRedefined(**by(), call_id=call_id, call=redefined(call)),
        "ChildLaunched": ChildLaunched(
            **by(), call_id=call_id, child_id="p0-child", name="look", persona="sre", task="Look"
        ),
        "ChildFinished": ChildFinished(**by(), child_id="p0-first", ending="completed", result="Seen"),
        "ChildSkipped": ChildSkipped(**by(), call_id=call_id, name="tell", reason="It needs look"),
        "ChildDecided": ChildDecided(**by(BOB), child_id="p0-failed", verdict="skip"),
        "ChildrenJoined": ChildrenJoined(**by(), call_id=call_id, ok=True, content="Both are done"),
        "Compacted": Compacted(**by(), through_step=1, summary="All was well"),
        "SessionForked": SessionForked(**by(BOB), source="p0-other", step=1, version=3),
        "SessionRestored": SessionRestored(**by(BOB), chain="c" * 64),
        "Completed": Completed(**by(), summary="Done"),
        "Failed": Failed(**by(), error="Broken"),
        "Cancelled": Cancelled(**by(BOB), reason="No longer needed"),
    }


def fake_tool(name: str, *, needs: str = "", **flags: Any) -> Tool:
    """A tool that takes any object, with the argument `needs` if one is named."""

    def validate(arguments: Any) -> Json:
        if not isinstance(arguments, dict):
            raise InvalidArguments(f"The arguments of `{name}` must be one valid JSON object.")
        if needs and needs not in arguments:
            raise InvalidArguments(f"`{needs}`: is missing.")
        return arguments

    async def run(_: Json, __: ToolContext) -> ToolOutput:
        raise AssertionError("a test of the core runs no tool")

    spec = ToolSpec(name=name, description="A tool.", schema_={"type": "object"})
    return Tool(spec=spec, validate=validate, run=run, **flags)
