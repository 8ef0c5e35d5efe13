"""Reminders: set, fired once when due, removed, snoozed."""

from __future__ import annotations

from datetime import datetime

from supervisor.core.commands.base import check_room, check_text, stamp
from supervisor.core.errors import IllegalEvent
from supervisor.core.events import Actor, Event, TimerDropped, TimerFired, TimerSet
from supervisor.core.state import Session

MAX_REMINDERS = 20


def remind(
    session: Session, due: datetime, actor: Actor, at: datetime, *, text: str = "", about: str = ""
) -> list[Event]:
    """Remind at `due`; `about` names the approval request that is put off, if any. Raises IllegalEvent."""
    text = check_text(text, "The reminder", optional=True)
    if sum(timer.state == "set" for timer in session.timers) >= MAX_REMINDERS:
        raise IllegalEvent(f"A session may have at most {MAX_REMINDERS} reminders at once.")
    check_room(session)
    return [TimerSet(**stamp(actor, at), timer_id=_next_id(session), due=due, text=text, about=about)]


def fire_timer(session: Session, timer_id: str, actor: Actor, at: datetime) -> list[Event]:
    """Return the event of a due reminder: fired, or dropped if its request is decided; none if it is not set."""
    if session.ended or not any(t.id == timer_id and t.state == "set" for t in session.timers):
        return []
    about = session.timer(timer_id).about
    if about and not session.asks(about):
        return [TimerDropped(**stamp(actor, at), timer_id=timer_id)]
    return [TimerFired(**stamp(actor, at), timer_id=timer_id)]


def drop_timer(session: Session, timer_id: str, actor: Actor, at: datetime) -> list[Event]:
    """Remove a reminder before or after it has fired."""
    return [TimerDropped(**stamp(actor, at), timer_id=timer_id)]


def snooze(session: Session, timer_id: str, due: datetime, actor: Actor, at: datetime) -> list[Event]:
    """Remove a reminder and set the same for a later time. Raises IllegalEvent where there is none."""
    check_room(session)
    old = session.timer(timer_id)
    again = TimerSet(**stamp(actor, at), timer_id=_next_id(session), due=due, text=old.text, about=old.about)
    return [TimerDropped(**stamp(actor, at), timer_id=timer_id), again]


def _next_id(session: Session) -> str:
    return f"t{len(session.timers) + 1}"
