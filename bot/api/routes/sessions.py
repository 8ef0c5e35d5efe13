"""Routes that launch, fork, list and show sessions, and wait for them."""

from __future__ import annotations

from datetime import timedelta

from bot.api.parameters import LaunchHeaders, ListQuery, OfSession, WaitQuery
from bot.api.routing import Answer, Call, Returns, Routes
from supervisor.contract.models import SessionPage, SessionView
from supervisor.contract.requests import ForkRequest, LaunchRequest

routes = Routes("Sessions")
SHOWN = Returns("The session as it stands.", SessionView)


@routes(
    "POST",
    "/v1/sessions",
    scope="launch",
    returns={
        201: Returns("Launched, or launched before by the same key.", SessionView, headers=("Location",))
    },
    problems={404, 409},
)
async def launch_session(call: Call, headers: LaunchHeaders, body: LaunchRequest) -> Answer:
    """Launch a session. With a channel it shows itself in Slack."""
    return launch_answer(await call.sessions.launch(body, idempotency_key=headers.idempotency_key))


def launch_answer(session: SessionView) -> Answer:
    return Answer(session, 201, {"Location": f"/v1/sessions/{session.id}"})


@routes(
    "GET",
    "/v1/sessions",
    scope="read",
    returns={200: Returns("The newest first; with a status, the newest in it.", SessionPage)},
    problems={404},
)
async def list_sessions(call: Call, query: ListQuery) -> Answer:
    """List sessions."""
    return Answer(
        await call.sessions.page(
            status=query.status,
            persona=query.persona,
            parent=query.parent,
            cursor=query.cursor,
            limit=query.limit,
        )
    )


@routes("GET", "/v1/sessions/{id}", scope="read", returns={200: SHOWN}, problems={404})
async def show_session(call: Call, path: OfSession) -> Answer:
    """Show a session."""
    return Answer(await call.sessions.get(path.id))


@routes(
    "GET",
    "/v1/sessions/{id}/wait",
    scope="read",
    returns={200: Returns("As soon as it is so far, or the time is over.", SessionView)},
    problems={404},
)
async def wait_for_session(call: Call, path: OfSession, query: WaitQuery) -> Answer:
    """Wait until a session rests, needs a person, ends or changes; look at `status` and `needs` for which it is."""
    until = "paused" if query.until == "rest" else query.until
    patience = timedelta(seconds=query.timeout)
    return Answer(await call.sessions.wait(path.id, until, patience=patience, version=query.version))


@routes(
    "POST",
    "/v1/sessions/{id}/fork",
    scope="launch",
    returns={
        201: Returns("The copy, or the one made before by the same key.", SessionView, headers=("Location",))
    },
    problems={404, 409},
)
async def fork_session(call: Call, path: OfSession, headers: LaunchHeaders, body: ForkRequest) -> Answer:
    """Copy a session up to the end of a step, from where the copy continues by itself; nothing runs a second time."""
    return launch_answer(await call.sessions.fork(path.id, body, idempotency_key=headers.idempotency_key))
