"""Deadlines: of requests for approval, to remind approvers, escalate to more of them and expire; and ends of grants."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime
from typing import Literal, NamedTuple

from supervisor.core.commands.base import stamp
from supervisor.core.events import Actor, ApprovalOverdue, Event, GrantEnded
from supervisor.core.events.base import APPROVAL
from supervisor.core.state import Call, Session

# How often the approvers of one request are reminded.
MOST_REMINDERS = 5


class Deadline(NamedTuple):
    """The next deadline of a call. `name` is another one for each, so that a timer that is late does nothing."""

    name: str
    due: datetime
    step: Literal["remind", "escalate", "expire"]
    call: Call


def deadlines(session: Session) -> Iterator[Deadline]:
    """Yield the next deadline of each call, and of the pause, that waits for an approval under a rule with one."""
    if session.ended:
        return
    pause = session.approval
    for call in (*session.calls_in("awaiting"), *([pause] if pause else [])):
        if call.phase == "awaiting" and (found := _next(call)):
            yield found


def pass_deadlines(session: Session, name: str, actor: Actor, at: datetime) -> list[Event]:
    """Return the events of the deadlines that have passed at `at`, if the one of this name is among them."""
    if over := [
        grant for grant in session.grants if grant.id == name and not grant.ended_at and grant.until <= at
    ]:
        return [GrantEnded(**stamp(actor, at), grant_id=grant.id, expired=True) for grant in over]
    passed = [deadline for deadline in deadlines(session) if deadline.due <= at]
    if name not in {deadline.name for deadline in passed}:
        return []
    events: list[Event] = []
    for step in ("expire", "escalate", "remind"):
        calls = tuple(d.call.call_id for d in passed if d.step == step and d.call.call.tool != APPROVAL)
        pauses = [(d.call.call_id,) for d in passed if d.step == step and d.call.call.tool == APPROVAL]
        for call_ids in filter(None, (calls, *pauses)):
            events.append(ApprovalOverdue(**stamp(actor, at), call_ids=call_ids, step=step))
    return events


def expiries(call: Call) -> Iterator[datetime]:
    """Yield when a request for approval expires by each of its rules that says so; a pause never does."""
    for rule in call.call.rules if call.asked_at and call.call.tool != APPROVAL else ():
        if rule.expire and call.asked_at:
            yield call.asked_at + rule.expire


def _next(call: Call) -> Deadline | None:
    since, rules = call.asked_at, call.call.rules
    if since is None:
        return None
    found: list[tuple[datetime, int, Literal["remind", "escalate", "expire"]]] = [
        (expires, 0, "expire") for expires in expiries(call)
    ]
    for rule in rules:
        if rule.escalate:
            found.append((since + rule.escalate.after, 1, "escalate"))
        if rule.remind and call.reminded < MOST_REMINDERS:
            found.append(((call.reminded_at or since) + rule.remind, 2, "remind"))
    if not found:
        return None
    due, _, step = min(found)
    return Deadline(f"a{call.call_id}.{call.request}.{call.nudges}", due, step, call)
