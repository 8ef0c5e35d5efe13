"""An app of one handler that Slack reaches over HTTP."""

from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager

from aiohttp import web

from tests.support.slack import Slack, wait_for

Answer = Callable[[int], Awaitable[web.Response]]


@asynccontextmanager
async def listening(slack: Slack, answer: Answer) -> AsyncIterator[list[tuple[dict[str, str], str]]]:
    """An app of one handler; gives the headers and bodies of what happened since and arrived."""
    arrived: list[tuple[dict[str, str], str]] = []

    async def receive(request: web.Request) -> web.Response:
        arrived.append((dict(request.headers), await request.text()))
        return await answer(len(arrived))

    # Events from before are given up first; otherwise they would still be delivered.
    await wait_for(lambda: not slack.playground.delivery.telling)
    site = web.Application()
    site.router.add_post("/", receive)
    runner = web.AppRunner(site, access_log=None)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    slack.playground.events_url = f"http://127.0.0.1:{runner.addresses[0][1]}/"
    try:
        yield arrived
    finally:
        await runner.cleanup()


async def accept(_: int) -> web.Response:
    return web.Response()
