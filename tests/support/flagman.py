"""Flagman's own processes, in this one: real store, real Slack protocol, real HTTP."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from contextlib import AsyncExitStack
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from aiohttp import web
from pydantic import SecretStr

from bot.compose import Core, core
from bot.processes import slack as bolt
from bot.processes import slack_requests
from bot.processes.web import application, listen
from bot.settings import Settings
from bot.workers import workers
from supervisor.core.state import Session
from supervisor.models.gateway import Gateway
from supervisor.runtime.worker import Worker
from supervisor.tools.contract import Toolset
from tests.support.ports import free_port
from tests.support.seen import recent_sessions
from tests.support.slack import APP_TOKEN, BOT_TOKEN, SIGNING_SECRET, Slack, wait_for


def settings(slack_api_url: str, redis_url: str, data: Path, **more: Any) -> Settings:
    """Socket Mode against a playground, on a store that is there."""
    given: dict[str, Any] = {
        "slack_bot_token": SecretStr(BOT_TOKEN),
        "slack_app_token": SecretStr(APP_TOKEN),
        "slack_signing_secret": SecretStr(SIGNING_SECRET),
        "slack_api_url": slack_api_url,
        "redis_url": SecretStr(redis_url),
        "secret_key": SecretStr("a-key-for-tests-only-0123456789abcdef"),
        "data": data,
        "port": free_port(),
    }
    return Settings(**{**given, **more})


class Flagman:
    """`webs` processes that take in and `hands` that work, each with its own connections and caches."""

    def __init__(
        self,
        config: Settings,
        gateway: Gateway,
        *,
        tools: Toolset | None = None,
        webs: int = 1,
        hands: int = 1,
    ) -> None:
        self.config, self._gateway, self._tools = config, gateway, tools
        self._webs, self._hands = webs, hands
        self._stack = AsyncExitStack()
        self.cores: list[Core] = []

    async def __aenter__(self) -> Self:
        try:
            for _ in range(self._webs):
                await self.add_web()
            for _ in range(self._hands):
                await self.add_worker()
        except BaseException:
            await self._stack.aclose()
            raise
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self._stack.aclose()

    @property
    def core(self) -> Core:
        return self.cores[0]

    async def _core(self) -> Core:
        parts = await self._stack.enter_async_context(core(self.config, tools=self._tools))
        self.cores.append(parts)
        return parts

    async def add_web(self) -> None:
        """One more process that takes in."""
        parts = await self._core()
        client, _ = await self._stack.enter_async_context(bolt.clients(self.config))
        app = await self._stack.enter_async_context(bolt.bolt_app(parts, self.config, client))
        if self.config.slack_app_token:
            await self._stack.enter_async_context(bolt.socket_mode(app, self.config, client))
            return
        served: web.Application = application(parts)
        slack_requests.mount(served, app, self.config.slack_signing_secret, self.config.slack_api_url)
        await self._stack.enter_async_context(listen(served, self.config))

    async def add_api(self, port: int = 0) -> str:
        """One more process that takes in HTTP, on a port of its own; gives its address."""
        parts = await self._core()
        config = self.config.model_copy(update={"port": port or free_port()})
        await self._stack.enter_async_context(listen(application(parts), config))
        return f"http://{config.host}:{config.port}"

    async def add_worker(self) -> None:
        """One more process that works."""
        parts = await self._core()
        _, client = await self._stack.enter_async_context(bolt.clients(self.config))
        both = workers(parts, client, self._gateway)
        tasks = [asyncio.create_task(worker.run()) for worker in both]
        self._stack.push_async_callback(_stop, both, tasks)

    async def session(self, until: Callable[[Session], Any], session_id: str = "") -> Session:
        """The newest session (or the one named), as soon as `until` is true of it."""

        async def look() -> Session | None:
            named = [await self.core.supervisor.get(session_id)] if session_id else []
            found = named or await recent_sessions(self.core, limit=1)
            return found[0] if found and until(found[0]) else None

        return await wait_for(look)


async def _stop(both: tuple[Worker, ...], tasks: list[asyncio.Task[None]]) -> None:
    for worker in both:
        worker.stop()
    await asyncio.gather(*tasks)


__all__ = ["Flagman", "Slack", "settings"]
