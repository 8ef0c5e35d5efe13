"""Deliveries of Slack beyond a limit are refused, never acknowledged and dropped: Slack sends them again."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from typing import Any

import pytest

from bot.processes import deliveries
from bot.processes.deliveries import Deliveries
from tests.support.scenario import Director
from tests.support.scripted import calls, in_turn, says
from tests.support.slack import ADA, OPS, Slack

ONE = in_turn(calls(("deploy", {"service": "shop"})), says("Done."))


def test_they_are_counted_until_they_end(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(deliveries, "MOST", 2)
    counted = Deliveries()
    with ExitStack() as running:
        assert [running.enter_context(counted.one()) for _ in range(4)] == [True, True, False, False]
    with counted.one() as fits:
        assert fits


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

    @contextmanager
    def refuse_two(self: Deliveries) -> Iterator[bool]:
        if len(refused) < 2:
            refused.append(1)
            yield False
            return
        with real(self) as fits:
            yield fits

    monkeypatch.setattr(Deliveries, "one", refuse_two)
    # What is not acknowledged comes again after so long; what comes twice counts once.
    monkeypatch.setattr(slack.playground.delivery, "_ack_seconds", 2.0)
    await slack.post(ADA, OPS, "careful", ask["thread_ts"])
    session = await scene.flagman.session(lambda s: s.inbox, session.id)
    assert [note.text for note in session.inbox] == ["careful"]
    assert len(refused) == 2
