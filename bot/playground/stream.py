"""Server-sent events for open pages."""

import asyncio
import json

from aiohttp import web

from bot.playground.hub import Hub, News

HEARTBEAT_SECONDS = 15.0


def _line(hub: Hub, news: News) -> bytes:
    return f"id: {hub.epoch}-{news.number}\nevent: {news.kind}\ndata: {json.dumps(news.body)}\n\n".encode()


async def serve(hub: Hub, request: web.Request) -> web.StreamResponse:
    """Stream events to one person's page until the page or the playground closes."""
    user = request.query.get("user")
    last_id = request.headers.get("Last-Event-ID") or request.query.get("last_id", "")
    headers = {"Content-Type": "text/event-stream", "Cache-Control": "no-store", "X-Accel-Buffering": "no"}
    response = web.StreamResponse(headers=headers)
    # Listening begins before the response and before the look at past events, so that none is missed.
    with hub.listen() as queue:
        await response.prepare(request)
        missed = hub.since(last_id) if last_id else []
        try:
            start = b"retry: 1000\n\n" if missed is not None else b"event: reset\ndata: {}\n\n"
            await response.write(start)
            for news in missed or ():
                if news.concerns(user):
                    await response.write(_line(hub, news))
            await _forward(hub, queue, response, user)
        except ConnectionError:
            pass  # the page was closed
    return response


async def _forward(
    hub: Hub, queue: "asyncio.Queue[News | None]", response: web.StreamResponse, user: str | None
) -> None:
    while True:
        try:
            async with asyncio.timeout(HEARTBEAT_SECONDS):
                news = await queue.get()
        except TimeoutError:
            await response.write(b": still here\n\n")
            continue
        if news is None:
            return
        if news.concerns(user):
            await response.write(_line(hub, news))
