"""Slack answers late, wrongly or not at all: one card and one message a call all the same, and the tool runs once."""

from __future__ import annotations

from typing import Any

import pytest

import handlers.projection.refusals
from bot.playground.seed import SCOPES, Manifest
from handlers.projection.slack_client import SlackSender
from supervisor.core.commands.approvals import Seen
from supervisor.core.state import Session
from tests.support.scenario import APPROVE, Director, Scene
from tests.support.scripted import calls, in_turn, says
from tests.support.slack import ADA, ADA_DM, BOT_TOKEN, OPS, RANDOM, Json, Slack, buttons, texts, wait_for

ONE = in_turn(calls(("deploy", {"service": "shop"})), says("All done."))
POST, UPDATE = "chat.postMessage", "chat.update"


@pytest.fixture(autouse=True)
def _soon(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(handlers.projection.refusals, "RETRY_SECONDS", 0.05)


async def keys_shown(scene: Scene, session: Session, channel: str = OPS, user: str = ADA) -> list[str]:
    """The keys of all messages of the session that stand in the channel, threads included."""
    found: list[str] = []
    for parent in await scene.slack.messages(channel, user=user):
        for row in await scene.slack.messages(channel, parent["ts"], user):
            payload = (row.get("metadata") or {}).get("event_payload") or {}
            if payload.get("session") == session.id:
                found.append(payload["key"])
    return found


async def one_of_each(scene: Scene, session: Session, channel: str = OPS) -> None:
    """The end is shown, nothing can be decided any more, and each message stands there once."""

    async def converged() -> bool:
        keys = await keys_shown(scene, session, channel)
        return sorted(k.partition(":")[0] for k in keys) == ["ask", "card", "end"]

    await wait_for(converged)
    for parent in await scene.slack.messages(channel):

        async def settled(ts: str = parent["ts"]) -> bool:
            return not any(APPROVE in buttons(row) for row in await scene.slack.messages(channel, ts))

        await wait_for(settled)
    assert len(scene.runs("deploy")) == 1
    assert await scene.refused() == []


BROKEN: dict[str, Json] = {
    "429": {"status": 429, "retry_after": 1},
    "503": {"status": 503},
    "503 after the effect": {"status": 503, "when": "after"},
    "a dropped connection": {"status": 0},
    "a dropped connection after the effect": {"status": 0, "when": "after"},
}


@pytest.mark.parametrize("how", BROKEN)
async def test_posting_the_card_fails(scenario: Director, how: str) -> None:
    scene = await scenario(ONE)
    await scene.slack.fault(POST, **BROKEN[how])
    session = await scene.launch()
    (ask,) = await scene.asked(session)
    assert (await scene.slack.click(ADA, OPS, ask["ts"], APPROVE))["ok"]
    await one_of_each(scene, session)


async def test_a_post_that_is_heard_after_the_look_for_it_does_not_stay(
    scenario: Director, monkeypatch: pytest.MonkeyPatch
) -> None:
    find, looks = SlackSender.find, list[str]()

    async def too_early(sender: SlackSender, *args: Any, **kwargs: Any) -> list[str]:
        looks.append(args[3])
        return [] if looks.count(args[3]) == 1 else await find(sender, *args, **kwargs)

    monkeypatch.setattr(SlackSender, "find", too_early)
    scene = await scenario(ONE)
    session = await scene.launch()
    (ask,) = await scene.asked(session)
    await scene.slack.fault(POST, **BROKEN["503 after the effect"])
    assert (await scene.slack.click(ADA, OPS, ask["ts"], APPROVE))["ok"]
    await wait_for(lambda: len(looks) > 1)
    await one_of_each(scene, session)
    assert looks == ["end", "end"]


@pytest.mark.parametrize("how", BROKEN)
async def test_posting_the_approval_fails(scenario: Director, how: str) -> None:
    async def prepare(request: Any) -> Any:
        # The card stands by now, or is about to: its calls are not those that fail.
        if len(request.turns) == 1:
            await wait_for(lambda: _posted(scene))
            await scene.slack.fault(POST, **BROKEN[how])
        return ONE(request)

    scene = await scenario(prepare)
    session = await scene.launch()
    (ask,) = await scene.asked(session)
    assert (await scene.slack.click(ADA, OPS, ask["ts"], APPROVE))["ok"]
    await one_of_each(scene, session)


async def _posted(scene: Scene) -> bool:
    return any(call["ok"] for call in await scene.slack.calls(POST))


@pytest.mark.parametrize("how", BROKEN)
async def test_updating_after_the_approval_fails(scenario: Director, how: str) -> None:
    scene = await scenario(ONE)
    session = await scene.launch()
    (ask,) = await scene.asked(session)
    await scene.slack.fault(UPDATE, **BROKEN[how])
    assert (await scene.slack.click(ADA, OPS, ask["ts"], APPROVE))["ok"]
    await scene.ended(session)
    assert len(scene.runs("deploy")) == 1
    await one_of_each(scene, session)


async def delete(slack: Slack, channel: str, ts: str) -> None:
    assert (await slack.api("chat.delete", token=BOT_TOKEN, channel=channel, ts=ts))["ok"]


async def test_a_deleted_approval_message_comes_back_while_it_is_needed(scenario: Director) -> None:
    scene = await scenario(ONE)
    session = await scene.launch()
    (ask,) = await scene.asked(session)
    await delete(scene.slack, OPS, ask["ts"])
    await scene.slack.command(ADA, OPS, f"pause {session.id}")
    await scene.slack.command(ADA, OPS, f"resume {session.id}")
    card = await scene.card(session)
    await scene.slack.post(ADA, OPS, "<@U0FLAGMAN1> status", card["ts"])
    stale = await scene.slack.click_stale(ADA, OPS, ask, APPROVE)
    assert stale["ok"]
    await scene.ended(session)
    assert len(scene.runs("deploy")) == 1
    assert await scene.settled(session)


async def test_a_deleted_card_comes_back_with_a_thread_of_its_own(scenario: Director) -> None:
    scene = await scenario(ONE)
    session = await scene.launch()
    (ask,) = await scene.asked(session)
    card = await scene.card(session)
    await delete(scene.slack, OPS, card["ts"])
    await scene.slack.command(ADA, OPS, f"pause {session.id}")
    again = await scene.card(session)
    assert again["ts"] != card["ts"]
    await scene.slack.message(OPS, lambda m: "halt:" in texts(m), again["ts"])
    await scene.slack.command(ADA, OPS, f"resume {session.id}")
    assert (await scene.slack.click_stale(ADA, OPS, ask, APPROVE))["ok"]
    await scene.ended(session)
    await scene.slack.message(OPS, lambda m: "All done." in texts(m), again["ts"])
    assert len(scene.runs("deploy")) == 1


async def test_a_thread_without_its_root_goes_on(scenario: Director) -> None:
    scene = await scenario(ONE)
    parent = await scene.slack.post(ADA, OPS, "the shop is slow")
    await scene.slack.post(ADA, OPS, "<@U0FLAGMAN1> launch ops fix it", parent["ts"])
    session = await scene.flagman.session(lambda s: s.waiting_for == "human_approval_required")
    await scene.slack.message(OPS, lambda m: APPROVE in buttons(m), parent["ts"])
    await scene.slack.send("delete", {"user": ADA, "channel": OPS, "ts": parent["ts"]})
    seen = Seen.of(session.call("1.1"))
    await scene.flagman.core.supervisor.decide(session.id, "1.1", "approve", _actor(ADA), seen=seen)
    await scene.ended(session)
    await scene.slack.message(OPS, lambda m: "All done." in texts(m), parent["ts"])


def _actor(user: str) -> Any:
    from supervisor.core.events import Actor

    return Actor(id=f"slack:{user}", name="ada")


@pytest.mark.parametrize("how", ["503 after the effect", "a dropped connection after the effect"])
async def test_a_direct_message_instead_of_a_closed_channel_is_sent_once(
    scenario: Director, how: str
) -> None:
    scene = await scenario(ONE)
    scene.slack.playground.workspace.manifest = Manifest(scopes=SCOPES - {"chat:write.public"})
    await scene.slack.fault(POST, match={"channel": ADA_DM}, **BROKEN[how])
    assert (await scene.slack.command(ADA, RANDOM, "launch ops ship it"))["ok"]
    session = await scene.flagman.session(lambda s: s.waiting_for == "human_approval_required")
    ask = await scene.slack.message(
        ADA_DM, lambda m: APPROVE in buttons(m), (await scene.card(session, ADA_DM))["ts"]
    )
    assert (await scene.slack.click(ADA, ADA_DM, ask["ts"], APPROVE))["ok"]

    async def converged() -> bool:
        keys = await keys_shown(scene, session, ADA_DM)
        return sorted(k.partition(":")[0] for k in keys) == ["ask", "card", "end"]

    await wait_for(converged)
    assert len(scene.runs("deploy")) == 1
