"""A worker that was cut off between the record of a start and the start itself runs nothing that is not its own."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pytest
from redis.asyncio import Redis
from slack_sdk.web.async_client import AsyncWebClient

from bot.compose import Core, core
from bot.workers import workers
from supervisor.core.commands.approvals import Seen
from supervisor.core.state import Session
from supervisor.runtime.work_dirs import WorkDirs
from supervisor.tools.builtin import builtin_tools
from supervisor.tools.contract import ToolContext, ToolOutput
from supervisor.tools.path_guard import Folder
from tests.core.build import BOB, fake_tool
from tests.support.flagman import settings
from tests.support.scenario import write_persona
from tests.support.scripted import Scripted, calls, in_turn, says
from tests.support.seen import seen_now
from tests.support.slack import wait_for
from tests.support.store_proxy import StoreProxy

LEASE = 0.8


@dataclass
class Gate:
    """The first call is held after its start is recorded; `held` says that it is."""

    held: asyncio.Event
    open: asyncio.Event


@pytest.fixture
def gate(monkeypatch: pytest.MonkeyPatch) -> Gate:
    found, gate = WorkDirs.of, Gate(asyncio.Event(), asyncio.Event())

    async def hold(folders: WorkDirs, session: Session) -> Folder:
        if not gate.held.is_set():
            gate.held.set()
            await gate.open.wait()
        return await found(folders, session)

    monkeypatch.setattr(WorkDirs, "of", hold)
    return gate


class Workers:
    """Workers with connections of their own; the first one's go through `proxy`."""

    def __init__(self, url: str, proxy: StoreProxy, folder: Path) -> None:
        self._url, self.proxy, self._folder = url, proxy, folder
        self.session_id = ""
        self.ran: list[int] = []
        self.parts: list[Core] = []

    async def _run(self, _: Any, ctx: ToolContext) -> ToolOutput:
        self.ran.append(ctx.attempt)
        return ToolOutput("ran")

    @asynccontextmanager
    async def one(self, *, cut: bool = False) -> AsyncIterator[None]:
        config = settings("http://127.0.0.1:9/api/", self.proxy.url if cut else self._url, self._folder)
        config = config.model_copy(update={"lease_seconds": LEASE, "personas": self._folder / "personas"})
        shell = replace(fake_tool("shell"), run=self._run)
        async with core(config, tools={**builtin_tools(), "shell": shell}) as parts:
            self.parts.append(parts)
            ready, _ = workers(
                parts, AsyncWebClient(), Scripted(in_turn(calls(("shell", {})), says("Done.")))
            )
            task = asyncio.create_task(ready.run())
            yield
            ready.stop()
            await task

    async def session(self, until: Callable[[Session], Any]) -> Session:
        async def look() -> Session | None:
            session = await self.parts[-1].sessions.load(self.session_id)
            return session if until(session) else None

        return await wait_for(look)

    async def ended(self) -> Counter[str]:
        """How often each event is in the log of the session, once it has ended."""
        await self.session(lambda session: session.ended)
        return Counter(event.type for event in await self.parts[-1].sessions.events(self.session_id))


@pytest.fixture
async def pool(redis: Redis, valkey_url: str, tmp_path: Path, gate: Gate) -> AsyncIterator[Workers]:
    """A worker that holds an approved call whose start it has recorded."""
    async with AsyncExitStack() as stack:
        proxy = await stack.enter_async_context(StoreProxy(valkey_url))
        write_persona(tmp_path / "personas", approvals=[{"tool": "shell", "mode": "ask"}])
        found = Workers(valkey_url, proxy, tmp_path)
        await stack.enter_async_context(found.one(cut=True))
        supervisor = found.parts[0].supervisor
        found.session_id = (await supervisor.launch("ops", "Do it", BOB)).id
        await found.session(lambda s: s.calls_in("awaiting"))
        seen = await seen_now(supervisor, found.session_id)
        await supervisor.decide(found.session_id, "1.1", "approve", BOB, seen=seen)
        await gate.held.wait()
        yield found
        gate.open.set()
        proxy.set("open")


async def test_what_a_person_had_run_again_meanwhile_does_not_run_twice(pool: Workers, gate: Gate) -> None:
    pool.proxy.set("shut")
    async with pool.one():
        session = await pool.session(lambda s: s.calls_in("unknown"))
        seen = Seen.of(session.call("1.1"))
        await pool.parts[-1].supervisor.decide_outcome(pool.session_id, "1.1", "run_again", BOB, seen=seen)
        await pool.session(lambda s: s.ended)
        pool.proxy.set("open")
        gate.open.set()
        # Whatever the first worker still has to say is heard before its connection ends.
        await asyncio.sleep(3 * LEASE)
        events = await pool.ended()
    assert session.version < sum(events.values())
    assert (pool.ran, events["ToolStarted"], events["ToolNotBegun"]) == ([2], 2, 0)


async def test_what_did_not_begin_is_recorded_and_asks_nobody(pool: Workers, gate: Gate) -> None:
    pool.proxy.set("shut")
    async with pool.one():
        await pool.session(lambda s: s.calls_in("unknown"))
        pool.proxy.set("open")
        gate.open.set()
        events = await pool.ended()
    assert (pool.ran, events["ToolNotBegun"], events["OutcomeDecided"]) == ([2], 1, 0)


async def test_a_worker_that_still_has_its_session_begins_late(pool: Workers, gate: Gate) -> None:
    await asyncio.sleep(2 * LEASE)
    async with pool.one():
        gate.open.set()
        events = await pool.ended()
    assert (pool.ran, events["ToolStarted"], events["OutcomeLost"]) == ([1], 1, 0)


async def test_a_cancel_that_came_before_the_start_is_heeded(pool: Workers, gate: Gate) -> None:
    pool.proxy.set("shut")
    async with pool.one():
        await pool.parts[-1].supervisor.cancel(pool.session_id, BOB)
        await asyncio.sleep(LEASE)
        pool.proxy.set("open")
        gate.open.set()
        await pool.session(lambda s: not s.calls_in("started"))
    assert pool.ran == []
