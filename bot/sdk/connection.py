"""Chooses the Flagman of a program: the named one, that of an enclosing block, of the environment, or the local one."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import AbstractAsyncContextManager, AsyncExitStack, asynccontextmanager
from contextvars import ContextVar, Token
from types import TracebackType
from typing import TYPE_CHECKING, Any, Generic, TypeVar

from bot.local_key import address, read_local_key, user_name
from bot.sdk.backend import Backend
from bot.sdk.http_backend import HttpBackend
from bot.sdk.proxy import wait_for
from bot.setting_values import check_url
from bot.settings import read_client_settings
from supervisor.core.errors import InvalidInput
from supervisor.core.events import Actor

if TYPE_CHECKING:
    from bot.compose import Core
    from bot.settings import Settings
    from supervisor.models.gateway import Gateway

Opened = TypeVar("Opened", bound=Backend)
_current: ContextVar[Backend | None] = ContextVar("flagman_backend", default=None)


class Connection(Generic[Opened]):
    """A block in which agents and sessions use one backend: for `with` in a script, for `async with` in a coroutine."""

    def __init__(self, opened: AbstractAsyncContextManager[Opened]) -> None:
        self._opened = opened
        self._token: Token[Backend | None] | None = None

    async def __aenter__(self) -> Opened:
        return self._use(await self._opened.__aenter__())

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._leave()
        await self._opened.__aexit__(kind, error, trace)

    def __enter__(self) -> Opened:
        return self._use(wait_for(self._enter()))

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._leave()
        wait_for(self._exit(kind, error, trace))

    async def _enter(self) -> Opened:
        return await self._opened.__aenter__()

    async def _exit(self, *raised: Any) -> None:
        await self._opened.__aexit__(*raised)

    # The variable belongs to the context of the caller, which is not that of the loop of scripts.

    def _use(self, backend: Opened) -> Opened:
        self._token = _current.set(backend)
        return backend

    def _leave(self) -> None:
        if self._token:
            _current.reset(self._token)


def connect(url: str | None = None, api_key: str | None = None) -> Connection[HttpBackend]:
    """Agents and sessions in the block use this Flagman, over connections that are kept open."""
    return Connection(remote(url, api_key))


def in_process(
    flagman: Settings | Core, *, gateway: Gateway | None = None, name: str = ""
) -> Connection[Backend]:
    """Agents and sessions in the block run in this process, without Slack.

    With Settings, a whole Flagman is started, which advances sessions, calls the model and fires timers. A Core is that
    of a running one. `name` is the name of the actor (default: the user of this process).
    """
    return Connection(_open_backend(flagman, gateway, name))


@asynccontextmanager
async def _open_backend(
    flagman: Settings | Core, gateway: Gateway | None, name: str
) -> AsyncIterator[Backend]:
    from bot.compose import Core
    from bot.sdk.in_process_backend import InProcessBackend

    async with AsyncExitStack() as stack:
        if not isinstance(flagman, Core):
            flagman = await stack.enter_async_context(_run_core(flagman, gateway))
        # Who runs Flagman in its own process has the store, and so all rights.
        own = name or user_name()
        actor = Actor(id=f"api:{own}", name=own, kind="program", admin=True)
        services = flagman.services()
        stack.push_async_callback(services.followers.close)
        yield InProcessBackend(services, actor)


@asynccontextmanager
async def _run_core(settings: Settings, given: Gateway | None) -> AsyncIterator[Core]:
    from slack_sdk.web.async_client import AsyncWebClient

    from bot import compose
    from bot.clock import Clock
    from bot.workers import workers

    async with compose.core(settings) as parts, Clock(parts), parts.recorder():
        gateway = given or compose.gateway(settings)
        # The outbox to Slack is left to a process that is connected to Slack.
        worker, _ = workers(parts, AsyncWebClient(), gateway)
        task = asyncio.create_task(worker.run())
        try:
            yield parts
        finally:
            worker.stop()
            await task
            await gateway.close()


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
