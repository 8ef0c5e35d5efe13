"""Sessions: launch, list, show, wait for, read."""

from __future__ import annotations

import asyncio

from aiohttp import web

from bot.api.listing import page
from bot.api.models import SessionPage, SessionView
from bot.api.parameters import LaunchHeaders, ListQuery, LogHeaders, OfSession, WaitQuery
from bot.api.requests import LaunchSession
from bot.api.routing import Answer, Call, Returns, Routes
from bot.api.views import session_view
from handlers.place import Place
from supervisor.core.conversation import Json
from supervisor.core.errors import IdempotencyConflict
from supervisor.core.session import Session
from supervisor.transcript import Line, lines

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
    task = f"{body.task}\n\n{body.context}" if body.context.strip() else body.task
    origin = origin_of(body.channel)
    key = headers.idempotency_key
    session = await call.core.supervisor.launch(
        body.persona,
        task,
        call.actor,
        origin=origin,
        # Each key has its own: nobody finds another's session by guessing.
        idempotency_key=f"{call.actor.id}:{key}" if key else None,
    )
    if key and session.origin != origin:
        raise IdempotencyConflict(key)
    return Answer(session_view(session), 201, {"Location": f"/v1/sessions/{session.id}"})


def origin_of(channel: str | None) -> Json:
    return Place(channel).origin() if channel else {}


@routes(
    "GET",
    "/v1/sessions",
    scope="read",
    returns={200: Returns("The newest first; with a status, the newest in it.", SessionPage)},
)
async def list_sessions(call: Call, query: ListQuery) -> Answer:
    """List sessions."""
    found, following = await page(
        call.core, status=query.status, persona=query.persona, cursor=query.cursor, limit=query.limit
    )
    return Answer(SessionPage(sessions=[session_view(s) for s in found], next=following))


@routes("GET", "/v1/sessions/{id}", scope="read", returns={200: SHOWN}, problems={404})
async def show_session(call: Call, path: OfSession) -> Answer:
    """Show a session."""
    return Answer(session_view(await call.core.supervisor.get(path.id)))


@routes(
    "GET",
    "/v1/sessions/{id}/wait",
    scope="read",
    returns={200: Returns("As soon as it is so far, or the time is over.", SessionView)},
    problems={404},
)
async def wait_for_session(call: Call, path: OfSession, query: WaitQuery) -> Answer:
    """Wait until a session rests, ends or changes; look at `status` for which it is."""
    loop, live = asyncio.get_running_loop(), call.deps.live
    until = loop.time() + query.timeout
    with live.following(path.id) as changed:
        while True:
            changed.clear()
            session = await call.core.supervisor.get(path.id)
            left = until - loop.time()
            if _reached(session, query) or left <= 0 or live.closing:
                return Answer(session_view(session))
            await live.pause(changed, left)


def _reached(session: Session, query: WaitQuery) -> bool:
    if query.until == "changed":
        return session.version > query.version
    return session.ended or (query.until == "rest" and session.status == "paused")


@routes(
    "GET",
    "/v1/sessions/{id}/log",
    scope="read",
    returns={200: Returns("What happened, a line each.", media=("text/markdown", "text/plain"))},
    problems={404},
)
async def read_log(call: Call, path: OfSession, headers: LogHeaders) -> web.Response:
    """Read the log as a person would."""
    session = await call.core.supervisor.get(path.id)
    events = await call.core.sessions.events(path.id)
    written = list(lines(events, call.core.mask))
    if "text/plain" in headers.accept and "text/markdown" not in headers.accept:
        return web.Response(text="".join(map(_plain, written)), content_type="text/plain")
    title = call.core.mask(f"# {session.id}: {' '.join(session.task.split())[:120]}\n\n")
    return web.Response(text=title + "".join(map(_markdown, written)), content_type="text/markdown")


def _plain(line: Line) -> str:
    text = line.text.replace("\n", "\n    ")
    return f"{line.at:%Y-%m-%d %H:%M:%S}Z  {line.who}  {text}\n"


def _markdown(line: Line) -> str:
    text = line.text.replace("\n", "\n  ")
    return f"- `{line.at:%Y-%m-%d %H:%M:%S}Z` **{line.who}** {text}\n"
