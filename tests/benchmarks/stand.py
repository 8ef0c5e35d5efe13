"""What is measured: a whole Flagman in this process on an embedded server, with a scripted model that says so."""

from __future__ import annotations

import asyncio
import time
from collections import defaultdict
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import yaml
from pydantic import SecretStr
from slack_sdk.web.async_client import AsyncWebClient

from bot.compose import Core, core
from bot.settings import Settings
from bot.workers import workers
from supervisor.core.events import Actor, ApprovalRequested, ToolFinished
from supervisor.core.messages import ModelReply, ModelRequest, ProposedCall, Usage
from supervisor.core.state import Session
from supervisor.tools.contract import Toolset
from supervisor.tools.typed_tool import tool

PERSON = Actor(id="slack:U0ADA0001", name="ada")
COMMAND = "kubectl --context prod rollout restart deployment/shop --namespace shop --timeout 120s"
WHY = "The shop answers 502 since the last deploy; a restart brings the former configuration back."
RESULT = "deployment.apps/shop restarted\nWaiting for rollout to finish: 2 of 6 updated replicas ...\n" * 6


@tool
async def restart(command: str, why: str) -> str:
    """Restart a service. Does nothing; changes something, so it is asked for."""
    return RESULT


@tool(changes=False)
async def look(command: str, why: str) -> str:
    """Look at a service. Does nothing; allowed without asking."""
    return RESULT


TOOLS: Toolset = {"restart": restart, "look": look}


def proposing(name: str) -> ModelReply:
    call = ProposedCall(
        call_id="toolu_01A09q90qw90lq917835lq9", tool=name, arguments={"command": COMMAND, "why": WHY}
    )
    return ModelReply(
        text="I restart the shop and watch whether the errors go away.",
        calls=(call,),
        usage=Usage(input_tokens=2100, output_tokens=140),
        cost_usd=Decimal("0.0084"),
        model="scripted:benchmark",
        duration_ms=1,
    )


class Scripted:
    """A Gateway that proposes the same call again and again. `spans` holds when each question came and was answered."""

    def __init__(self, name: str, *, thinking: float = 0, spans: bool = False) -> None:
        self._reply, self._thinking = proposing(name), thinking
        self.spans: list[tuple[float, float]] | None = [] if spans else None

    @property
    def description(self) -> str:
        return "scripted:benchmark"

    async def reply(self, request: ModelRequest) -> ModelReply:
        asked = time.perf_counter()
        if self._thinking:
            await asyncio.sleep(self._thinking)
        if self.spans is not None:
            self.spans.append((asked, time.perf_counter()))
        return self._reply

    async def close(self) -> None:
        """Nothing is held."""


class Watch:
    """Tells the driver what was appended in this process, once it is durable; costs next to nothing."""

    def __init__(self, parts: Core) -> None:
        self._append = parts.sessions.append
        parts.sessions.append = self._watched  # type: ignore[method-assign]
        self._asked: defaultdict[str, asyncio.Queue[str]] = defaultdict(asyncio.Queue)
        self._finished: defaultdict[str, asyncio.Queue[float]] = defaultdict(asyncio.Queue)

    async def _watched(self, before: Session | None, after: Session, events: Any, **more: Any) -> bool:
        released = await self._append(before, after, events, **more)
        for event in events:
            if isinstance(event, ToolFinished):
                self._finished[after.id].put_nowait(time.perf_counter())
            elif isinstance(event, ApprovalRequested):
                self._asked[after.id].put_nowait(event.call_ids[0])
        return released

    async def asked(self, session_id: str) -> str:
        """The next call that waits for an approval."""
        return await self._asked[session_id].get()

    async def finished(self, session_id: str) -> float:
        """When the next call was recorded as finished."""
        return await self._finished[session_id].get()


def write_persona(folder: Path) -> Path:
    front = {
        "name": "ops",
        "description": "Looks after the shop.",
        "tools": ["*"],
        "budgets": {"max_steps": 1_000_000},
    }
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "ops.md").write_text(f"---\n{yaml.safe_dump(front)}---\nKeep the shop up.\n")
    return folder


def settings(folder: Path, redis_url: str | None, **more: Any) -> Settings:
    given: dict[str, Any] = {
        "redis_url": SecretStr(redis_url) if redis_url else None,
        "data": folder / "data",
    }
    # Everybody who launches here is one person.
    given |= {"max_sessions": "1000000/1000000", **more}
    return Settings(**given, personas=write_persona(folder / "personas"))


@asynccontextmanager
async def flagman(folder: Path, redis_url: str | None, gateway: Scripted, **more: Any) -> AsyncIterator[Core]:
    """Everything but Slack in this process, as `flagman serve` has it; sessions without a place in Slack."""
    async with core(settings(folder, redis_url, **more), tools=TOOLS) as parts:
        both = workers(parts, AsyncWebClient(base_url="http://127.0.0.1:9/"), gateway)
        tasks = [asyncio.create_task(worker.run()) for worker in both]
        try:
            yield parts
        finally:
            for worker in both:
                worker.stop()
            async with asyncio.timeout(timedelta(seconds=30).total_seconds()):
                await asyncio.gather(*tasks)
