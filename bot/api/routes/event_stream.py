"""The events of a session: a page at a time, or live as server-sent events."""

from __future__ import annotations

import asyncio
import contextlib
import json

from aiohttp import web

from bot.api.models import EventPage, EventView
from bot.api.parameters import EventsHeaders, EventsQuery, OfSession
from bot.api.routing import JSON, Answer, Call, Returns, Routes, masked
from bot.api.views import event_view
from storage.errors import StorageError
from supervisor.core.errors import FlagmanError
from supervisor.core.events import decode

routes = Routes("Sessions")
SSE = "text/event-stream"
BATCH = 100
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
    session = await call.core.supervisor.get(path.id)
    if SSE not in headers.accept:
        events = await _read(call, path.id, query.after, query.limit)
        last = query.after + len(events)
        return Answer(EventPage(events=events, next=last if last < session.version else None))
    after = query.after if headers.last_event_id is None else headers.last_event_id
    if session.ended and after >= session.version:
        return Answer(status=204)
    return await _stream(call, path.id, after)


async def _read(call: Call, session_id: str, after: int, limit: int) -> list[EventView]:
    rows = await call.core.log.read(session_id, after, after + limit - 1)
    numbered = enumerate(rows, start=after)
    return [event_view(n + 1, decode(session_id, n, data)) for n, data in numbered]


async def _stream(call: Call, session_id: str, after: int) -> web.StreamResponse:
    response = web.StreamResponse(headers=_HEADERS)
    response.content_type = SSE
    response.charset = "utf-8"
    # A follower who leaves in the middle is no error of ours.
    with contextlib.suppress(ConnectionError):
        await response.prepare(call.request)
        try:
            await response.write(b"retry: 1000\n\n")
            await _follow(call, session_id, after, response)
        except (FlagmanError, StorageError) as error:
            # The head is out, so this can only be said in the stream; who follows comes again with Last-Event-ID.
            await response.write(f": {error}\n\n".encode())
        await response.write_eof()
    return response


async def _follow(call: Call, session_id: str, after: int, response: web.StreamResponse) -> None:
    loop, live = asyncio.get_running_loop(), call.deps.live
    with live.following(session_id) as followed:
        heard = loop.time()
        while not live.closing:
            followed.changed.clear()
            events = await _read(call, session_id, after, BATCH)
            for event in events:
                await response.write(_frame(call, event))
                after, heard = event.version, loop.time()
            if events:
                continue
            session = await call.core.supervisor.get(session_id)
            if session.ended and after >= session.version:
                return
            if loop.time() - heard >= HEARTBEAT_SECONDS:
                await response.write(b": still here\n\n")
                heard = loop.time()
            await live.pause(followed, HEARTBEAT_SECONDS)


def _frame(call: Call, event: EventView) -> bytes:
    data = masked(event.model_dump(mode="json"), call.core.mask)
    # JSON has no line breaks of its own, so one line is enough.
    text = json.dumps(data, ensure_ascii=False)
    return f"id: {event.version}\nevent: {event.type}\ndata: {text}\n\n".encode()
