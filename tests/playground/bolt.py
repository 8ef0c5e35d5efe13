"""A real Bolt app against the playground, over Socket Mode or HTTP."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from aiohttp import web
from slack_bolt.adapter.aiohttp import to_aiohttp_response, to_bolt_request
from slack_bolt.adapter.socket_mode.aiohttp import AsyncSocketModeHandler
from slack_bolt.async_app import AsyncApp
from slack_sdk.web.async_client import AsyncWebClient

from tests.support.slack import APP_TOKEN, BOT_TOKEN, SIGNING_SECRET, Slack


def bolt(slack: Slack) -> AsyncApp:
    """An app that talks to the playground as if to Slack."""
    client = AsyncWebClient(token=BOT_TOKEN, base_url=slack.api_url)
    return AsyncApp(
        client=client,
        signing_secret=SIGNING_SECRET,
        ignoring_self_events_enabled=True,
        process_before_response=False,
    )


@asynccontextmanager
async def over_sockets(slack: Slack, app: AsyncApp) -> AsyncIterator[AsyncSocketModeHandler]:
    """Connect it by Socket Mode."""
    client = AsyncWebClient(token=APP_TOKEN, base_url=slack.api_url)
    handler = AsyncSocketModeHandler(app, APP_TOKEN, web_client=client, ping_interval=0.2)
    await handler.connect_async()  # type: ignore[no-untyped-call]
    await slack.connected()
    try:
        yield handler
    finally:
        await handler.close_async()  # type: ignore[no-untyped-call]


@asynccontextmanager
async def over_http(slack: Slack, app: AsyncApp) -> AsyncIterator[str]:
    """Serve it for signed deliveries."""

    async def receive(request: web.Request) -> web.Response:
        return await to_aiohttp_response(await app.async_dispatch(await to_bolt_request(request)))

    site = web.Application()
    site.router.add_post("/slack/events", receive)
    runner = web.AppRunner(site, access_log=None)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    url = f"http://127.0.0.1:{runner.addresses[0][1]}/slack/events"
    slack.playground.events_url = url
    try:
        yield url
    finally:
        slack.playground.events_url = None
        await runner.cleanup()
