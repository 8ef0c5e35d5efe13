"""A call that was allowed within hours and would run outside of them is asked about, or refused."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from redis.asyncio import Redis

from supervisor.core.events import SYSTEM
from supervisor.core.messages import ModelReply, ModelRequest
from tests.support.scenario import APPROVE, Director
from tests.support.scripted import calls, results, says
from tests.support.slack import ADA, OPS, Slack

NOON, EVENING = datetime(2026, 12, 2, 12, tzinfo=UTC), datetime(2026, 12, 2, 20, tzinfo=UTC)
HOURS = {"from": "09:00", "to": "17:00", "zone": "UTC"}


@pytest.fixture
async def scenario(redis: Redis, valkey_url: str, tmp_path: Path) -> AsyncIterator[Director]:
    async with AsyncExitStack() as stack:
        yield Director(await stack.enter_async_context(Slack()), valkey_url, tmp_path, stack)


@pytest.mark.parametrize("otherwise", ["ask", "deny"])
async def test_it_is_ruled_anew(scenario: Director, monkeypatch: pytest.MonkeyPatch, otherwise: str) -> None:
    clock = {"now": NOON}
    for module in ("compose", "workers"):
        monkeypatch.setattr(f"bot.{module}.now", lambda: clock["now"])
    asked, answers = asyncio.Event(), asyncio.Event()

    async def behave(request: ModelRequest) -> ModelReply:
        if results(request):
            return says("Done.")
        asked.set()
        await answers.wait()
        return calls(("deploy", {"service": "shop"}))

    rules: list[dict[str, Any]] = [
        {"tool": "deploy", "hours": HOURS, "mode": "allow"},
        {"tool": "deploy", "mode": otherwise, "reason": "It is late"},
    ]
    scene = await scenario(behave, persona={"approvals": rules})
    session = await scene.launch()
    await asked.wait()
    supervisor = scene.flagman.core.supervisor
    await supervisor.pause(session.id, SYSTEM)
    answers.set()
    ready = await scene.flagman.session(lambda s: s.steps, session.id)
    assert ready.steps[0].calls[0].phase == "ready"
    clock["now"] = EVENING
    await supervisor.resume(session.id, SYSTEM)
    if otherwise == "deny":
        ended = await scene.ended(session)
        assert "Policy forbids this call. It is late" in ended.steps[0].calls[0].content
        assert not scene.runs()
        return
    await scene.waiting(session)
    assert not scene.runs()
    (message,) = await scene.asked(session)
    assert (await scene.slack.click(ADA, OPS, message["ts"], APPROVE))["ok"]
    await scene.ended(session)
    assert len(scene.runs("deploy")) == 1
