"""The Flagman of a campaign: real processes that are started again when they end, on a store that can be killed."""

from __future__ import annotations

import asyncio
import os
import signal
from contextlib import AsyncExitStack
from pathlib import Path
from typing import Self

from storage.embedded_server import EmbeddedServer
from tests.chaos.agent import PERSONA
from tests.crash.house import House
from tests.support.ports import free_port
from tests.support.process import Process
from tests.support.process_pool import ProcessPool
from tests.support.store_proxy import StoreProxy

WORKERS = 3
KEYS = {"alice": "alice-0123456789abcdef", "bob": "bob-0123456789abcdef"}
READY = {"web": "web: listening", "worker": "worker: at work", "clock": "clock: ticking"}
AGAIN_SECONDS = 0.3


class Slot:
    """Keeps one process running, as a service manager does; `starts` counts those that became ready."""

    def __init__(self, house: House, name: str, environment: dict[str, str]) -> None:
        self.name, self._house, self._environment = name, house, environment
        self.process: Process | None = None
        self.ready = asyncio.Event()
        self.starts = 0
        self.exits: list[str] = []
        self._expected = False

    @property
    def command(self) -> str:
        return self.name.partition("-")[0]

    def end(self, number: signal.Signals) -> None:
        """End the process by a signal; another one is started in its place."""
        if self.process is not None:
            self._expected = True
            self.process.signal(number)

    async def keep(self) -> None:
        """Never ends by itself. A process that ends while it starts is started again, as while the store is away."""
        while True:
            self._expected = False
            self.process = process = self._house.start(self.command, **self._environment)
            while process.code is None and READY[self.command] not in process.output:
                await asyncio.sleep(0.05)
            if process.code is None:
                self.starts += 1
                self.ready.set()
            while process.code is None:
                await asyncio.sleep(0.05)
            if self.ready.is_set() and not self._expected:
                self.exits.append(
                    f"{self.name} ended by itself with {process.code}:\n{process.output[-2000:]}"
                )
            self.ready.clear()
            await asyncio.sleep(AGAIN_SECONDS)


class Stand:
    """One web process, three workers and a clock between the playground, a scripted model and a store."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._stack = AsyncExitStack()
        self._port = free_port()
        self._server = EmbeddedServer(folder / "store", password="")

    async def __aenter__(self) -> Self:
        pool = ProcessPool()
        self._stack.callback(pool.stop)
        await self._server.start()
        self._stack.push_async_callback(self._stop_store)
        self.store = await self._stack.enter_async_context(StoreProxy(self._server.url))
        self.house = await self._stack.enter_async_context(House(pool, self.store.url, self.folder / "house"))
        (self.house.folder / "personas" / "chaos.md").write_text(PERSONA)
        self._stack.push_async_callback(self._end_slots)
        self.web = self._slot("web", REDIS_URL=self.house.web_proxy.url, PORT=str(self._port))
        self.workers = [
            self._slot(f"worker-{n}", REDIS_URL=self.house.worker_proxy.url) for n in range(WORKERS)
        ]
        self.clock = self._slot("clock")
        self.slots = [self.web, *self.workers, self.clock]
        self._keeping = [asyncio.create_task(slot.keep()) for slot in self.slots]
        async with asyncio.timeout(120):
            await asyncio.gather(*(slot.ready.wait() for slot in self.slots))
            await self.house.slack.connected()
        return self

    async def __aexit__(self, *_: object) -> None:
        await self._stack.aclose()

    def _slot(self, name: str, **more: str) -> Slot:
        keys = ",".join(f"{who}:launch+approve+read_all:{secret}" for who, secret in KEYS.items())
        environment = {"FLAGMAN_API_KEYS": keys, "FLAGMAN_API_RATE": "1000/4000", **more}
        return Slot(self.house, name, environment)

    @property
    def api_url(self) -> str:
        return f"http://127.0.0.1:{self._port}"

    @property
    def exits(self) -> list[str]:
        """Processes that ended though nobody ended them."""
        return [exit_ for slot in self.slots for exit_ in slot.exits]

    async def kill_store(self) -> None:
        """SIGKILL; what was acknowledged is on its disk."""
        os.kill(self._server.pid, signal.SIGKILL)
        await self._server.stop()

    async def start_store(self) -> None:
        self._server = EmbeddedServer(self.folder / "store", password="")
        await self._server.start()
        self.store.move(self._server.url)

    async def _stop_store(self) -> None:
        await self._server.stop()

    async def _end_slots(self) -> None:
        for task in self._keeping:
            task.cancel()
        await asyncio.gather(*self._keeping, return_exceptions=True)
