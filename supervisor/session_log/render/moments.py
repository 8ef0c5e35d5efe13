"""Folds a log event by event: the session after each event, and the periods in which it was paused or waited."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from datetime import datetime

from supervisor.core.delegation import DELEGATING, undecided
from supervisor.core.events import SYSTEM, Event, PauseReason
from supervisor.core.records import Child
from supervisor.core.reducer import apply
from supervisor.core.state import Session

# Events that the control loop appends together before it waits; the pause begins after the last of them.
_SETTLING = (
    "ApprovalRequested",
    "QuestionAsked",
    "InputRequested",
    "WaitBegun",
    "Paused",
    "ChildLaunched",
    "ChildSkipped",
)


@dataclass(frozen=True)
class Moment:
    """Event `n` (from 1), with the session before and after it."""

    n: int
    event: Event
    before: Session | None
    after: Session


@dataclass(frozen=True)
class PausePeriod:
    """A period from event `n` on in which the session was paused or waited for people; `session` is its state then.

    `ended` is the first moment after it; without one, `session` is the present state. `brief` says that the session
    waited for nothing that it had not waited for in the period before.
    """

    number: int
    n: int
    since: datetime
    reason: PauseReason
    session: Session
    ended: Moment | None = None
    brief: bool = False


def walk(session_id: str, events: Iterable[Event]) -> list[Moment]:
    """Return the moments of a log. Raises IllegalEvent where an event is not allowed after the one before."""
    found: list[Moment] = []
    session: Session | None = None
    for n, event in enumerate(events, start=1):
        after = apply(session_id, session, event)
        found.append(Moment(n, event, session, after))
        session = after
    return found


def rests(moments: Sequence[Moment]) -> list[PausePeriod]:
    """Return all periods in which the session was paused or waited, in order."""
    found: list[PausePeriod] = []
    settling = resting = False
    for moment in moments:
        reason = _reason(moment.after)
        loop = moment.event.by == SYSTEM.id and moment.event.type in _SETTLING
        if resting and settling and loop and reason:
            found[-1] = _begun(moment, reason)
            continue
        settling = loop
        again = moment.event.type == "Paused" or (resting and reason != found[-1].reason)
        if resting and (reason is None or again):
            found[-1] = replace(found[-1], ended=moment)
        if reason and (again or not resting):
            found.append(_begun(moment, reason))
            settling = True
        resting = reason is not None
    if found and found[-1].ended is None:
        found[-1] = replace(found[-1], session=moments[-1].after)
    return _brief(found)


def _begun(moment: Moment, reason: PauseReason) -> PausePeriod:
    return PausePeriod(0, moment.n, moment.event.at, reason, moment.after)


def _reason(session: Session) -> PauseReason | None:
    """Return the reason why the session waits, or None; a question that is not asked yet does not count."""
    waiting = session.waiting_for
    if waiting == "human_input_required" and not session.calls_in("asking") and not failures(session):
        return None
    return waiting


def failures(session: Session) -> tuple[Child, ...]:
    """Return the failed sub-agents that a person has to decide on."""
    plans = (c for c in session.calls_in("delegating") if c.call.tool in DELEGATING)
    return tuple(child for call in plans for child in undecided(session, call))


def _brief(found: list[PausePeriod]) -> list[PausePeriod]:
    """Return the periods with numbers and with `brief` set, which is never the case for one that has not ended.

    The decisions on several calls of a step, made one by one, lead to many periods with the same content.
    """
    shown: list[PausePeriod] = []
    number = 0
    for rest in found:
        before = shown[-1] if shown else None
        same = before is not None and rest.ended is not None and _covers(before, rest)
        number += not same
        shown.append(replace(rest, number=number, brief=same))
    return shown


def _covers(before: PausePeriod, rest: PausePeriod) -> bool:
    if rest.session.pause or before.reason != rest.reason:
        return False
    return len(before.session.steps) == len(rest.session.steps) and _waits(rest) <= _waits(before)


def _waits(rest: PausePeriod) -> set[str]:
    session = rest.session
    calls = {call.call_id for call in session.calls_in("awaiting", "asking", "unknown")}
    children = (*session.running_children, *failures(session))
    return calls | {child.id for child in children}
