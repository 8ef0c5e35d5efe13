"""An answer to one person appears where they clicked: in the thread, in the channel, or directly."""

from __future__ import annotations

import asyncio

import pytest

import bot.playground.responses
from supervisor.core.messages import ModelReply, ModelRequest
from tests.support.scenario import APPROVE, DENY, Director, Scene
from tests.support.scripted import calls, in_turn, says
from tests.support.slack import ADA, ADA_DM, GRACE, OPS, Json, buttons, texts

ONE = in_turn(calls(("deploy", {"service": "shop"})), says("All done."))
LOG = "session_log"
RULES = {"approvals": [{"tool": "deploy", "mode": "ask", "approvers": {"users": [GRACE]}}]}


async def ephemeral(scene: Scene, words: str, thread_ts: str | None, user: str = ADA) -> Json:
    return await scene.slack.message(
        OPS, lambda m: bool(m.get("ephemeral")) and words in texts(m), thread_ts, user=user
    )


async def test_a_refusal_in_a_thread_appears_in_the_thread(scenario: Director) -> None:
    scene = await scenario(ONE, persona=RULES)
    session = await scene.launch()
    (ask,) = await scene.asked(session)
    assert (await scene.slack.click(ADA, OPS, ask["ts"], APPROVE))["ok"]
    found = await ephemeral(scene, "You may not decide", ask["thread_ts"])
    assert found["thread_ts"] == ask["thread_ts"]
    assert (await scene.slack.click(GRACE, OPS, ask["ts"], DENY))["ok"]


@pytest.mark.parametrize("replies", [False, True])
async def test_the_log_of_a_card_appears_in_the_channel(scenario: Director, replies: bool) -> None:
    proposed = asyncio.Event()

    async def behave(request: ModelRequest) -> ModelReply:
        await proposed.wait()
        reply = ONE(request)
        assert isinstance(reply, ModelReply)
        return reply

    scene = await scenario(behave)
    session = await scene.launch()
    card = await scene.card(session)
    if replies:
        proposed.set()
        await scene.asked(session)
    assert (await scene.slack.choose(ADA, OPS, card, LOG))["ok"]
    found = await ephemeral(scene, "ship it", None)
    assert not found.get("thread_ts")
    proposed.set()


@pytest.mark.parametrize("where", ["thread", "card"])
async def test_an_expired_address_for_responses_loses_no_answer(
    scenario: Director, monkeypatch: pytest.MonkeyPatch, where: str
) -> None:
    monkeypatch.setattr(bot.playground.responses, "USES", 0)
    scene = await scenario(ONE, persona=RULES)
    session = await scene.launch()
    (ask,) = await scene.asked(session)
    if where == "thread":
        assert (await scene.slack.click(ADA, OPS, ask["ts"], APPROVE))["ok"]
        await ephemeral(scene, "You may not decide", ask["thread_ts"])
    else:
        card = await scene.card(session)
        assert (await scene.slack.choose(ADA, OPS, card, LOG))["ok"]
        await ephemeral(scene, "ship it", None)


async def test_where_the_channel_takes_no_answer_it_comes_directly(
    scenario: Director, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(bot.playground.responses, "USES", 0)
    scene = await scenario(ONE, persona=RULES)
    session = await scene.launch()
    (ask,) = await scene.asked(session)
    await scene.slack.fault("chat.postEphemeral", error="user_not_in_channel", times=9)
    assert (await scene.slack.click(ADA, OPS, ask["ts"], APPROVE))["ok"]
    answer = await scene.slack.message(ADA_DM, lambda m: "You may not decide" in texts(m))
    assert not buttons(answer)
