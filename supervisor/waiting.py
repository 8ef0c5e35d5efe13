"""Waiting: pause with conditions, resume in every way, reminders."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Any

from supervisor.changes import Changes, checked
from supervisor.core.conditions import Condition
from supervisor.core.control import compactable
from supervisor.core.errors import IllegalEvent
from supervisor.core.events import (
    Actor,
    BudgetRaised,
    Event,
    Paused,
    PauseReason,
    Resumed,
    TimerDropped,
    TimerFired,
    TimerSet,
    Trigger,
)
from supervisor.core.raising import raised
from supervisor.core.state import Session
from supervisor.core.text.sanitize import clean, clean_text
from supervisor.core.triggers import Kind, Signal, matching, reason_for, resumption

MOST_CONDITIONS = 10
MOST_TIMERS = 20
_TRIGGERS: dict[Kind, Trigger] = {
    "webhook": "webhook",
    "event": "event",
    "cron": "clock",
    "children": "children",
    "manual": "manual",
}


class Waiting(Changes):
    """The verbs about pausing and resuming."""

    async def pause(
        self,
        session_id: str,
        actor: Actor,
        *,
        conditions: Sequence[Condition] = (),
        reason: PauseReason | None = None,
        detail: str = "",
    ) -> Session:
        """Stop at the next boundary until one of `conditions` comes true or somebody resumes."""
        detail = checked(detail, "The reason", optional=True)
        if len(conditions) > MOST_CONDITIONS:
            raise IllegalEvent(f"A session may wait for at most {MOST_CONDITIONS} things at once.")

        def events(session: Session) -> list[Event]:
            if session.pause:
                raise IllegalEvent("This session is already paused.")
            why = reason or reason_for(conditions)
            return [Paused(**self._by(actor), reason=why, detail=detail, conditions=tuple(conditions))]

        return await self._change(session_id, events)

    async def resume(
        self,
        session_id: str,
        actor: Actor,
        *,
        trigger: Trigger = "manual",
        data: Any = None,
        context: str = "",
        compact: bool = False,
        halt: int | None = None,
    ) -> Session:
        """Go on, whatever it waits for. Where a budget is used up, it gets as much again as at its start.

        `compact`: its earlier steps are summed up first, which makes room without raising the limit of its context.
        `halt`: only if it is still in this pause (by number), as a resume token says.
        """
        context = checked(context, "The context", optional=True)

        def events(session: Session) -> list[Event]:
            if not session.pause or (halt is not None and session.halts[-1].number != halt):
                raise IllegalEvent(_not_paused(session))
            if compact and not compactable(session):
                raise IllegalEvent("There is nothing yet that could be summed up; resume it without.")
            resumed = Resumed(
                **self._by(actor), trigger=trigger, data=clean(data), context=context, compact=compact
            )
            return [*self._more(session, session.pause, actor, compact), *resumption(session, resumed)]

        return await self._change(session_id, events)

    def _more(self, session: Session, pause: Paused, actor: Actor, compact: bool) -> list[Event]:
        """What it may use from now on, where it was stopped by its budgets."""
        if pause.reason not in ("budget_exceeded", "context_budget_exceeded"):
            return []
        budgets = raised(session, max(self._clock(), pause.at))
        if compact:
            budgets = budgets.model_copy(update={"max_context_tokens": session.budgets.max_context_tokens})
        return [BudgetRaised(**self._by(actor), budgets=budgets)] if budgets != session.budgets else []

    async def resume_later(self, session_id: str, condition: Condition, actor: Actor) -> Session:
        """One more thing that resumes a paused session."""

        def events(session: Session) -> list[Event]:
            if not session.pause:
                raise IllegalEvent(_not_paused(session))
            if len(session.waits) >= MOST_CONDITIONS:
                raise IllegalEvent(f"A session may wait for at most {MOST_CONDITIONS} things at once.")
            pause = session.pause
            return [
                Paused(**self._by(actor), reason=pause.reason, detail=pause.detail, conditions=(condition,))
            ]

        return await self._change(session_id, events)

    async def wake(self, session_id: str, signal: Signal, actor: Actor) -> bool:
        """Resume it if it waits for this signal; False, and nothing changed, if it does not."""
        woken = False

        def events(session: Session) -> list[Event]:
            nonlocal woken
            condition = None if session.ended else matching(session, signal)
            woken = condition is not None
            if condition is None:
                return []
            resumed = Resumed(
                **self._by(actor),
                trigger=_TRIGGERS[signal.kind],
                condition=str(condition),
                data=clean(signal.data),
                delivery=clean_text(signal.delivery),
            )
            return resumption(session, resumed)

        await self._change(session_id, events)
        return woken

    async def remind(
        self, session_id: str, due: datetime, actor: Actor, *, text: str = "", about: str = ""
    ) -> Session:
        """Remind those who follow the session at `due`; `about` names the approval request that is put off, if any."""
        text = checked(text, "The reminder", optional=True)

        def events(session: Session) -> list[Event]:
            if sum(t.state == "set" for t in session.timers) >= MOST_TIMERS:
                raise IllegalEvent(f"A session may have at most {MOST_TIMERS} reminders at once.")
            timer_id = f"t{len(session.timers) + 1}"
            return [TimerSet(**self._by(actor), timer_id=timer_id, due=due, text=text, about=about)]

        return await self._change(session_id, events)

    async def fire_timer(self, session_id: str, timer_id: str, actor: Actor) -> bool:
        """A reminder is due. False, and nothing changed, where it is no longer set."""
        fired = False

        def events(session: Session) -> list[Event]:
            nonlocal fired
            fired = not session.ended and any(t.id == timer_id and t.state == "set" for t in session.timers)
            if not fired:
                return []
            if session.timer(timer_id).about and not session.asks(session.timer(timer_id).about):
                # What was put off has been decided since.
                return [TimerDropped(**self._by(actor), timer_id=timer_id)]
            return [TimerFired(**self._by(actor), timer_id=timer_id)]

        await self._change(session_id, events)
        return fired

    async def drop_timer(self, session_id: str, timer_id: str, actor: Actor) -> Session:
        """Take a reminder back, or put one away that has fired."""
        return await self._change(session_id, lambda _: [TimerDropped(**self._by(actor), timer_id=timer_id)])

    async def snooze(self, session_id: str, timer_id: str, due: datetime, actor: Actor) -> Session:
        """Put a reminder away and set the same anew."""

        def events(session: Session) -> list[Event]:
            old = session.timer(timer_id)
            again = TimerSet(
                **self._by(actor),
                timer_id=f"t{len(session.timers) + 1}",
                due=due,
                text=old.text,
                about=old.about,
            )
            return [TimerDropped(**self._by(actor), timer_id=timer_id), again]

        return await self._change(session_id, events)


def _not_paused(session: Session) -> str:
    if session.ended:
        return f"This session was already {session.lifecycle}; nothing was changed."
    if session.pause:
        return "That pause is already over, and this session is in another one now."
    if session.waiting_for == "human_approval_required":
        return "This session waits for an approval: approve or deny the proposed call to go on."
    if session.waiting_for == "children_running":
        return "This session waits for its sub-agents, and goes on by itself when they have ended."
    if session.waiting_for == "human_input_required" and not session.calls_in("asking"):
        return "This session waits for a decision on a sub-agent that failed: retry, skip or stop to go on."
    if session.waiting_for == "human_input_required":
        return "This session waits for an answer: answer the question to go on."
    if session.waiting_for == "outcome_unknown":
        return "This session waits for a decision on a call that was cut off: say what became of it to go on."
    return "This session is not paused; it is running."
