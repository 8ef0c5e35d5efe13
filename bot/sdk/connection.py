"""Chooses the Flagman of a program: the named one, that of an enclosing block, of the environment, or the local one."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterator
from contextlib import AsyncExitStack, asynccontextmanager, contextmanager
from contextvars import ContextVar
from typing import TYPE_CHECKING

from bot.local_key import address, read_local_key, user_name
from bot.sdk.backend import Backend
from bot.sdk.http_backend import HttpBackend
from bot.sdk.proxy import wait_for
from bot.settings import check_url, read_client_settings
from supervisor.core.errors import InvalidInput
from supervisor.core.events import Actor

if TYPE_CHECKING:
    from bot.compose import Core
    from bot.settings import Settings
    from supervisor.models.gateway import Gateway

_current: ContextVar[Backend | None] = ContextVar("flagman_backend", default=None)


@asynccontextmanager
async def connect(url: str | None = None, api_key: str | None = None) -> AsyncIterator[HttpBackend]:
    """Agents and sessions in the block use this Flagman, over connections that are kept open."""
    async with remote(url, api_key) as backend, _around(backend):
        yield backend


@asynccontextmanager
async def in_process(
    flagman: Settings | Core, *, gateway: Gateway | None = None, name: str = ""
) -> AsyncIterator[Backend]:
    """Agents and sessions in the block run in this process, without Slack.

    With Settings, a whole Flagman is started, which advances sessions, calls the model and fires timers. A Core is that
    of a running one. `name` is the name of the actor (default: the user of this process).
    """
    async with _open_backend(flagman, gateway, name) as backend, _around(backend):
        yield backend


@contextmanager
def sync_in_process(
    settings: Settings, *, gateway: Gateway | None = None, name: str = ""
) -> Iterator[Backend]:
    """As `in_process` with Settings, for SyncAgent and its sessions."""
    opened = _open_backend(settings, gateway, name)
    backend = wait_for(opened.__aenter__())
    token = _current.set(backend)
    try:
        yield backend
    finally:
        _current.reset(token)
        wait_for(opened.__aexit__(None, None, None))


@asynccontextmanager
async def _open_backend(
    flagman: Settings | Core, gateway: Gateway | None, name: str
) -> AsyncIterator[Backend]:
    from bot.compose import Core
    from bot.sdk.in_process_backend import InProcessBackend
    from supervisor.contract.service import SessionService

    async with AsyncExitStack() as stack:
        if not isinstance(flagman, Core):
            flagman = await stack.enter_async_context(_run_core(flagman, gateway))
        # Who runs Flagman in its own process has the store, and so all rights.
        own = name or user_name()
        actor = Actor(id=f"api:{own}", name=own, kind="program", admin=True)
        services = flagman.services()
        stack.push_async_callback(services.followers.close)
        yield InProcessBackend(SessionService(services, actor))


@asynccontextmanager
async def _run_core(settings: Settings, given: Gateway | None) -> AsyncIterator[Core]:
    from slack_sdk.web.async_client import AsyncWebClient

    from bot import compose
    from bot.clock import Clock

    async with compose.core(settings) as parts, Clock(parts), parts.recorder():
        gateway = given or compose.gateway(settings)
        # The outbox to Slack is left to a process that is connected to Slack.
        worker, _ = compose.workers(parts, AsyncWebClient(), gateway)
        task = asyncio.create_task(worker.run())
        try:
            yield parts
        finally:
            worker.stop()
            await task
            await gateway.close()


@asynccontextmanager
async def _around(backend: Backend) -> AsyncIterator[None]:
    token = _current.set(backend)
    try:
        yield
    finally:
        _current.reset(token)


def find_backend(url: str | None, api_key: str | None) -> Backend:
    around = _current.get()
    return around if around and not (url or api_key) else remote(url, api_key)


def remote(url: str | None = None, api_key: str | None = None) -> HttpBackend:
    """The backend for this URL and key, or for those of the environment, or of this machine. Raises InvalidInput."""
    known = read_client_settings()
    local = read_local_key(known.data)
    chosen = url or known.url or (local.url if local else address(known.host, known.port))
    try:
        check_url(chosen)
    except ValueError as error:
        raise InvalidInput(f"url: {error}.") from error
    key = api_key or (known.api_key.get_secret_value() if known.api_key else "")
    # The key of this machine is only sent to the Flagman that created it.
    if not key and local and chosen.rstrip("/") == local.url:
        key = local.key
    return HttpBackend(chosen, key)
