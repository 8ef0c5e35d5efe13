"""Where the workspace has them, Slack shows plans, that an agent works, and Stop; elsewhere all works without them."""

from __future__ import annotations

from datetime import timedelta
from functools import partial
from typing import Any

import pytest

from handlers.listeners.events import stop
from supervisor.core.messages import ModelReply, ModelRequest
from tests.support.scenario import APPROVE, Director, Scene
from tests.support.scripted import calls, in_turn, says
from tests.support.slack import ADA, KEN, OPS, Json, buttons, texts, wait_for

STEPS = in_turn(
    calls(("note", {"words": "first"})), calls(("fail", {}), ("deploy", {"service": "shop"})), says("Done.")
)
RULE = {"approvals": [{"tool": "fail", "mode": "allow"}]}


def kinds(card: Json) -> list[str]:
    return [block["type"] for block in card["blocks"]]


async def statuses(scene: Scene) -> list[str]:
    return [call["args"]["status"] for call in await scene.slack.calls("agents.sessions.setStatus")]


async def agent(scene: Scene, ts: str) -> str:
    return str((await scene.slack.get("status", channel=OPS, thread_ts=ts))["agent"])


async def test_steps_are_a_plan_and_slack_shows_what_the_session_does(scenario: Director) -> None:
    scene = await scenario(STEPS, persona=RULE)
    session = await scene.launch()
    (ask,) = await scene.asked(session)
    card = await scene.slack.message(OPS, lambda m: APPROVE in buttons(m))
    await wait_for(lambda: _is(scene, card["ts"], "suspended"))
    assert (await scene.slack.click(ADA, OPS, ask["ts"], APPROVE))["ok"]
    await scene.ended(session)
    card = await scene.slack.message(OPS, _over)
    (plan,) = [block for block in card["blocks"] if block["type"] == "plan"]
    assert plan["title"] == "3 of 3 calls done"
    shown = [(task["title"], task["status"]) for task in plan["tasks"]]
    assert shown == [("note  first", "complete"), ("fail  1", "error"), ("deploy  shop", "complete")]
    await wait_for(lambda: _is(scene, card["ts"], "closed"))
    assert (await statuses(scene))[-1] == "closed"
    assert await scene.refused() == []


async def _ended(scene: Scene, ts: str) -> list[Json]:
    """The thread of a card, once that has no button any more but one for the log."""
    thread = await scene.slack.messages(OPS, ts)
    return thread if _over(thread[0]) else []


def _over(card: Json) -> bool:
    return set(buttons(card)) == {"session_log"}


async def _is(scene: Scene, ts: str, status: str) -> bool:
    return await agent(scene, ts) == status


async def test_elsewhere_they_are_tried_once(scenario: Director) -> None:
    scene = await scenario(STEPS, persona=RULE)
    await scene.slack.settings(agents_error="feature_not_enabled")
    for _ in range(2):
        session = await scene.launch()
        (ask,) = await scene.asked(session)
        card = await scene.card(session)
        assert (await scene.slack.click(ADA, OPS, ask["ts"], APPROVE))["ok"]
        await scene.ended(session)
        thread = await wait_for(partial(_ended, scene, str(card["ts"])))
        assert "plan" not in kinds(thread[0])
    refused = [(call["method"], call["error"]) for call in await scene.refused()]
    assert sorted(refused)[:1] == [("agents.sessions.setStatus", "feature_not_enabled")]
    assert [error for method, error in refused if method != "agents.sessions.setStatus"] == ["invalid_blocks"]
    assert len(refused) == 2


async def working(scenario: Director, **persona: Any) -> tuple[Scene, Any, Json]:
    """A session whose model thinks until it is stopped."""

    async def behave(request: ModelRequest) -> ModelReply:
        return await wait_for(lambda: None, 600)

    scene = await scenario(behave, persona=persona)
    session = await scene.launch()
    card = await scene.slack.message(OPS, lambda m: "Thinking since" in texts(m))
    await wait_for(lambda: _is(scene, card["ts"], "processing"))
    return scene, session, card


async def test_stop_cancels_for_who_pressed_it(scenario: Director) -> None:
    scene, session, card = await working(scenario)
    pressed = {"user": ADA, "channel": OPS, "thread_ts": card["ts"]}
    assert (await scene.slack.send("stop", pressed))["ok"]
    ended = await scene.ended(session)
    assert (ended.lifecycle, ended.ended_by) == ("cancelled", f"slack:{ADA}")
    await wait_for(lambda: _is(scene, card["ts"], "closed"))
    # Slack delivers an event more than once; nobody is told that it is done already.
    assert (await scene.slack.redeliver())["ok"]
    assert (await scene.slack.send("stop", pressed))["http"] == 409
    assert not [row for row in await scene.slack.messages(OPS, card["ts"]) if row.get("ephemeral")]


async def test_stop_takes_the_right_to_cancel(scenario: Director) -> None:
    scene, session, card = await working(scenario, operators={"users": [ADA]})
    assert (await scene.slack.send("stop", {"user": KEN, "channel": OPS, "thread_ts": card["ts"]}))["ok"]
    (told,) = await scene.whispers(KEN, thread_ts=card["ts"])
    assert "You may not steer this session" in told["text"]
    assert not (await scene.flagman.core.supervisor.get(session.id)).ended


async def test_a_stop_that_comes_too_late_does_nothing(
    scenario: Director, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(stop, "OLDEST", timedelta(days=-1))
    scene, session, card = await working(scenario)
    assert (await scene.slack.send("stop", {"user": ADA, "channel": OPS, "thread_ts": card["ts"]}))["ok"]
    (told,) = await scene.whispers(ADA, thread_ts=card["ts"])
    assert "more than ten minutes late" in told["text"]
    assert not (await scene.flagman.core.supervisor.get(session.id)).ended
