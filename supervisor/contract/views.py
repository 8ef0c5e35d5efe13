"""Makes the views that programs get, from the state of a session."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence
from datetime import datetime
from typing import Any, Protocol

from supervisor.contract.models import (
    CallResult,
    CallView,
    DecisionView,
    EventView,
    ForkedFrom,
    InputView,
    PauseView,
    PersonaView,
    ReminderView,
    ScheduleView,
    SessionView,
    Status,
)
from supervisor.contract.requests import CallSeen
from supervisor.core.budgets import spending_of
from supervisor.core.errors import FlagmanError
from supervisor.core.events import Event
from supervisor.core.messages import Json
from supervisor.core.persona import Grants
from supervisor.core.records import Fork, RunningCall, Timer
from supervisor.core.rights import runs_as
from supervisor.core.state import Call, Session
from supervisor.core.subagents import ActiveSubagents, children_of, needs_of, total_cost
from supervisor.core.text.requests import request_notes
from supervisor.personas.library import PersonaLibrary
from supervisor.schedules import Schedule

# The provider's own message is long and of use to this provider alone.
_NOT_SHOWN = {"type", "v", "at", "by", "by_name", "by_owner", "native"}


class Channels(Protocol):
    """Reads and writes the channel in the origin of a session; handed in, since the form is that of Slack."""

    def origin_of(self, channel: str) -> Json: ...
    def channel_of(self, origin: Json) -> str | None: ...


def only_calls(view: SessionView, call_ids: Collection[str]) -> SessionView:
    """The view for who may decide on these calls and not read the session: without its task, words and files."""
    hidden: dict[str, Any] = {"task": "", "said": "", "result": "", "pause": None}
    hidden |= {"running": [], "children": [], "needs": [], "reminders": [], "decisions": []}
    hidden["artifacts"] = []
    calls = [call for call in view.calls if call.call_id in call_ids]
    return view.model_copy(update={**hidden, "calls": calls})


def session_view(
    session: Session,
    subagents: ActiveSubagents,
    now: datetime,
    channels: Channels,
    running: Sequence[RunningCall] = (),
    link: str = "",
) -> SessionView:
    """The view of a session with its sub-agents, what runs in it, and where people see it, at the time `now`."""
    forked = session.forked
    status: Any = session.status
    known: Status = status
    return SessionView(
        id=session.id,
        status=known,
        waiting_for=session.waiting_for,
        version=session.version,
        persona=session.persona,
        task=session.task,
        channel=channels.channel_of(session.origin),
        launched_by=session.launched_by,
        launched_by_name=session.launched_by_name,
        launched_for=sorted(session.asked_by - {session.launched_by}),
        requesters=sorted(session.requesters),
        link=link,
        launched_at=session.launched_at,
        changed_at=session.changed_at,
        parent=session.lineage.parent if session.lineage else None,
        root=session.root,
        forked_from=_forked_from(forked) if forked else None,
        pause=_pause(session),
        calls=[] if session.ended else [_call(session, call) for call in _open_calls(session)],
        running=list(running),
        children=children_of(session, subagents),
        needs=needs_of(session, subagents),
        reminders=[] if session.ended else [reminder_view(t) for t in session.timers if t.state == "set"],
        decisions=list(session.decisions),
        steps=len(session.steps),
        said=session.steps[-1].text if session.steps else "",
        usage=session.usage,
        cost_usd=session.cost_usd,
        total_cost_usd=total_cost(session, subagents),
        unpriced=session.unpriced,
        budgets=session.budgets,
        budget=spending_of(session, now),
        artifacts=list(session.artifacts),
        ended_by=session.ended_by,
        result=session.ending,
    )


def _forked_from(fork: Fork) -> ForkedFrom:
    return ForkedFrom(id=fork.source, step=fork.step, missing=list(fork.missing))


def _open_calls(session: Session) -> Iterator[Call]:
    """The calls without a result, and the request of a pause that waits for an approval."""
    yield from session.open_calls
    if session.approval:
        yield session.approval


def _pause(session: Session) -> PauseView | None:
    if not session.pause:
        return None
    record = session.halts[-1]
    return PauseView(
        number=record.number,
        reason=record.reason,
        detail=record.detail,
        by=record.by,
        by_name=record.by_name,
        at=record.at,
        conditions=conditions_of(session),
    )


def conditions_of(session: Session) -> list[str]:
    """The texts of the conditions that resume the session."""
    return [str(condition) for _, condition in session.waits]


def _call(session: Session, call: Call) -> CallView:
    return CallView(
        call_id=call.call_id,
        tool=call.call.tool,
        arguments=call.call.arguments,
        digest=call.call.digest,
        phase=call.phase,
        request=call.request,
        requested_at=call.requested_at,
        approvers=call.call.approvers,
        also=list(call.call.also),
        decisions=[DecisionView(**decision.model_dump()) for decision in call.decisions],
        requesters=sorted(call.requesters),
        question=call.question,
        options=list(call.options),
        input=_input(call),
        grants=Grants(**call.grants.model_dump(exclude={"missing"})) if call.grants else None,
        notes=list(request_notes(call)) if call.phase == "awaiting" else [],
        preview=call.preview if call.phase == "awaiting" else "",
        definition=call.call.definition.text if call.call.definition else "",
        runs_as=runs_as(session) if call.call.definition and call.call.definition.personal else "",
    )


def _input(call: Call) -> InputView | None:
    asked = call.inputs.open if call.phase == "asking" else None
    if asked is None:
        return None
    request = asked.request
    return InputView(
        server=request.server,
        message=request.message,
        form=request.schema_,
        url=request.url,
        until=asked.until,
    )


def call_result(call_id: str, refusal: FlagmanError | None) -> CallResult:
    """What a decision did to a call, with the error by which it was refused, if it was."""
    if refusal is None:
        return CallResult(call_id=call_id, decided=True)
    return CallResult(
        call_id=call_id, decided=False, code=refusal.code, detail=str(refusal), fields=refusal.fields
    )


def calls_seen(state: SessionView, call_ids: Sequence[str]) -> list[CallSeen]:
    """What a view shows of its calls with these ids, for a decision on them; nothing of those that it does not have."""
    shown = {call.call_id: call for call in state.calls}
    found = []
    for call_id in call_ids:
        call = shown.get(call_id)
        seen = {"digest": call.digest, "request": call.request} if call else {}
        found.append(CallSeen.of(call_id=call_id, **seen))
    return found


def reminder_view(timer: Timer) -> ReminderView:
    return ReminderView(id=timer.id, due=timer.due, text=timer.text, by=timer.by, by_name=timer.by_name)


def event_view(version: int, event: Event) -> EventView:
    data: Json = event.model_dump(mode="json", exclude=_NOT_SHOWN)
    if isinstance(data.get("conditions"), list):
        data["conditions"] = [str(condition) for condition in getattr(event, "conditions", ())]
    return EventView(
        version=version,
        type=event.type,
        at=event.at,
        by=event.by,
        by_name=event.by_name,
        by_owner=event.by_owner,
        data=data,
    )


def schedule_view(schedule: Schedule, channels: Channels) -> ScheduleView:
    return ScheduleView(
        id=schedule.id,
        cron=schedule.cron,
        zone=schedule.zone,
        persona=schedule.persona,
        task=schedule.task,
        channel=channels.channel_of(schedule.origin),
        by=schedule.by,
        by_name=schedule.by_name,
        created_at=schedule.created_at,
        due=schedule.due,
        next_times=schedule.next_times(),
        overlap=schedule.overlap,
        last_session=schedule.last_session or None,
        last_problem=schedule.last_problem or None,
    )


async def persona_views(library: PersonaLibrary) -> list[PersonaView]:
    """All personas by name, and then the files that cannot be used."""
    views = [
        PersonaView(
            name=persona.name,
            description=persona.description,
            model=persona.model,
            tools=list(persona.tools),
            problem=await library.problem(persona.name),
            notes=library.notes(persona),
        )
        for persona in library.all()
    ]
    unread = library.unread().items()
    return views + [
        PersonaView(name=file, description="", model=None, tools=[], problem=said) for file, said in unread
    ]
