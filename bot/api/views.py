"""What the domain looks like from outside."""

from __future__ import annotations

from typing import Any

from bot.api.models import (
    CallView,
    Decided,
    EventView,
    ForkedFrom,
    KeyView,
    PauseView,
    PersonaView,
    ReminderView,
    ScheduleView,
    SessionView,
    Status,
)
from bot.compose import Core, now
from handlers.origin import Place, channel_of
from supervisor.api_keys import ApiKey
from supervisor.core.budgets import spending_of
from supervisor.core.events import Event
from supervisor.core.messages import Json
from supervisor.core.persona import Persona
from supervisor.core.state import Call, Halt, Session, Timer
from supervisor.core.subagents import AtWork, children_of, needs_of, total_cost
from supervisor.schedules import Schedule
from supervisor.subagents import at_work

# The provider's own message is long and says nothing to others.
_NOT_SHOWN = {"type", "v", "at", "by", "by_name", "native"}


async def session_view(core: Core, session: Session) -> SessionView:
    """The whole of it, as it stands, with its sub-agents."""
    return seen_with(session, await at_work(core.sessions, session))


def seen_with(session: Session, family: AtWork) -> SessionView:
    """As `session_view`, where its sub-agents that are at work were read already."""
    place, forked = Place.of(session), session.forked
    status: Any = session.status
    known: Status = status
    return SessionView(
        id=session.id,
        status=known,
        waiting_for=session.waiting_for,
        version=session.version,
        persona=session.persona,
        task=session.task,
        channel=place.channel if place else None,
        launched_by=session.launched_by,
        launched_by_name=session.launched_by_name,
        launched_at=session.launched_at,
        changed_at=session.changed_at,
        parent=session.lineage.parent if session.lineage else None,
        root=session.root,
        forked_from=ForkedFrom(id=forked.source, step=forked.step) if forked else None,
        pause=_pause(session),
        calls=[] if session.ended else [_call(call) for call in session.open_calls],
        children=children_of(session, family),
        needs=needs_of(session, family),
        reminders=[] if session.ended else [reminder_view(t) for t in session.timers if t.state == "set"],
        steps=len(session.steps),
        said=session.steps[-1].text if session.steps else "",
        usage=session.usage,
        cost_usd=session.cost_usd,
        total_cost_usd=total_cost(session, family),
        unpriced=session.unpriced,
        budgets=session.budgets,
        budget=spending_of(session, now()),
        artifacts=list(session.artifacts),
        ended_by=session.ended_by,
        result=session.ending,
    )


def _pause(session: Session) -> PauseView | None:
    if not session.pause:
        return None
    halt: Halt = session.halts[-1]
    return PauseView(
        number=halt.number,
        reason=halt.reason,
        detail=halt.detail,
        by=halt.by,
        by_name=halt.by_name,
        at=halt.at,
        conditions=conditions_of(session),
    )


def conditions_of(session: Session) -> list[str]:
    """The text of everything that would resume it."""
    return [str(condition) for _, condition in session.waits]


def _call(call: Call) -> CallView:
    return CallView(
        call_id=call.call_id,
        tool=call.call.tool,
        arguments=call.call.arguments,
        digest=call.call.digest,
        phase=call.phase,
        requested_at=call.requested_at,
        approvers=call.call.approvers,
        decisions=[Decided(**decision.model_dump()) for decision in call.decisions],
        question=call.question,
        options=list(call.options),
    )


def reminder_view(timer: Timer) -> ReminderView:
    return ReminderView(id=timer.id, due=timer.due, text=timer.text, by=timer.by, by_name=timer.by_name)


def event_view(version: int, event: Event) -> EventView:
    data: Json = event.model_dump(mode="json", exclude=_NOT_SHOWN)
    if isinstance(data.get("conditions"), list):
        data["conditions"] = [str(condition) for condition in getattr(event, "conditions", ())]
    return EventView(
        version=version, type=event.type, at=event.at, by=event.by, by_name=event.by_name, data=data
    )


def schedule_view(schedule: Schedule) -> ScheduleView:
    return ScheduleView(
        id=schedule.id,
        cron=schedule.cron,
        zone=schedule.zone,
        persona=schedule.persona,
        task=schedule.task,
        channel=channel_of(schedule.origin) or None,
        by=schedule.by,
        by_name=schedule.by_name,
        created_at=schedule.created_at,
        due=schedule.due,
        last_session=schedule.last_session or None,
        last_problem=schedule.last_problem or None,
    )


def persona_view(persona: Persona) -> PersonaView:
    return PersonaView(
        name=persona.name, description=persona.description, model=persona.model, tools=list(persona.tools)
    )


def key_view(key: ApiKey, last_used: Any = None) -> KeyView:
    return KeyView(
        id=key.id,
        name=key.name,
        scopes=list(key.scopes),
        created_at=key.created_at,
        created_by=key.created_by,
        last_used_at=last_used,
    )
