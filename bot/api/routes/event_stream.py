"""The route of a session's events, as pages or live as server-sent events."""

from __future__ import annotations

import asyncio
import contextlib
import json

from aiohttp import web

from bot.api.auth import recognise
from bot.api.parameters import EventsHeaders, EventsQuery, OfSession
from bot.api.routing import JSON, Answer, Call, Returns, Routes, masked_view
from storage.errors import StorageError
from supervisor.contract.models import EventPage, EventView
from supervisor.contract.reader import RIGHTS_SECONDS
from supervisor.core.errors import FlagmanError

routes = Routes("Sessions")
SSE = "text/event-stream"
HEARTBEAT_SECONDS = 15.0
_HEADERS = {"Cache-Control": "no-store", "X-Accel-Buffering": "no"}


@routes(
    "GET",
    "/v1/sessions/{id}/events",
    scope="read",
    returns={
        200: Returns(
            "A page; or, as `text/event-stream`, each event as it comes: its version as `id`, its type as `event`, "
            "an EventView as `data`. The stream ends with the session.",
            EventPage,
            media=(JSON, SSE),
        ),
        204: Returns("Of a stream: the session has ended and nothing more will come."),
    },
    problems={404},
)
async def read_events(
    call: Call, path: OfSession, query: EventsQuery, headers: EventsHeaders
) -> Answer | web.StreamResponse:
    """Read the log, or follow it live."""
    if SSE not in headers.accept:
        return Answer(await call.sessions.events(path.id, after=query.after, limit=query.limit))
    after = query.after if headers.last_event_id is None else headers.last_event_id
    session = await call.sessions.get(path.id)
    if session.ended and after >= session.version:
        return Answer(status=204)
    return await _stream(call, path.id, after)


async def _stream(call: Call, session_id: str, after: int) -> web.StreamResponse:
    response = web.StreamResponse(headers=_HEADERS)
    response.content_type = SSE
    response.charset = "utf-8"
    loop = asyncio.get_running_loop()
    checked = loop.time()
    # The client may close the connection at any time.
    with contextlib.suppress(ConnectionError):
        await response.prepare(call.request)
        try:
            await response.write(b"retry: 1000\n\n")
            events = call.sessions.follow(session_id, after=after, heartbeat=HEARTBEAT_SECONDS)
            async with contextlib.aclosing(events):
                async for event in events:
                    if loop.time() - checked >= RIGHTS_SECONDS:
                        await recognise(call.request, call.deps.keys)
                        checked = loop.time()
                    await response.write(_frame(call, event) if event else b": still here\n\n")
        except (FlagmanError, StorageError) as error:
            # The status is already sent, so the error goes into the stream; clients reconnect with Last-Event-ID.
            await response.write(f": {call.core.mask(str(error))}\n\n".encode())
        await response.write_eof()
    return response


def _frame(call: Call, event: EventView) -> bytes:
    data = masked_view(event.model_dump(mode="json"), call.core.mask)
    # The JSON text has no line breaks, so it fits on one line.
    text = json.dumps(data, ensure_ascii=False)
    return f"id: {event.version}\nevent: {event.type}\ndata: {text}\n\n".encode()
