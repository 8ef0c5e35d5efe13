"""A Flagman without Slack that works on a store: a scripted model, tools that count their runs."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pydantic import SecretStr
from slack_sdk.web.async_client import AsyncWebClient

from bot.compose import Core, core
from bot.settings import Settings
from bot.workers import workers
from supervisor.core.commands.approvals import Seen
from supervisor.core.commands.conversation import Given
from supervisor.core.events import Actor
from supervisor.core.state import Session
from supervisor.tools.builtin import builtin_tools
from tests.session_log.written import KEY
from tests.support.scenario import counted_tools, write_persona
from tests.support.scripted import Behaviour, Scripted
from tests.support.slack import wait_for

ADA, GRACE = Actor(id="slack:U0ADA0001", name="Ada"), Actor(id="slack:U0GRACE01", name="Grace")
OPERATOR = Actor(id="cli:operator", name="operator")


@dataclass
class House:
    """`model.requests` are those of all its sessions."""

    parts: Core
    model: Scripted
    log: Path

    def runs(self, session_id: str, name: str = "deploy") -> int:
        lines = self.log.read_text().splitlines() if self.log.exists() else []
        return sum(row[:2] == [name, session_id] for row in map(json.loads, lines))

    async def once(self, session_id: str, seen: Any) -> Session:
        async def look() -> Session | None:
            found = await self.parts.supervisor.get(session_id)
            return found if seen(found) else None

        return await wait_for(look)

    async def restored(self, text: str | bytes) -> Session:
        data = text.encode() if isinstance(text, str) else text
        return await self.parts.restorer().restore(data, OPERATOR)

    async def to_its_end(self, session_id: str) -> Session:
        """Give it whatever it waits for, until it has ended."""
        supervisor = self.parts.supervisor
        until = asyncio.get_running_loop().time() + 30
        while not (session := await self.once(session_id, lambda s: s.status != "running")).ended:
            assert asyncio.get_running_loop().time() < until, [
                (c.call_id, c.phase, c.call.tool) for step in session.steps for c in step.calls
            ]
            if session.pause:
                await supervisor.resume(session_id, ADA)
            for call in session.calls_in("awaiting"):
                await supervisor.decide(session_id, call.call_id, "approve", ADA, seen=Seen.of(call))
            for call in session.calls_in("asking"):
                await supervisor.answer(session_id, call.call_id, Given("this one"), ADA)
            for call in session.calls_in("unknown"):
                seen = Seen.of(call)
                await supervisor.decide_outcome(
                    session_id, call.call_id, "done", ADA, seen=seen, result="I looked"
                )
        return session


@asynccontextmanager
async def house(behave: Behaviour, redis_url: str, folder: Path, **persona: Any) -> AsyncIterator[House]:
    log = folder / "runs.jsonl"
    write_persona(folder / "personas", **persona)
    settings = Settings(
        redis_url=SecretStr(redis_url),
        secret_key=SecretStr(KEY),
        data=folder / "data",
        personas=folder / "personas",
    )
    model = Scripted(behave)
    async with core(settings, tools={**builtin_tools(), **counted_tools(log)}) as parts:
        worker, _ = workers(parts, AsyncWebClient(), model)
        task = asyncio.create_task(worker.run())
        try:
            yield House(parts, model, log)
        finally:
            worker.stop()
            await task
