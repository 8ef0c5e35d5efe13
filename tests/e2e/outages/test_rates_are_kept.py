"""Flagman keeps Slack's rates by itself, and what a person waits for goes before any card."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest

from handlers.origin import Place
from handlers.projection import turns
from handlers.projection.turns import Rank
from supervisor.core.events import Actor
from supervisor.runtime import job
from tests.support.scenario import APPROVE, Director, Scene
from tests.support.scripted import calls, in_turn, says
from tests.support.seen import seen_now
from tests.support.slack import ADA, OPS, Slack, buttons, texts, wait_for

ASKS = in_turn(calls(("deploy", {"service": "shop"})), says("Done."))
BUSY = in_turn(*(calls(("note", {"words": str(n)})) for n in range(8)), says("Done."))
MANY = 40


def behave(request: Any) -> Any:
    return (ASKS if "ask" in request.turns[0].text else BUSY)(request)


async def launch(scene: Scene, task: str) -> str:
    ada, origin = Actor(id=f"slack:{ADA}", name="ada"), Place(OPS, user=ADA).origin()
    return (await scene.flagman.core.supervisor.launch("ops", task, ada, origin=origin)).id


async def refused(slack: Slack) -> list[Any]:
    return [call for call in await slack.calls() if call.get("error") == "ratelimited"]


async def test_many_busy_sessions_meet_no_limit(scenario: Director) -> None:
    scene = await scenario(behave)
    ids = [await launch(scene, f"work {n}") for n in range(MANY)]
    for session_id in ids:
        await scene.flagman.session(lambda s: s.ended, session_id)

    async def all_shown() -> bool:
        cards = [row for row in await scene.slack.messages(OPS) if set(buttons(row)) == {"session_log"}]
        return len(cards) == MANY

    await wait_for(all_shown, 120)
    assert await refused(scene.slack) == []
    updates = await scene.slack.calls("chat.update")
    assert len(updates) < 4 * MANY


async def test_a_request_goes_before_the_cards(scenario: Director, monkeypatch: pytest.MonkeyPatch) -> None:
    rate = turns.POSTS._replace(interval=timedelta(seconds=1))
    monkeypatch.setattr(turns, "POSTS", rate)
    scene = await scenario(behave)
    for n in range(MANY):
        await launch(scene, f"work {n}")
    await launch(scene, "ask me")

    async def asked() -> int:
        """How many cards stand when the request stands."""
        cards = [row for row in await scene.slack.messages(OPS) if not row.get("ephemeral")]
        for card in cards:
            if "ask me" in texts(card):
                rows = await scene.slack.messages(OPS, card["ts"])
                if any(APPROVE in buttons(row) for row in rows):
                    return len(cards)
        return 0

    assert await wait_for(asked) < MANY / 2
    assert await refused(scene.slack) == []


async def test_updates_of_requests_go_before_those_of_cards(
    scenario: Director, monkeypatch: pytest.MonkeyPatch
) -> None:
    rate = turns.UPDATES._replace(interval=timedelta(hours=1))
    monkeypatch.setattr(turns, "UPDATES", rate)
    scene = await scenario(behave)
    rows = scene.flagman.core.rows
    for n in range(MANY):
        await rows.take_slot(
            "chat.update:", f"other:{n}", interval=rate.interval, burst=rate.most(Rank.CARD), rank=Rank.CARD
        )
    session = await scene.launch("ask me")
    (ask,) = await scene.asked(session)
    assert (await scene.slack.click(ADA, OPS, ask["ts"], APPROVE))["ok"]
    await scene.ended(session)
    await scene.settled(session)


async def test_sessions_that_never_wait_leave_room_for_others(
    scenario: Director, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(job, "SLICE_SECONDS", 0.1)

    def endless(request: Any) -> Any:
        if "ask" in request.turns[0].text:
            return ASKS(request)
        return calls(("note", {"words": str(len(request.turns))}))

    scene = await scenario(endless, slots=2, persona={"budgets": {"max_steps": 100_000}})
    for n in range(6):
        await launch(scene, f"work {n}")
    await wait_for(lambda: len(scene.runs("note")) > 20)
    asking = await launch(scene, "ask me")
    await scene.flagman.session(lambda s: s.waiting_for == "human_approval_required", asking)
    ada = Actor(id=f"slack:{ADA}", name="ada")
    seen = await seen_now(scene.flagman.core.supervisor, asking)
    await scene.flagman.core.supervisor.decide(asking, "1.1", "approve", ada, seen=seen)
    await scene.flagman.session(lambda s: s.ended, asking)
