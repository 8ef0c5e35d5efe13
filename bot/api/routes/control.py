"""Routes that act on a session: pause, resume, cancel, tell, answer, decide and remind."""

from __future__ import annotations

from bot.api.parameters import OfCall, OfChild, OfReminder, OfSession
from bot.api.routing import Answer, Call, Returns, Routes
from supervisor.contract.models import DecisionsResult, PauseResult, ReminderView, SessionView, ToldResult
from supervisor.contract.requests import (
    AnswerRequest,
    CancelRequest,
    ChildRequest,
    ContextRequest,
    DecisionRequest,
    DecisionsRequest,
    OutcomeRequest,
    PauseRequest,
    ReminderRequest,
    ResumeRequest,
)

routes = Routes("Sessions")
_TOKEN = frozenset({"resume_token"})
CHANGED = {200: Returns("The session after it.", SessionView)}
PAUSED = Returns("Paused, with the token that resumes it.", PauseResult)


@routes("POST", "/v1/sessions/{id}/pause", scope="launch", returns={200: PAUSED}, problems={404, 409})
async def pause_session(call: Call, path: OfSession, body: PauseRequest) -> Answer:
    """Pause a session at its next boundary, until a condition comes true or a person resumes it."""
    return Answer(await call.sessions.pause(path.id, body), shown=_TOKEN)


@routes("POST", "/v1/sessions/{id}/token", scope="launch", returns={201: PAUSED}, problems={404, 409})
async def give_token(call: Call, path: OfSession) -> Answer:
    """A resume token for the pause that a session is in."""
    return Answer(await call.sessions.resume_token(path.id), 201, shown=_TOKEN)


@routes("POST", "/v1/sessions/{id}/resume", scope="launch", returns=CHANGED, problems={404, 409})
async def resume_session(call: Call, path: OfSession, body: ResumeRequest) -> Answer:
    """Resume a paused session, whatever it waits for."""
    return Answer(await call.sessions.resume(path.id, body))


@routes("POST", "/v1/sessions/{id}/cancel", scope="launch", returns=CHANGED, problems={404, 409})
async def cancel_session(call: Call, path: OfSession, body: CancelRequest) -> Answer:
    """End a session; nothing new starts in it."""
    return Answer(await call.sessions.cancel(path.id, body))


@routes(
    "POST",
    "/v1/sessions/{id}/context",
    scope="launch",
    returns={200: Returns("What became of the words.", ToldResult)},
    problems={404, 409},
)
async def add_context(call: Call, path: OfSession, body: ContextRequest) -> Answer:
    """Tell a session something: the answer to its one open question, or context for its next step."""
    return Answer(await call.sessions.tell(path.id, body))


@routes("POST", "/v1/sessions/{id}/answer", scope="launch", returns=CHANGED, problems={404, 409})
async def answer_question(call: Call, path: OfSession, body: AnswerRequest) -> Answer:
    """Answer a question of the agent."""
    return Answer(await call.sessions.answer(path.id, body))


@routes(
    "POST",
    "/v1/sessions/{id}/calls/{call_id}/decision",
    scope="approve",
    returns=CHANGED,
    problems={404, 409, 428},
)
async def decide_call(call: Call, path: OfCall, body: DecisionRequest) -> Answer:
    """Approve or deny a tool call as it was shown, under the same policy as a click in Slack.

    `digest` is that of the call in the view that was read: without it the decision is refused (428), and so it is where
    the call has another one by now (409).

    With `arguments` it is approved with these in place of what was proposed; where they are for others to approve, it
    is changed and waits for them.
    """
    return Answer(await call.sessions.decide(path.id, path.call_id, body))


@routes(
    "POST",
    "/v1/sessions/{id}/decisions",
    scope="approve",
    returns={200: Returns("What happened to each call.", DecisionsResult)},
    problems={404, 409},
)
async def decide_calls(call: Call, path: OfSession, body: DecisionsRequest) -> Answer:
    """Approve or deny several tool calls, each as it was shown. One that is refused does not stop the others."""
    return Answer(await call.sessions.decide_each(path.id, body))


@routes(
    "POST",
    "/v1/sessions/{id}/calls/{call_id}/outcome",
    scope="approve",
    returns=CHANGED,
    problems={404, 409, 428},
)
async def decide_outcome(call: Call, path: OfCall, body: OutcomeRequest) -> Answer:
    """Say what became of a call that was cut off; `digest` and `request` of the view say which attempt is meant."""
    return Answer(await call.sessions.decide_outcome(path.id, path.call_id, body))


@routes(
    "POST",
    "/v1/sessions/{id}/children/{child_id}/decision",
    scope="approve",
    returns=CHANGED,
    problems={404, 409},
)
async def decide_child(call: Call, path: OfChild, body: ChildRequest) -> Answer:
    """Say what next of a sub-agent that failed: do it again, continue without it, or stop the rest of the plan."""
    return Answer(await call.sessions.decide_child(path.id, path.child_id, body))


@routes(
    "POST",
    "/v1/sessions/{id}/reminders",
    scope="launch",
    returns={201: Returns("Set.", ReminderView)},
    problems={404, 409},
)
async def set_reminder(call: Call, path: OfSession, body: ReminderRequest) -> Answer:
    """Remind in the session's thread."""
    return Answer(await call.sessions.remind(path.id, body), 201)


@routes(
    "DELETE",
    "/v1/sessions/{id}/reminders/{reminder_id}",
    scope="launch",
    returns={204: Returns("Taken back.")},
    problems={404, 409},
)
async def drop_reminder(call: Call, path: OfReminder) -> Answer:
    """Take a reminder back."""
    await call.sessions.drop_reminder(path.id, path.reminder_id)
    return Answer(status=204)
