"""A Flagman that is reached by HTTP, with a key for each way of use."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from pydantic import SecretStr
from redis.asyncio import Redis

from supervisor.core.state import Session
from tests.support.api import Client
from tests.support.scenario import Director, Scene
from tests.support.scripted import Behaviour, calls, in_turn, says
from tests.support.slack import Slack, wait_for

ALL, READ, LAUNCH, APPROVE = (f"{name}-key-0123456789abcdef" for name in ("all", "read", "launch", "approve"))
KEYS = f"boss:admin:{ALL},eye:read_all:{READ},ci:launch+read_all:{LAUNCH},gate:approve+read_all:{APPROVE}"
SECRET, OLD_SECRET = "whsec_bmV3LXNlY3JldC1uZXctc2VjcmV0", "whsec_b2xkLXNlY3JldC1vbGQtc2VjcmV0"
OWN_SECRET = "whsec_b3duLXNlY3JldC1vd24tc2VjcmV0"
ONE = in_turn(calls(("deploy", {"service": "shop"})), says("Done."))
ASKS = in_turn(calls(("ask_human", {"question": "Which one?", "options": ["a", "b"]})), says("Thanks."))


@dataclass
class House:
    """A scene with its HTTP side; `api` has the key that may everything."""

    scene: Scene
    url: str
    api: Client
    _stack: AsyncExitStack

    async def as_(self, key: str | None) -> Client:
        """The same API with another key, or with none."""
        return await self._stack.enter_async_context(Client(self.url, key))

    async def launch(self, task: str = "ship it", **more: Any) -> str:
        reply = await self.api.post("/v1/sessions", {"persona": "ops", "task": task, **more})
        assert reply.status == 201, reply
        return str(reply["id"])

    async def until(self, session_id: str, seen: Callable[[Session], Any]) -> Session:
        return await self.scene.flagman.session(seen, session_id)

    async def resting(self, session_id: str) -> Session:
        """The session, once it is paused or has ended."""
        return await self.until(session_id, lambda s: s.status != "running")

    async def looked_after(self, session_id: str) -> None:
        """Once a worker has looked for what came early; after that, what comes is the sender's to hand over."""
        ready, _ = self.scene.flagman.core.queues()

        async def looked() -> bool:
            return not await ready.holds(session_id)

        await wait_for(looked)

    async def paused(self, *conditions: str) -> tuple[str, dict[str, Any]]:
        """A session that waits for these, and the answer of the pause."""
        session_id = await self.launch()
        await self.resting(session_id)
        reply = await self.api.post(
            f"/v1/sessions/{session_id}/pause", {"reason": "test", "resume_conditions": list(conditions)}
        )
        assert reply.status == 200, reply
        await self.looked_after(session_id)
        return session_id, reply.body


Build = Callable[..., Awaitable[House]]


@pytest.fixture
async def slack() -> AsyncIterator[Slack]:
    async with Slack() as running:
        yield running


@pytest.fixture
async def build(slack: Slack, redis: Redis, valkey_url: str, tmp_path: Path) -> AsyncIterator[Build]:
    """Sets up a house."""
    async with AsyncExitStack() as stack:
        director = Director(slack, valkey_url, tmp_path, stack)

        async def make(behave: Behaviour = ONE, **config: Any) -> House:
            given = {
                "api_keys": SecretStr(KEYS),
                "webhook_secret": SecretStr(f"{SECRET}, {OLD_SECRET}, own={OWN_SECRET}"),
                **config,
            }
            scene = await director(behave, **given)
            url = await scene.flagman.add_api()
            api = await stack.enter_async_context(Client(url, ALL))
            return House(scene, url, api, stack)

        yield make


@pytest.fixture
async def house(build: Build) -> House:
    """A session proposes one deployment, which needs an approval."""
    return await build()
