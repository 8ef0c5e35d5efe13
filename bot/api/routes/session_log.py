"""Routes that return the SESSION_LOG of a session, and restore a session from it."""

from __future__ import annotations

from aiohttp import web

from bot.api.parameters import LogHeaders, OfSession
from bot.api.routes.sessions import launch_answer
from bot.api.routing import Answer, Call, Returns, Routes, unsupported
from supervisor.contract.models import SessionView
from supervisor.session_log.render.mask import masked_events
from supervisor.session_log.render.transcript import Line, lines

routes = Routes("Sessions")
MARKDOWN = "text/markdown"
RESTORE_BYTES = 32 * 1024 * 1024


@routes(
    "GET",
    "/v1/sessions/{id}/log",
    scope="read",
    returns={
        200: Returns("Its SESSION_LOG; as plain text, a line for each event.", media=(MARKDOWN, "text/plain"))
    },
    problems={404},
)
async def read_log(call: Call, path: OfSession, headers: LogHeaders) -> web.Response:
    """Read what happened: one document that can be verified and restored."""
    if "text/plain" in headers.accept and MARKDOWN not in headers.accept:
        await call.sessions.load(path.id)
        written = lines(masked_events(await call.core.sessions.events(path.id), call.core.mask))
        return web.Response(text="".join(map(_plain, written)), content_type="text/plain")
    return web.Response(text=await call.sessions.session_log(path.id), content_type=MARKDOWN)


def _plain(line: Line) -> str:
    text = line.text.replace("\n", "\n    ")
    return f"{line.at:%Y-%m-%d %H:%M:%S}Z  {line.who}  {text}\n"


@routes(
    "POST",
    "/v1/restore",
    scope="admin",
    returns={201: Returns("The session, as it continues.", SessionView, headers=("Location",))},
    problems={409},
    bodies={MARKDOWN: None},
    limit=RESTORE_BYTES,
)
async def restore_session(call: Call, content: bytes) -> Answer:
    """Bring a session back from its SESSION_LOG, under its own id.

    The document is verified first, its signature too. Sub-agents before those who launched them.
    """
    if call.request.content_type != MARKDOWN:
        raise unsupported(MARKDOWN)
    return launch_answer(await call.sessions.restore(content))
