"""Deliveries beyond a limit are refused, never acknowledged and dropped; what Slack does not send again waits."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from typing import Any

import pytest

from bot.processes import deliveries
from bot.processes.deliveries import Deliveries
from tests.support.scenario import Director
from tests.support.scripted import calls, in_turn, says
from tests.support.slack import ADA, OPS, Slack

ONE = in_turn(calls(("deploy", {"service": "shop"})), says("Done."))


async def test_they_are_counted_until_they_end(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(deliveries, "MOST", 2)
    counted = Deliveries()
    async with AsyncExitStack() as running:
        found = [await running.enter_async_context(counted.one(repeated=True)) for _ in range(4)]
        assert found == [True, True, False, False]
    async with counted.one(repeated=True) as fits:
        assert fits


async def test_a_click_waits_for_room_since_slack_sends_it_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(deliveries, "MOST", 1)
    monkeypatch.setattr(deliveries, "PATIENCE_SECONDS", 60.0)
    counted = Deliveries()
    entered: list[bool] = []

    async def click() -> None:
        async with counted.one(repeated=False) as fits:
            entered.append(fits)

    async with counted.one(repeated=True):
        waiting = asyncio.create_task(click())
        await asyncio.sleep(0)
        assert entered == []
    await waiting
    assert entered == [True]
    monkeypatch.setattr(deliveries, "PATIENCE_SECONDS", 0.0)
    async with counted.one(repeated=True):
        await click()
    assert entered == [True, False]


@pytest.mark.parametrize("mode", ["socket", "http"])
async def test_a_refused_delivery_comes_again_and_counts_once(
    scenario: Director, slack: Slack, monkeypatch: pytest.MonkeyPatch, mode: str
) -> None:
    config: dict[str, Any] = {"slack_app_token": None} if mode == "http" else {}
    scene = await scenario(ONE, **config)
    if mode == "http":
        slack.playground.events_url = f"http://127.0.0.1:{scene.flagman.config.port}/slack/events"
    session = await scene.waiting(await scene.launch())
    (ask,) = await scene.asked(session)
    real = Deliveries.one
    refused: list[int] = []

    @asynccontextmanager
    async def refuse_two(self: Deliveries, *, repeated: bool) -> AsyncIterator[bool]:
        assert repeated
        if len(refused) < 2:
            refused.append(1)
            yield False
            return
        async with real(self, repeated=repeated) as fits:
            yield fits

    monkeypatch.setattr(Deliveries, "one", refuse_two)
    # What is not acknowledged comes again after so long; what comes twice counts once.
    monkeypatch.setattr(slack.playground.delivery, "_ack_seconds", 2.0)
    await slack.post(ADA, OPS, "careful", ask["thread_ts"])
    session = await scene.flagman.session(lambda s: s.inbox, session.id)
    assert [note.text for note in session.inbox] == ["careful"]
    assert len(refused) == 2
