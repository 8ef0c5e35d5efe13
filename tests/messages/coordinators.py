"""Coordinators of every shape with their sub-agents, for Hypothesis: any plan, hostile tasks, names and results."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

from hypothesis import strategies as st

from handlers.messages.subagents import Subagents
from supervisor.core.delegation import subtask_statuses
from supervisor.core.errors import IllegalEvent
from supervisor.core.events import (
    ApprovalDecided,
    ApprovalRequested,
    Cancelled,
    ChildDecided,
    ChildFinished,
    ChildLaunched,
    ChildSkipped,
    Event,
    Lineage,
    ToolCall,
)
from supervisor.core.reducer import apply
from supervisor.core.state import Session
from tests.core.build import ALICE, AT, BOB, by, launched, responded, tool_call
from tests.messages.sessions import sessions, texts

ROOT = "root-0000"
ADDRESS = "https://flagman.slack.com/archives/C0OPS0001/p"
NAMES = [f"part-{n}" for n in range(50)]
FATES = ("held", "running", "running", "ended", "asked", "decided", "skipped")


@st.composite
def plan_calls(draw: st.DrawFn, call_id: str = "1.1", most: int = 50) -> ToolCall:
    """Any plan that could be carried out."""
    count = draw(st.sampled_from([n for n in (1, 3, 9, 50) if n <= most]))
    words = [draw(texts(8_000)).strip() or "x" for _ in range(min(count, 3))]
    subtasks = [
        {
            "id": name,
            "persona": draw(st.sampled_from(("sre", "a-persona-with-a-very-long-name-indeed"))),
            "task": words[n % len(words)],
            "depends_on": draw(st.lists(st.sampled_from(NAMES[:n]), max_size=3)) if n else [],
        }
        for n, name in enumerate(NAMES[:count])
    ]
    arguments = {"subtasks": subtasks, "on_failure": draw(st.sampled_from(("continue", "ask", "fail_fast")))}
    mode = draw(st.sampled_from(("ask", "allow", "allow")))
    return tool_call(call_id, tool="plan_tasks", arguments=arguments, mode=mode, control=True)


def _apply(session: Session, *events: Event) -> Session:
    for event in events:
        try:
            session = apply(session.id, session, event)
        except IllegalEvent:
            continue
    return session


def _fate(draw: st.DrawFn, call_id: str, name: str, child_id: str) -> list[Event]:
    """What becomes of one subtask; what may not follow is left out by the fold."""
    fate = draw(st.sampled_from(FATES))
    if fate == "skipped":
        return [ChildSkipped(**by(), call_id=call_id, name=name, reason=draw(texts(300)))]
    begun = ChildLaunched(
        **by(), call_id=call_id, child_id=child_id, name=name, persona="sre", task=draw(texts(300)) or "x"
    )
    ending: Any = draw(st.sampled_from(("completed", "failed", "cancelled")))
    ended = ChildFinished(
        **by(), child_id=child_id, ending=ending, result=draw(texts(9_000)), cost_usd=Decimal("0.01")
    )
    verdict: Any = draw(st.sampled_from(("retry", "skip", "stop")))
    decided = ChildDecided(**by(BOB), child_id=child_id, verdict=verdict)
    events: list[Event] = [begun, ended, decided]
    return events[: {"held": 0, "running": 1, "ended": 2, "asked": 2, "decided": 3}[fate]]


@st.composite
def coordinators(draw: st.DrawFn, session_id: str = ROOT, most: int = 50) -> Session:
    """A session in the middle of a plan, with single launches of hostile names beside it."""
    origin: dict[str, Any] = {"slack": {"channel": "C0OPS0001", "user": "U1"}}
    begun = launched(task=draw(texts(5_000)) or "x", origin=origin)
    session = apply(session_id, None, begun.model_copy(update={"by": ALICE.id, "by_name": ALICE.name}))
    calls = [draw(plan_calls(most=most))]
    for n in range(2, draw(st.integers(2, 4))):
        arguments = {"persona": draw(texts(200)), "task": draw(texts(300))}
        calls.append(
            tool_call(f"1.{n}", tool="launch_agent", arguments=arguments, mode="allow", control=True)
        )
    session = _apply(session, responded(*calls))
    held = tuple(call.call_id for call in session.calls_in("held"))
    if held:
        session = _apply(session, ApprovalRequested(**by(), request_id="r2", call_ids=held))
        approved = {"digest": calls[0].digest, "verdict": "approve", "via": "anyone"}
        if draw(st.booleans()):
            session = _apply(session, ApprovalDecided(**by(BOB), call_id="1.1", **approved))
    for call in session.calls_in("open"):
        for n, standing in enumerate(subtask_statuses(session, call)):
            child_id = f"{session_id[:4]}{call.call_id[2:]}-{n:04}"
            session = _apply(session, *_fate(draw, call.call_id, standing.subtask.id, child_id))
    return _apply(session, *([Cancelled(**by(BOB), reason="x")] if draw(st.sampled_from((0, 0, 1))) else []))


def _as_child(session: Session, parent: Session, child_id: str) -> Session:
    child = parent.child(child_id)
    lineage = Lineage(
        parent=parent.id,
        call_id=child.call_id,
        name=child.name,
        root=ROOT,
        depth=1,
        requesters=(ALICE.id,),
        folder=f"{parent.id}/agents/{child_id}",
    )
    mine = {"id": child_id, "lineage": lineage, "launched_by": f"agent:{parent.id}"}
    return session.model_copy(update={**mine, "launched_by_name": parent.persona, "changed_at": AT})


@st.composite
def trees(draw: st.DrawFn) -> tuple[Session, Subagents]:
    """A coordinator with everybody below it, one of them a coordinator too, and the addresses that are known."""
    root = draw(coordinators())
    pool = [draw(sessions()) for _ in range(2)]
    below: dict[str, Session] = {}
    for n, child in enumerate(root.children):
        if n == 1:
            middle = _as_child(draw(coordinators("midd-0000", most=9)), root, child.id)
            below[child.id] = middle
            below |= {c.id: _as_child(pool[0], middle, c.id) for c in middle.children}
        else:
            below[child.id] = _as_child(pool[n % len(pool)], root, child.id)
    missing = draw(st.sampled_from((0, 0, 1)))
    known = [ROOT, *below][: len(below) // (missing + 1)]
    cards = {session_id: f"{ADDRESS}{n:016}" for n, session_id in enumerate(known)}
    return root, Subagents(below, cards)
