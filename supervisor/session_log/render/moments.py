"""A log walked event by event: how the session stood after each, and where it came to rest."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from datetime import datetime

from supervisor.core.delegation import DELEGATING, undecided
from supervisor.core.events import SYSTEM, Event, PauseReason
from supervisor.core.reducer import apply
from supervisor.core.state import Child, Session

# What the loop itself appends in one breath when it comes to rest; the pause stands after the last of them.
_SETTLING = ("ApprovalRequested", "QuestionAsked", "WaitBegun", "Paused", "ChildLaunched", "ChildSkipped")


@dataclass(frozen=True)
class Moment:
    """Event `n` (from 1), with the session before and after it."""

    n: int
    event: Event
    before: Session | None
    after: Session


@dataclass(frozen=True)
class PausePeriod:
    """A stretch in which nothing went on by itself, since event `n`; `session` is how it stood then.

    `ended` is the first moment after it; while there is none, `session` is how it stands now. `brief`: it waited for
    nothing that the one before had not waited for.
    """

    number: int
    n: int
    since: datetime
    reason: PauseReason
    session: Session
    ended: Moment | None = None
    brief: bool = False


def walk(session_id: str, events: Iterable[Event]) -> list[Moment]:
    """Raises IllegalEvent where an event cannot follow."""
    found: list[Moment] = []
    session: Session | None = None
    for n, event in enumerate(events, start=1):
        after = apply(session_id, session, event)
        found.append(Moment(n, event, session, after))
        session = after
    return found


def rests(moments: Sequence[Moment]) -> list[PausePeriod]:
    """Every pause, asked for or not, in order."""
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
    """Why nothing goes on; a call that only begins or ends to wait is not yet, or no longer, a rest."""
    waiting = session.waiting_for
    if waiting == "human_input_required" and not session.calls_in("asking") and not failures(session):
        return None
    return waiting


def failures(session: Session) -> tuple[Child, ...]:
    """Sub-agents of which a person has to say what next."""
    plans = (c for c in session.calls_in("delegating") if c.call.tool in DELEGATING)
    return tuple(child for call in plans for child in undecided(session, call))


def _brief(found: list[PausePeriod]) -> list[PausePeriod]:
    """Decided one by one, the calls of a step give many rests that say the same; the last of all is always told."""
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
