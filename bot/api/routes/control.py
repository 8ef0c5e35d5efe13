"""What is done to a running session: pause, resume, cancel, tell, answer, decide, remind."""

from __future__ import annotations

from datetime import datetime

from bot.api.errors import InvalidRequest
from bot.api.models import FieldProblem, Heard, PausedView, ReminderView, SessionView
from bot.api.parameters import OfCall, OfChild, OfReminder, OfSession
from bot.api.requests import (
    AddContext,
    AnswerQuestion,
    CancelSession,
    DecideCall,
    DecideChild,
    DecideOutcome,
    PauseSession,
    ResumeSession,
    SetReminder,
)
from bot.api.routing import Answer, Call, Returns, Routes
from bot.api.views import conditions_of, reminder_view, session_view
from bot.compose import now
from supervisor.core.conditions import parse_condition
from supervisor.core.errors import IllegalEvent, InvalidCondition
from supervisor.core.state import Session
from supervisor.core.times import parse_duration, parse_moment, zone_named

routes = Routes("Sessions")
_ONLY_APPROVED = "go with the verdict `approve`, and with no reason"
CHANGED = {200: Returns("The session after it.", SessionView)}
PAUSED = Returns("Paused, with the token that resumes it.", PausedView)


@routes("POST", "/v1/sessions/{id}/pause", scope="launch", returns={200: PAUSED}, problems={404, 409})
async def pause_session(call: Call, path: OfSession, body: PauseSession) -> Answer:
    """Pause a session at its next boundary, until a condition comes true or somebody resumes it."""
    at = now()
    conditions = [parse_condition(text, now=at, zone=body.zone) for text in body.resume_conditions]
    session = await call.core.supervisor.pause(path.id, call.actor, conditions=conditions, detail=body.reason)
    return _paused(call, session)


@routes("POST", "/v1/sessions/{id}/token", scope="launch", returns={201: PAUSED}, problems={404, 409})
async def give_token(call: Call, path: OfSession) -> Answer:
    """A resume token for the pause that a session is in."""
    return _paused(call, await call.core.supervisor.get(path.id), status=201)


def _paused(call: Call, session: Session, status: int = 200) -> Answer:
    token, expires_at = call.deps.tokens.give(session)
    view = PausedView(
        status="paused",
        session_id=session.id,
        resume_token=token,
        expires_at=expires_at,
        conditions=conditions_of(session),
    )
    return Answer(view, status, shown=frozenset({"resume_token"}))


@routes("POST", "/v1/sessions/{id}/resume", scope="launch", returns=CHANGED, problems={404, 409})
async def resume_session(call: Call, path: OfSession, body: ResumeSession) -> Answer:
    """Resume a paused session, whatever it waits for."""
    session = await call.core.supervisor.resume(
        path.id, call.actor, trigger=body.trigger, data=body.data, context=body.context, compact=body.compact
    )
    return Answer(await session_view(call.core, session))


@routes("POST", "/v1/sessions/{id}/cancel", scope="launch", returns=CHANGED, problems={404, 409})
async def cancel_session(call: Call, path: OfSession, body: CancelSession) -> Answer:
    """End a session; nothing new starts in it."""
    session = await call.core.supervisor.cancel(path.id, call.actor, reason=body.reason)
    return Answer(await session_view(call.core, session))


@routes(
    "POST",
    "/v1/sessions/{id}/context",
    scope="launch",
    returns={200: Returns("What became of the words.", Heard)},
    problems={404, 409},
)
async def add_context(call: Call, path: OfSession, body: AddContext) -> Answer:
    """Tell a session something: the answer to its one open question, or context for its next step."""
    session, heard = await call.core.supervisor.tell(path.id, body.text, call.actor, kind="api")
    return Answer(Heard(heard=heard, session=await session_view(call.core, session)))


@routes("POST", "/v1/sessions/{id}/answer", scope="launch", returns=CHANGED, problems={404, 409})
async def answer_question(call: Call, path: OfSession, body: AnswerQuestion) -> Answer:
    """Answer a question of the agent."""
    call_id = body.call_id or _only_question(await call.core.supervisor.get(path.id))
    session = await call.core.supervisor.answer(path.id, call_id, body.answer, call.actor)
    return Answer(await session_view(call.core, session))


