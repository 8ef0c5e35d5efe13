"""Sessions: launch, copy, list, show, wait for."""

from __future__ import annotations

import asyncio

from bot.api.errors import InvalidRequest
from bot.api.models import FieldProblem, SessionPage, SessionView
from bot.api.pagination import page
from bot.api.parameters import LaunchHeaders, ListQuery, OfSession, WaitQuery
from bot.api.requests import ForkSession, LaunchSession
from bot.api.routing import Answer, Call, Returns, Routes
from bot.api.views import seen_with, session_view
from bot.sdk.backend import COORDINATOR
from handlers.origin import Place
from supervisor.core.delegation import Plan
from supervisor.core.messages import Json
from supervisor.core.state import Session
from supervisor.core.subagents import AtWork, needs_of, reached
from supervisor.subagents import at_work

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
async def launch_session(call: Call, headers: LaunchHeaders, body: LaunchSession) -> Answer:
    """Launch a session. With a channel it shows itself in Slack."""
    coordinate = body.coordinate is not False
    persona = body.persona or (COORDINATOR if coordinate else None)
    if persona is None:
        raise InvalidRequest([FieldProblem(where="body.persona", message="Field required")])
    session = await call.core.supervisor.launch(
        persona,
        f"{body.task}\n\n{body.context}" if body.context.strip() else body.task,
        call.actor,
        origin=origin_of(body.channel),
        coordinate=coordinate,
        plan=body.coordinate.model_dump(mode="json") if isinstance(body.coordinate, Plan) else None,
        idempotency_key=own_key(call, headers),
    )
    return await launched(call, session)


def own_key(call: Call, headers: LaunchHeaders) -> str | None:
    # Each key has its own: nobody finds another's session by guessing.
    key = headers.idempotency_key
    return f"{call.actor.id}:{key}" if key else None


async def launched(call: Call, session: Session) -> Answer:
    return Answer(await session_view(call.core, session), 201, {"Location": f"/v1/sessions/{session.id}"})


def origin_of(channel: str | None) -> Json:
    return Place(channel).origin() if channel else {}


@routes(
    "GET",
    "/v1/sessions",
    scope="read",
    returns={200: Returns("The newest first; with a status, the newest in it.", SessionPage)},
    problems={404},
)
async def list_sessions(call: Call, query: ListQuery) -> Answer:
    """List sessions."""
    found, following = await page(
        call.core,
        status=query.status,
        persona=query.persona,
        parent=query.parent,
        cursor=query.cursor,
        limit=query.limit,
    )
    views = await asyncio.gather(*(session_view(call.core, session) for session in found))
    return Answer(SessionPage(sessions=views, next=following))


@routes("GET", "/v1/sessions/{id}", scope="read", returns={200: SHOWN}, problems={404})
async def show_session(call: Call, path: OfSession) -> Answer:
    """Show a session."""
    return Answer(await session_view(call.core, await call.core.supervisor.get(path.id)))


@routes(
    "GET",
    "/v1/sessions/{id}/wait",
    scope="read",
    returns={200: Returns("As soon as it is so far, or the time is over.", SessionView)},
    problems={404},
)
async def wait_for_session(call: Call, path: OfSession, query: WaitQuery) -> Answer:
    """Wait until a session rests, needs a person, ends or changes; look at `status` and `needs` for which it is."""
    loop, live = asyncio.get_running_loop(), call.deps.live
    end = loop.time() + query.timeout
    with live.following(path.id) as followed:
        while True:
            followed.changed.clear()
            session = await call.core.supervisor.get(path.id)
            family = await at_work(call.core.sessions, session)
            left = end - loop.time()
            if _reached(session, family, query) or left <= 0 or live.closing:
                return Answer(seen_with(session, family))
            # What was not followed before may have changed unheard.
            if not followed.add(family):
                await live.pause(followed, left)


def _reached(session: Session, family: AtWork, query: WaitQuery) -> bool:
    match query.until:
        case "changed":
            return session.version > query.version
        case "rest":
            return reached(session, needs_of(session, family), "paused")
        case until:
            return reached(session, needs_of(session, family), until)


@routes(
    "POST",
    "/v1/sessions/{id}/fork",
    scope="launch",
    returns={
        201: Returns("The copy, or the one made before by the same key.", SessionView, headers=("Location",))
    },
    problems={404, 409},
)
async def fork_session(call: Call, path: OfSession, headers: LaunchHeaders, body: ForkSession) -> Answer:
    """Copy a session up to the end of a step, from where the copy goes on by itself; nothing runs a second time."""
    session = await call.core.supervisor.fork(
        path.id,
        call.actor,
        step=body.step,
        message=body.message,
        origin=origin_of(body.channel) if body.channel else None,
        idempotency_key=own_key(call, headers),
    )
    return await launched(call, session)
