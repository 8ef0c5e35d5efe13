"""A session as a program in this process sees it."""

from __future__ import annotations

from datetime import datetime

from supervisor.core.budgets import spending_of
from supervisor.core.state import Call, Session, Timer
from supervisor.core.subagents import AtWork, children_of, needs_of, total_cost
from supervisor.view_models import (
    ChildState,
    ForkedFrom,
    NeedState,
    PauseState,
    ProposedCall,
    ReminderState,
    SessionState,
    SpendingState,
)


def state_of(session: Session, family: AtWork, now: datetime, channel: str | None) -> SessionState:
    """What a program sees of a session; `family` are its sub-agents that are at work.

    `channel` is where it shows itself, which the caller reads from its origin.
    """
    forked = session.forked
    return SessionState(
        id=session.id,
        status=session.status,
        waiting_for=session.waiting_for,
        version=session.version,
        persona=session.persona,
        task=session.task,
        channel=channel,
        launched_by=session.launched_by,
        launched_by_name=session.launched_by_name,
        launched_at=session.launched_at,
        changed_at=session.changed_at,
        parent=session.lineage.parent if session.lineage else None,
        root=session.root,
        forked_from=ForkedFrom(id=forked.source, step=forked.step) if forked else None,
        pause=_pause(session),
        calls=[] if session.ended else [_call(call) for call in session.open_calls],
        children=[ChildState(**dict(child)) for child in children_of(session, family)],
        needs=[NeedState(**dict(need)) for need in needs_of(session, family)],
        reminders=[] if session.ended else [_reminder(t) for t in session.timers if t.state == "set"],
        steps=len(session.steps),
        said=session.steps[-1].text if session.steps else "",
        cost_usd=session.cost_usd,
        total_cost_usd=total_cost(session, family),
        unpriced=session.unpriced,
        budget=SpendingState(**dict(spending_of(session, now))),
        artifacts=list(session.artifacts),
        result=session.ending,
    )


def _pause(session: Session) -> PauseState | None:
    if session.pause is None:
        return None
    halt = session.halts[-1]
    conditions = [str(condition) for _, condition in session.waits]
    return PauseState(number=halt.number, reason=halt.reason, detail=halt.detail, conditions=conditions)


def _call(call: Call) -> ProposedCall:
    return ProposedCall(
        call_id=call.call_id,
        tool=call.call.tool,
        arguments=call.call.arguments,
        digest=call.call.digest,
        phase=call.phase,
        question=call.question,
        options=list(call.options),
    )


def _reminder(timer: Timer) -> ReminderState:
    return ReminderState(id=timer.id, due=timer.due, text=timer.text)
