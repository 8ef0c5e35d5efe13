"""Reduction of the events about sub-agents, in the session that launched them."""

from __future__ import annotations

from typing import Any

from supervisor.core.delegation import subtask_statuses, undecided
from supervisor.core.errors import IllegalEvent
from supervisor.core.events import ChildDecided, ChildFinished, ChildLaunched, ChildSkipped
from supervisor.core.records import Child, Skip
from supervisor.core.reducer.calls import on_calls
from supervisor.core.reducer.session import reduce
from supervisor.core.state import Session


def _stands(session: Session, event: ChildLaunched | ChildSkipped, *states: str) -> None:
    for standing in subtask_statuses(session, session.call(event.call_id)):
        if standing.subtask.id == event.name and standing.state in states:
            return
    raise IllegalEvent(f"The subtask {event.name} cannot begin or be given up now.")


@reduce.register
def _launched(event: ChildLaunched, session: Session) -> dict[str, Any]:
    changes = on_calls(session, event, (event.call_id,))
    _stands(session, event, "ready")
    if any(child.id == event.child_id for child in session.children):
        raise IllegalEvent("That sub-agent was already launched.")
    child = Child(
        id=event.child_id,
        call_id=event.call_id,
        name=event.name,
        persona=event.persona,
        task=event.task,
        at=event.at,
        budgets=event.budgets,
        below=event.below,
    )
    return {**changes, "children": (*session.children, child)}


@reduce.register
def _skipped(event: ChildSkipped, session: Session) -> dict[str, Any]:
    skip = Skip(call_id=event.call_id, name=event.name, reason=event.reason)
    _stands(session, event, "waiting", "ready")
    return {**on_calls(session, event, (event.call_id,)), "skips": (*session.skips, skip)}


@reduce.register
def _finished(event: ChildFinished, session: Session) -> dict[str, Any]:
    child = session.child(event.child_id)
    if child.state != "running":
        raise IllegalEvent("The end of that sub-agent is already recorded.")
    ended = child.model_copy(
        update={
            "state": event.ending,
            "result": event.result,
            "steps": event.steps,
            "usage": event.usage,
            "cost_usd": event.cost_usd,
            "unpriced": event.unpriced,
            "artifacts": event.artifacts,
            "below": child.below if event.below is None else event.below,
            "finished_at": event.at,
        }
    )
    return _with(session, ended)


@reduce.register
def _decided(event: ChildDecided, session: Session) -> dict[str, Any]:
    child = session.child(event.child_id)
    if child not in undecided(session, session.call(child.call_id)):
        raise IllegalEvent("Nobody has to decide on that sub-agent now.")
    decided = {"decided_by": event.by, "decided_by_name": event.by_name, "decided_at": event.at}
    return _with(session, child.model_copy(update={"verdict": event.verdict, **decided}))


def _with(session: Session, child: Child) -> dict[str, Any]:
    return {"children": tuple(child if c.id == child.id else c for c in session.children)}