def _only_question(session: Session) -> str:
    asking = session.calls_in("asking")
    if len(asking) == 1:
        return asking[0].call_id
    many = "more than one question is open, so say its call_id" if asking else "no question is open"
    raise IllegalEvent(f"Nothing was answered: {many}.")


@routes(
    "POST",
    "/v1/sessions/{id}/calls/{call_id}/decision",
    scope="approve",
    returns=CHANGED,
    problems={404, 409},
)
async def decide_call(call: Call, path: OfCall, body: DecideCall) -> Answer:
    """Approve or deny a tool call, under the same policy as a click in Slack.

    With `arguments` it is approved with these in place of what was proposed; where they are for others to approve, it
    is changed and waits for them.
    """
    supervisor = call.core.supervisor
    if body.arguments is not None:
        if body.verdict != "approve" or body.reason:
            raise InvalidRequest([FieldProblem(where="body.arguments", message=_ONLY_APPROVED)])
        session = await supervisor.edit(
            path.id, path.call_id, body.arguments, call.actor, expected_digest=body.digest or ""
        )
    else:
        digests = {path.call_id: body.digest} if body.digest else None
        session = await supervisor.decide(
            path.id, [path.call_id], body.verdict, call.actor, reason=body.reason, expected_digests=digests
        )
    return Answer(await session_view(call.core, session))


@routes(
    "POST",
    "/v1/sessions/{id}/calls/{call_id}/outcome",
    scope="approve",
    returns=CHANGED,
    problems={404, 409},
)
async def decide_outcome(call: Call, path: OfCall, body: DecideOutcome) -> Answer:
    """Say what became of a call that was cut off."""
    session = await call.core.supervisor.decide_outcome(
        path.id, path.call_id, body.verdict, call.actor, result=body.result
    )
    return Answer(await session_view(call.core, session))


@routes(
    "POST",
    "/v1/sessions/{id}/children/{child_id}/decision",
    scope="approve",
    returns=CHANGED,
    problems={404, 409},
)
async def decide_child(call: Call, path: OfChild, body: DecideChild) -> Answer:
    """Say what next of a sub-agent that failed: do it again, go on without it, or stop the rest of the plan."""
    session = await call.core.supervisor.decide_child(path.id, path.child_id, body.verdict, call.actor)
    return Answer(await session_view(call.core, session))


@routes(
    "POST",
    "/v1/sessions/{id}/reminders",
    scope="launch",
    returns={201: Returns("Set.", ReminderView)},
    problems={404, 409},
)
async def set_reminder(call: Call, path: OfSession, body: SetReminder) -> Answer:
    """Remind in the session's thread."""
    due = moment(body.when, now(), body.zone)
    session = await call.core.supervisor.remind(path.id, due, call.actor, text=body.text)
    return Answer(reminder_view(session.timers[-1]), 201)


@routes(
    "DELETE",
    "/v1/sessions/{id}/reminders/{reminder_id}",
    scope="launch",
    returns={204: Returns("Taken back.")},
    problems={404, 409},
)
async def drop_reminder(call: Call, path: OfReminder) -> Answer:
    """Take a reminder back."""
    await call.core.supervisor.drop_timer(path.id, path.reminder_id, call.actor)
    return Answer(status=204)


def moment(text: str, at: datetime, zone: str) -> datetime:
    """`in 30m`, `30m`, `at 09:00`, `tomorrow 09:00` or ISO 8601. Raises InvalidCondition."""
    place = zone_named(zone)
    word, _, rest = text.strip().partition(" ")
    if word.lower().rstrip(":") == "in":
        return at + parse_duration(rest)
    if word.lower().rstrip(":") == "at":
        return parse_moment(rest, at, place)
    try:
        return at + parse_duration(text)
    except InvalidCondition:
        return parse_moment(text, at, place)
