"""Control of a session: pause with conditions, resume in every way, cancel."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from datetime import datetime
from typing import Any

from supervisor.core.budgets import raise_limits
from supervisor.core.commands.base import check_data, check_room, check_text, stamp
from supervisor.core.conditions import At, Condition, Cron, Parent
from supervisor.core.control import compactable
from supervisor.core.errors import IllegalEvent, MissingScope, NotAllowed
from supervisor.core.events import (
    Actor,
    ApprovalDecided,
    BudgetRaised,
    Cancelled,
    ContextAdded,
    Event,
    Paused,
    PauseReason,
    Resumed,
    Trigger,
)
from supervisor.core.events.base import Waker
from supervisor.core.persona import Approvers
from supervisor.core.policy import right_to_decide
from supervisor.core.records import Decision
from supervisor.core.state import Session
from supervisor.core.subagents import cascading
from supervisor.core.text.sanitize import clean, clean_text
from supervisor.core.triggers import Kind, Signal, matching_condition, named_condition, reason_for, resumption

MAX_CONDITIONS = 10
_TRIGGERS: Mapping[Kind, Waker] = {
    "webhook": "webhook",
    "event": "event",
    "cron": "clock",
    "children": "children",
    "parent": "parent",
    "connection": "connection",
    "manual": "manual",
}
_TOO_MANY = f"A session may wait for at most {MAX_CONDITIONS} things at once."


def pause(
    session: Session,
    actor: Actor,
    at: datetime,
    *,
    conditions: Sequence[Condition] = (),
    reason: PauseReason | None = None,
    detail: str = "",
    approvers: Sequence[Approvers] = (),
    too_few: bool = False,
    replace: bool = False,
    cascade: bool = True,
    may_decide: bool = True,
    pause_number: int | None = None,
) -> list[Event]:
    """Pause after the present step until one of `conditions` is true or a person resumes.

    A session that is paused already waits for these besides, or, with `replace`, in place of what it waited for. Where
    it waits for an approval, that takes the right to decide, and used-up limits are raised, as by `resume`.
    `approvers` are the rules about who ends it where one of the conditions is an approval, and `too_few` that fewer
    people could approve by them than it takes. With `cascade` its sub-agents pause with it, unless it waits for their
    ends. `pause_number`: limits are raised only out of this pause. Raises IllegalEvent, and as `resume`.
    """
    detail = check_text(detail, "The reason", optional=True)
    kept = [] if replace else [condition for _, condition in session.waits]
    new = [condition for condition in conditions if condition not in kept]
    to_follow = cascade and _at_work(session) and cascading(session) is None and _lets_follow(kept)
    if session.pause and not (new or detail or replace or to_follow):
        if conditions:
            return []
        raise IllegalEvent("This session is already paused; say what else it shall wait for, or resume it.")
    if len(kept) + len(new) > MAX_CONDITIONS:
        raise IllegalEvent(_TOO_MANY)
    check_room(session)
    raised: list[Event] = []
    if session.pause:
        _approve(session, actor, at, may_decide=may_decide)
        raised = _raise_budgets(session, session.pause, actor, at, until=new) if new else []
        if raised and pause_number is not None and not _lasts(session, pause_number):
            raise IllegalEvent("Its budget has stopped this session in the meantime; look at it again.")
        reason = reason or (reason_for([*kept, *new]) if kept or new else session.pause.reason)
        detail = detail or session.pause.detail
    paused = waiting_pause(
        new,
        approvers,
        session.steered_by | actor.ids,
        reason=reason,
        detail=detail,
        too_few=too_few,
        **stamp(actor, at),
    )
    below = cascade and _at_work(session) and _lets_follow([*kept, *new])
    replaces = replace and session.pause is not None
    return [*raised, paused.model_copy(update={"replaces": replaces, "cascade": below})]


def follow(session: Session, pause_number: int, actor: Actor, at: datetime) -> list[Event]:
    """Pause a sub-agent with this pause of the session that launched it; nothing where it is paused or has ended."""
    if session.pause or session.ended:
        return []
    condition = Parent(type="parent", pause=pause_number)
    paused = waiting_pause([condition], (), (), **stamp(actor, at))
    return [paused.model_copy(update={"cascade": _at_work(session)})]


def _lets_follow(conditions: Sequence[Condition]) -> bool:
    """Whether sub-agents may pause with a session that waits for these, of which their own ends would be one."""
    return all(condition.type != "children" for condition in conditions)


def _at_work(session: Session) -> bool:
    """Whether sub-agents of the session run, or are about to be launched."""
    return bool(session.running_children or session.calls_in("delegating"))


def waiting_pause(
    conditions: Sequence[Condition],
    approvers: Sequence[Approvers],
    told_by: Collection[str],
    *,
    reason: PauseReason | None = None,
    detail: str = "",
    too_few: bool = False,
    **by: Any,
) -> Paused:
    """Return the event of a pause that ends with one of `conditions`; `approvers` rule who may approve its end.

    `told_by` count as requesters of that approval. `by` are the fields that all events have.
    """
    return Paused(
        **by,
        reason=reason or reason_for(conditions),
        detail=detail,
        conditions=tuple(conditions),
        approvers=next(iter(approvers), None),
        also=tuple(approvers[1:]),
        requesters=tuple(sorted(told_by)) if approvers else (),
        too_few=too_few,
    )


def resume(
    session: Session,
    actor: Actor,
    at: datetime,
    *,
    trigger: Trigger = "manual",
    data: Any = None,
    context: str = "",
    compact: bool = False,
    pause_number: int | None = None,
    may_decide: bool = True,
) -> list[Event]:
    """Resume out of any pause; used-up limits are raised by what they were at the start.

    `compact`: its earlier steps are summed up first, which makes room without raising the limit of its context.
    `trigger` names what came, of what it waits for. `pause_number`: only if it is still in this pause, as a resume
    token says. Where the pause waits for an approval, resuming is one, and takes the right to decide; `may_decide` is
    False for a key without that scope. Raises IllegalEvent, NotAllowed, or MissingScope.
    """
    context = check_text(context, "The context", optional=True)
    if not session.pause or (pause_number is not None and not _lasts(session, pause_number)):
        raise IllegalEvent(_not_paused(session))
    data = check_data(data)
    if context or data is not None:
        check_room(session, context, data=data)
    if compact and not compactable(session):
        raise IllegalEvent("There is nothing yet that could be summed up; resume it without.")
    approved = _approve(session, actor, at, trigger=trigger, may_decide=may_decide)
    resumed = Resumed(
        **stamp(actor, at),
        trigger=trigger,
        condition=_came(session, trigger, data),
        data=data,
        context=context,
        compact=compact,
    )
    raised = _raise_budgets(session, session.pause, actor, at, compact=compact)
    return [*approved, *raised, *resumption(session, resumed)]


def _lasts(session: Session, pause_number: int) -> bool:
    return any(halt.number == pause_number and halt.lasts for halt in session.halts)


def _came(session: Session, trigger: Trigger, data: Any) -> str:
    """The condition that a person says has come true; empty where none is named. Raises IllegalEvent."""
    if trigger in ("manual", "token"):
        return ""
    if condition := named_condition(session, trigger, data):
        return str(condition)
    if named_condition(session, trigger, None):
        raise IllegalEvent(
            f"This data is not that of the {trigger} that the session waits for; resume it without a trigger."
        )
    awaited = ", ".join(f"`{condition}`" for _, condition in session.waits) or "a person only"
    raise IllegalEvent(
        f"This session waits for no {trigger}, but for {awaited}; name what came, or resume it without a trigger."
    )


def _approve(
    session: Session, actor: Actor, at: datetime, *, trigger: Trigger = "manual", may_decide: bool
) -> list[Event]:
    """Return the approval that resuming by hand implies, if the pause waits for one; otherwise nothing."""
    call = session.approval
    if call is None:
        return []
    if trigger == "token":
        raise NotAllowed("This session waits for an approval, which a resume token does not give.")
    if not may_decide:
        raise MissingScope("approve")
    right = right_to_decide(session, call, actor).recorded
    decision = Decision(**stamp(actor, at), verdict="approve", **right)
    if not call.model_copy(update={"decisions": (*call.decisions, decision)}).approved_enough:
        raise NotAllowed("This session waits for more than one approval; approve it instead of resuming it.")
    decided = ApprovalDecided(
        **stamp(actor, at), call_id=call.call_id, digest=call.call.digest, verdict="approve", **right
    )
    return [decided]


def _raise_budgets(
    session: Session,
    pause: Paused,
    actor: Actor,
    at: datetime,
    *,
    compact: bool = False,
    until: Sequence[Condition] = (),
) -> list[Event]:
    """Return the event with new limits, where the session was stopped by its budgets; otherwise none.

    Minutes are enough for the latest of the times in `until`.
    """
    if pause.reason not in ("budget_exceeded", "context_budget_exceeded"):
        return []
    times = [condition.due for condition in until if isinstance(condition, At | Cron)]
    budgets = raise_limits(session, max(at, pause.at, *times))
    if compact:
        budgets = budgets.model_copy(update={"max_context_tokens": session.budgets.max_context_tokens})
    return [BudgetRaised(**stamp(actor, at), budgets=budgets)] if budgets != session.budgets else []


def resume_later(
    session: Session,
    due: datetime,
    actor: Actor,
    at: datetime,
    *,
    context: str = "",
    may_decide: bool = True,
    pause_number: int | None = None,
) -> list[Event]:
    """Have a paused session resume at `due` (UTC), besides what it waits for; then the agent reads `context`.

    Raises as `pause`, and IllegalEvent where it is not paused.
    """
    context = check_text(context, "The message", optional=True)
    if not session.pause:
        raise IllegalEvent(_not_paused(session))
    then = At(type="at", due=due)
    more = pause(
        session,
        actor,
        at,
        conditions=[then],
        cascade=False,
        may_decide=may_decide,
        pause_number=pause_number,
    )
    check_room(session, context)
    told = [ContextAdded(**stamp(actor, at), text=context, kind="command")] if context else []
    return [*more, *told]


def wake(session: Session, signal: Signal, actor: Actor, at: datetime) -> list[Event]:
    """Return the events that resume the session where it waits for this signal; otherwise none."""
    condition = None if session.ended else matching_condition(session, signal)
    if condition is None:
        return []
    resumed = Resumed(
        **stamp(actor, at),
        trigger=_TRIGGERS[signal.kind],
        condition=str(condition),
        data=clean(signal.data),
        delivery=clean_text(signal.delivery),
    )
    return resumption(session, resumed)


def cancel(session: Session, actor: Actor, at: datetime, *, reason: str = "") -> list[Event]:
    """End the session: no call starts any more, and a running tool is interrupted if it allows that."""
    return [Cancelled(**stamp(actor, at), reason=check_text(reason, "The reason", optional=True))]


def _not_paused(session: Session) -> str:
    if session.ended:
        return f"This session was already {session.lifecycle}; nothing was changed."
    if session.pause:
        return "That pause is already over, and this session is in another one now."
    if session.waiting_for == "human_approval_required":
        return "This session waits for an approval: approve or deny the proposed call to continue."
    if session.waiting_for == "children_running":
        return "This session waits for its sub-agents, and resumes by itself when they have ended."
    if session.waiting_for == "human_input_required" and not session.calls_in("asking"):
        return "This session waits for a decision on a sub-agent that failed: retry, skip or stop to go on."
    if session.waiting_for == "human_input_required":
        return "This session waits for an answer: answer the question to go on."
    if session.waiting_for == "outcome_unknown":
        return (
            "This session waits for a decision on a call that was cut off: say what became of it to continue."
        )
    return "This session is not paused; it is running."
