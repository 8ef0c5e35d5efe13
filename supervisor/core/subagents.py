"""The states of a session's sub-agents, and what in them waits for a person. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from decimal import Decimal
from typing import Literal

from supervisor.core.conditions import Parent
from supervisor.core.delegation import DELEGATING, SubtaskStatus, subtask_statuses, undecided
from supervisor.core.events import PauseReason
from supervisor.core.messages import Frozen
from supervisor.core.state import CallPhase, PauseRecord, Session

ChildStatus = Literal["waiting", "running", "paused", "completed", "failed", "cancelled", "skipped"]
Until = Literal["person", "paused", "ended"]
# Reasons to wait that need no person.
BY_ITSELF: frozenset[PauseReason] = frozenset(
    {"external_dependency", "scheduled", "children_running", "parent_paused"}
)
# What resumes a session because somebody said so.
_BY_HAND = ("manual", "token", "approval")
_CARRIED_OUT: frozenset[CallPhase] = frozenset({"open", "delegating", "finished"})
# The sessions of sub-agents that have not ended, by their ids.
ActiveSubagents = Mapping[str, Session]


class ChildStanding(Frozen):
    """One subtask of a plan: `id` is the session that does it, `reason` why it was given up.

    `undecided`: it failed, and a person has to say what next.
    """

    id: str | None
    call_id: str
    name: str
    persona: str
    task: str
    depends_on: tuple[str, ...] = ()
    status: ChildStatus
    waiting_for: PauseReason | None = None
    undecided: bool = False
    reason: str = ""
    result: str = ""
    steps: int = 0
    cost_usd: Decimal = Decimal(0)
    unpriced: bool = False
    artifacts: tuple[str, ...] = ()


class Need(Frozen):
    """What waits for a person: `session_id` is where to act, `name` leads there through the names of subtasks.

    `child_id` is a sub-agent that failed, of which has to be said what next.
    """

    session_id: str
    name: str
    persona: str
    waiting_for: PauseReason
    child_id: str | None = None


def children_of(session: Session, at_work: ActiveSubagents) -> list[ChildStanding]:
    """Return all subtasks of the session's plans that have begun, in their order."""
    found: list[ChildStanding] = []
    for step in session.steps:
        for call in step.calls:
            if call.call.tool in DELEGATING and call.phase in _CARRIED_OUT:
                open_ = {child.id for child in undecided(session, call)}
                stands = subtask_statuses(session, call)
                found += [_child(session, call.call_id, s, at_work, open_) for s in stands]
    return found


def _child(
    session: Session, call_id: str, standing: SubtaskStatus, at_work: ActiveSubagents, open_: set[str]
) -> ChildStanding:
    subtask, child = standing.subtask, standing.child
    about = {
        "call_id": call_id,
        "name": subtask.id,
        "persona": subtask.persona,
        "task": subtask.task,
        "depends_on": subtask.depends_on,
    }
    if child is None or standing.state in ("waiting", "ready", "skipped"):
        gone = f"the session was {session.lifecycle}" if session.ended else ""
        reason = standing.note or gone
        status: ChildStatus = "skipped" if reason or standing.state == "skipped" else "waiting"
        return ChildStanding(**about, id=child.id if child else None, status=status, reason=reason)
    found = at_work.get(child.id)
    if found is None:
        return ChildStanding(
            **about,
            id=child.id,
            status=child.state,
            undecided=child.id in open_,
            result=child.result,
            steps=child.steps,
            cost_usd=child.cost_usd,
            unpriced=child.unpriced,
            artifacts=child.artifacts,
        )
    return ChildStanding.model_validate(
        {
            **about,
            "id": child.id,
            "status": found.status,
            "waiting_for": found.waiting_for,
            "result": found.ending,
            "steps": len(found.steps),
            "cost_usd": total_cost(found, at_work),
            "unpriced": found.unpriced,
            "artifacts": found.artifacts,
        }
    )


def total_cost(session: Session, at_work: ActiveSubagents) -> Decimal:
    """Return the cost of the session and all its sub-agents so far, in USD."""
    running = (at_work[child.id] for child in session.running_children if child.id in at_work)
    return sum((total_cost(child, at_work) for child in running), session.total_cost_usd)


def needs_of(session: Session, at_work: ActiveSubagents) -> list[Need]:
    """Return what waits for a person in a session and its sub-agents."""
    return list(_needs(session, at_work, ()))


def _needs(session: Session, at_work: ActiveSubagents, path: tuple[str, ...]) -> Iterator[Need]:
    if session.ended:
        return
    about = {"session_id": session.id, "persona": session.persona}
    failed = [c for call in session.calls_in("delegating") for c in undecided(session, call)]
    for child in failed:
        name = "/".join((*path, child.name))
        yield Need(**about, name=name, waiting_for="human_input_required", child_id=child.id)
    reason = session.waiting_for
    told = reason == "human_input_required" and not session.calls_in("asking")
    if reason == "parent_paused":
        yield from _needs_below(session, about, "/".join(path))
    elif reason and reason not in BY_ITSELF and not told:
        yield Need(**about, name="/".join(path), waiting_for=reason)
    for child in session.running_children:
        if child.id in at_work:
            yield from _needs(at_work[child.id], at_work, (*path, child.name))


def pause_to_follow(parent: Session, child: Session) -> PauseRecord | None:
    """Return the pause of the parent with which a running sub-agent of it is to pause now; None where there is none.

    Each pause is followed once: one that a person has resumed since goes on, and one that is paused of its own follows
    when it would go on.
    """
    halt = cascading(parent)
    if child.pause or child.ended or halt is None:
        return None
    followed = {c.pause for done in child.halts for c in done.conditions if isinstance(c, Parent)}
    last = child.halts[-1] if child.halts else None
    by_hand = last and last.resumed_at and last.resumed_at >= halt.at and last.trigger in _BY_HAND
    return None if halt.number in followed or by_hand else halt


def cascading(session: Session) -> PauseRecord | None:
    """Return the newest pause of the session with which its sub-agents pause; none while it waits for their ends."""
    if not session.pause or any(condition.type == "children" for _, condition in session.waits):
        return None
    return next((halt for halt in reversed(session.halts) if halt.cascade and halt.lasts), None)


def waits_for_parent(child: Session) -> bool:
    """Return whether the sub-agent is paused until the session that launched it goes on."""
    return any(isinstance(condition, Parent) for _, condition in child.waits)


def _needs_below(session: Session, about: Mapping[str, str], name: str) -> Iterator[Need]:
    """Yield what a sub-agent that is paused with its parent asks people besides.

    One that came from a SESSION_LOG may have lost its parent, so that nothing but a person resumes it.
    """
    asks: dict[CallPhase, PauseReason] = {
        "awaiting": "human_approval_required",
        "asking": "human_input_required",
        "unknown": "outcome_unknown",
    }
    for phase, reason in asks.items():
        if session.calls_in(phase):
            yield Need(**about, name=name, waiting_for=reason)
            return
    if session.restored_at:
        yield Need(**about, name=name, waiting_for="parent_paused")


def is_reached(session: Session, needs: Iterable[Need], until: Until) -> bool:
    """Return whether a session has reached `until`: its end, a need for a person, or any wait but for sub-agents."""
    if session.ended or until == "ended":
        return session.ended
    rests = until == "paused" and session.waiting_for not in (None, "children_running")
    return rests or any(needs)
