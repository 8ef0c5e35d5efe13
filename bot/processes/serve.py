"""The processes: web receives requests, worker advances sessions and posts, clock fires timers; serve does it all."""

from __future__ import annotations

import asyncio
import logging
import signal
from collections.abc import AsyncIterator, Callable, Coroutine
from contextlib import AsyncExitStack, asynccontextmanager
from typing import Any

from aiohttp import web
from slack_sdk.web.async_client import AsyncWebClient

from bot.clock import Clock
from bot.compose import Core, core, gateway
from bot.install.flow import INSTALL
from bot.local_key import local_key
from bot.processes import slack, slack_requests
from bot.processes.local_playground import stand_in
from bot.processes.web import application, listen
from bot.processes.workspaces import mount_install
from bot.settings import Settings
from bot.workers import workers
from handlers.users import People
from supervisor.core.errors import GatewayError, InvalidInput

_log = logging.getLogger("flagman")
Announce = Callable[[str], None]


async def run_web(settings: Settings, announce: Announce) -> None:
    """Run the web process, which receives requests of Slack and HTTP and runs no sessions."""
    _needs_slack(settings)
    async with (
        core(settings) as parts,
        slack.clients(settings) as (client, _),
        _taking_in(parts, settings, client, application(parts)),
    ):
        announce(f"web: listening on {settings.host}:{settings.port}")
        await parts.while_store_lives()


async def run_worker(settings: Settings, announce: Announce) -> None:
    """Run the worker process, which advances sessions, updates Slack and writes SESSION_LOGs."""
    _needs_slack(settings)
    async with (
        core(settings) as parts,
        slack.clients(settings) as (_, outbox_client),
        _known_to_slack(outbox_client),
        parts.recorder(),
        _run_workers(parts, outbox_client),
    ):
        announce("worker: at work")
        await parts.while_store_lives()


async def run_clock(settings: Settings, announce: Announce) -> None:
    """Run the clock process, which fires timers."""
    async with AsyncExitStack() as stack:
        parts = await stack.enter_async_context(core(settings))
        if not settings.playground:
            # What a schedule launches may name people and groups, too.
            client, _ = await stack.enter_async_context(slack.clients(settings))
            if client.token:
                parts.directory.connect(People(client))
        await stack.enter_async_context(Clock(parts))
        announce("clock: ticking")
        await parts.while_store_lives()


async def serve(settings: Settings, announce: Announce) -> None:
    """Run everything in one process; without SLACK_BOT_TOKEN, with the playground in place of Slack."""
    async with AsyncExitStack() as stack:
        parts = await stack.enter_async_context(core(settings))
        ready = asyncio.Event()
        app = application(parts, ready.is_set)
        if settings.playground:
            settings = stand_in(settings, app)
        client, outbox_client = await stack.enter_async_context(slack.clients(settings))
        await stack.enter_async_context(_taking_in(parts, settings, client, app))
        # Once the port is known to be free: the key of another process on it would be revoked.
        await stack.enter_async_context(local_key(parts, settings))
        await stack.enter_async_context(parts.recorder())
        await stack.enter_async_context(_run_workers(parts, outbox_client))
        # What is due was made with the key of this machine, too.
        await stack.enter_async_context(Clock(parts))
        ready.set()
        announce(_welcome(settings))
        await parts.while_store_lives()


def _welcome(settings: Settings) -> str:
    model = settings.model or "none set, so a scripted demo answers (set FLAGMAN_MODEL=provider:model)"
    if settings.slack_api_url.startswith(f"http://{settings.host}:{settings.port}/"):
        where = f"Playground:  http://{settings.host}:{settings.port}/   (a local stand-in for Slack)"
    else:
        where = f"Slack:       {settings.slack_api_url}"
    if settings.installs:
        first = "that of SLACK_BOT_TOKEN, and those" if settings.slack_bot_token else "those"
        where += f"\n  Workspaces:  {first} that install it at {INSTALL}"
    rest = f"Model:       {model}\n  Data:        {settings.data}\n  Stop:        Ctrl-C"
    return f"Flagman is ready.\n  {where}\n  {rest}"


def _needs_slack(settings: Settings) -> None:
    if settings.playground:
        raise InvalidInput(
            "SLACK_BOT_TOKEN is needed here, or SLACK_CLIENT_ID and SLACK_CLIENT_SECRET; without them, `flagman serve` "
            "starts the playground."
        )


@asynccontextmanager
async def _taking_in(
    parts: Core, settings: Settings, client: AsyncWebClient, app: web.Application
) -> AsyncIterator[None]:
    async with AsyncExitStack() as stack:
        if settings.slack_app_token:
            # The playground is part of `app`, which must be served before the bot calls it.
            mount_install(app, parts, settings)
            await stack.enter_async_context(listen(app, settings))
            bolt = await stack.enter_async_context(slack.bolt_app(parts, settings, client))
            await stack.enter_async_context(slack.socket_mode(bolt, settings, client))
        else:
            bolt = await stack.enter_async_context(slack.bolt_app(parts, settings, client))
            mount_install(app, parts, settings)
            slack_requests.mount(app, bolt, settings.slack_signing_secret, settings.slack_api_url)
            await stack.enter_async_context(listen(app, settings))
        yield


@asynccontextmanager
async def _known_to_slack(client: AsyncWebClient) -> AsyncIterator[None]:
    await slack.refuse_bad_token(client)
    yield


@asynccontextmanager
async def _run_workers(parts: Core, client: AsyncWebClient) -> AsyncIterator[None]:
    model = gateway(parts.settings)
    try:
        await model.check()
    except GatewayError as error:
        raise InvalidInput(f"FLAGMAN_MODEL: {error}") from error
    both = workers(parts, client, model)
    tasks = [asyncio.create_task(worker.run()) for worker in both]
    try:
        yield
    finally:
        for worker in both:
            worker.stop()
        await asyncio.gather(*tasks)
        await model.close()


async def until_told(work: Coroutine[Any, Any, None]) -> None:
    """Run `work` until SIGINT or SIGTERM cancels it; a second signal interrupts its shutdown."""
    task = asyncio.create_task(work)
    told = False

    def stop() -> None:
        nonlocal told
        told = True
        _log.info("stopping")
        task.cancel()

    loop = asyncio.get_running_loop()
    for number in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(number, stop)
    try:
        await task
    except asyncio.CancelledError:
        if not told:
            raise
