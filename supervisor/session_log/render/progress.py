"""How far a session is: the part of its plan that is done, and its current step by name."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator

from supervisor.core.delegation import DELEGATING, SubtaskStatus, subtask_statuses
from supervisor.core.state import Call, Session
from supervisor.core.text.format import count, join_items
from supervisor.session_log.render.calls import PHASES, named_call
from supervisor.session_log.render.moments import failures
from supervisor.session_log.render.safe import code, inline

_NAMES = 4


def plans(session: Session) -> list[tuple[Call, SubtaskStatus]]:
    """Return the subtasks of all plans that the session has begun to carry out, each with its call."""
    known = {child.call_id for child in session.children} | {skip.call_id for skip in session.skips}
    begun = (
        call
        for step in session.steps
        for call in step.calls
        if call.call.tool in DELEGATING and (call.phase in ("open", "delegating") or call.call_id in known)
    )
    return [(call, standing) for call in begun for standing in subtask_statuses(session, call)]


def percent(session: Session) -> int | None:
    """Return the part of the planned subtasks that is done, in per cent; None where there is no plan."""
    states = [standing.state for _, standing in plans(session)]
    return states.count("completed") * 100 // len(states) if states else None


def plan_progress(session: Session) -> str:
    """Return `50 % of the plan (2 of 4 subtasks done, 1 failed)`; empty where there is no plan."""
    states = Counter(standing.state for _, standing in plans(session))
    if not states:
        return ""
    words = [f"{states['completed']} of {count(states.total(), 'subtask')} done"]
    words += [f"{states[state]} {state}" for state in ("failed", "cancelled", "skipped") if states[state]]
    return f"{percent(session)} % of the plan ({', '.join(words)})"


def progress(session: Session) -> str:
    """Return the progress of the plan, if there is one, the calls that ended, and what the agent said last."""
    calls = [c for step in session.steps for c in step.calls]
    finished = [c for c in calls if c.phase == "finished"]
    failed = sum(not c.ok for c in finished)
    words = f"{len(finished)} of {len(calls)} calls finished" if calls else "no call yet"
    words += f" ({failed} failed)" if failed else ""
    said = session.steps[-1].text.strip() if session.steps else ""
    parts = (plan_progress(session), words, f"last said: “{inline(said, 240)}”" if said else "")
    return "; ".join(filter(None, parts))


def current_step(session: Session) -> str:
    """Return by name what is done now: subtasks, calls of the agent, or its next answer."""
    if session.ended:
        return "none: the session has ended"
    if session.approval:
        return f"the approval {code(session.approval.call_id)} that the pause waits for"
    doing = list(_doing(session))
    if doing:
        return "; ".join(doing)
    last = session.steps[-1].calls if session.steps else ()
    after = f", after {join_items([named_call(call) for call in last], _NAMES)}" if last else ""
    return f"the agent's next answer{after}" if session.steps else "the agent's first answer"


def _doing(session: Session) -> Iterator[str]:
    for child in failures(session):
        yield f"the decision on subtask {code(child.name)}, which {child.state}"
    names: dict[str, list[str]] = {"running": [], "ready": [], "waiting": []}
    for call, standing in plans(session):
        if not call.settled and standing.state in names:
            names[standing.state].append(code(standing.subtask.id))
    if names["running"]:
        yield f"{_subtasks(names['running'])} of the plan"
    elif begins := names["ready"] or names["waiting"]:
        yield f"{_subtasks(begins)} of the plan, not begun"
    calls = [call for call in session.open_calls if call.phase != "delegating"]
    if calls:
        yield join_items([f"{named_call(call)} ({PHASES[call.phase]})" for call in calls], _NAMES)


def _subtasks(names: list[str]) -> str:
    return f"{'subtask' if len(names) == 1 else 'subtasks'} {join_items(names)}"
