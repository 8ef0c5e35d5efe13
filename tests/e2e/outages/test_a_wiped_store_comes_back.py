"""The store is lost; from their SESSION_LOGs the sessions come back, and the old messages in Slack work again."""

from __future__ import annotations

import asyncio
from collections import Counter
from datetime import timedelta

import pytest
from redis.asyncio import Redis

import handlers.projection.refusals
from bot.compose import Core
from handlers.projection.slack_client import SlackSender
from handlers.projection.turns import Rank
from storage.keys import TimerKey
from supervisor.core.conditions import Webhook
from supervisor.core.events import Actor
from supervisor.core.state import Session
from tests.support.scenario import APPROVE, Director, Scene
from tests.support.scripted import calls, in_turn, says
from tests.support.slack import ADA, GRACE, OPS, Json, buttons, texts, wait_for

ONE = in_turn(calls(("deploy", {"service": "shop"}), text="I deploy."), says("All done."))
ASKS = in_turn(calls(("ask_human", {"question": "Which one?", "options": ["a", "b"]})), says("Thanks."))
WAITS = in_turn(calls(("wait_for", {"condition": "webhook: go", "reason": "for the go"})), says("Went."))
OPERATOR = Actor(id="cli:operator", name="operator")
RESUME = "session_resume"


@pytest.fixture(autouse=True)
def _soon(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(handlers.projection.refusals, "RETRY_SECONDS", 0.05)


async def documents(core: Core, *sessions: Session) -> list[bytes]:
    return [(await core.documents().text(session.id)).encode() for session in sessions]


async def quiet(core: Core) -> None:
    """Nothing is under way: what Slack shows is what the log says."""
    both = core.queues()

    async def look() -> bool:
        return not any([await core.redis.hlen(queue.keys_in(0).state) for queue in both])

    await wait_for(look)


async def wiped(scene: Scene, redis: Redis, *sessions: Session) -> list[bytes]:
    """Their documents; the store is empty then."""
    await quiet(scene.flagman.core)
    found = await documents(scene.flagman.core, *sessions)
    await redis.flushall()
    return found


async def restore(scene: Scene, *texts_: bytes) -> None:
    for text in texts_:
        await scene.flagman.core.restorer().restore(text, OPERATOR)


async def messages(scene: Scene, session: Session) -> Counter[str]:
    """The keys of its messages in the channel, threads included; each must be there once."""
    keys: Counter[str] = Counter()
    for parent in await scene.slack.messages(OPS):
        for row in await scene.slack.messages(OPS, parent["ts"]):
            payload = (row.get("metadata") or {}).get("event_payload") or {}
            if payload.get("session") == session.id:
                keys[payload["key"]] += 1
    return keys


async def once_each(scene: Scene, session: Session, *kinds: str) -> None:
    async def converged() -> bool:
        keys = await messages(scene, session)
        return sorted(key.partition(":")[0] for key in keys) == sorted(kinds)

    await wait_for(converged)
    assert set((await messages(scene, session)).values()) == {1}


async def test_the_old_approve_button_works_and_nothing_is_posted_twice(
    scenario: Director, redis: Redis
) -> None:
    scene = await scenario(ONE)
    session = await scene.launch()
    (ask,) = await scene.asked(session)
    card = await scene.card(session)
    texts_ = await wiped(scene, redis, session)
    gone = await scene.slack.click_stale(GRACE, OPS, ask, APPROVE)
    assert gone["http"] == 200
    assert scene.runs("deploy") == []
    await restore(scene, *texts_)
    back = await scene.waiting(session)
    assert back.restored_at
    assert (await scene.slack.click_stale(GRACE, OPS, ask, APPROVE))["ok"]
    ended = await scene.ended(session)
    assert ended.steps[0].calls[0].decisions[0].by == f"slack:{GRACE}"
    await once_each(scene, session, "card", "ask", "end")
    assert (await scene.card(session))["ts"] == card["ts"]
    assert len(scene.runs("deploy")) == 1
    again = await scene.slack.message(OPS, lambda m: m["ts"] == ask["ts"], card["ts"])
    assert APPROVE not in buttons(again)

    async def shared() -> list[Json]:
        return [row for row in await scene.slack.messages(OPS, card["ts"]) if row.get("files")]

    # The file comes last, once everything else stands.
    await wait_for(shared)
    await quiet(scene.flagman.core)
    assert len(await shared()) == 1


async def test_what_people_write_in_the_old_thread_reaches_it(scenario: Director, redis: Redis) -> None:
    scene = await scenario(ASKS)
    session = await scene.launch()
    await scene.flagman.session(lambda s: s.waiting_for == "human_input_required", session.id)
    card = await scene.card(session)
    await scene.slack.message(OPS, lambda m: "Which one?" in texts(m), card["ts"])
    await restore(scene, *await wiped(scene, redis, session))
    await quiet(scene.flagman.core)
    await scene.slack.post(GRACE, OPS, "the second", card["ts"])
    ended = await scene.ended(session)
    assert ended.steps[0].calls[0].content == "the second"
    await once_each(scene, session, "card", "question", "end")


async def test_webhooks_timers_and_tokens_find_it_again(scenario: Director, redis: Redis) -> None:
    scene = await scenario(WAITS)
    core = scene.flagman.core
    hooked, token_given, timed = [await scene.launch() for _ in range(3)]
    for session in (hooked, token_given, timed):
        await scene.flagman.session(lambda s: s.waiting_for == "external_dependency", session.id)
    token, _ = core.resume_tokens().give(await core.supervisor.get(token_given.id))
    soon = await core.supervisor.remind(
        timed.id, timed.launched_at + timedelta(seconds=1), OPERATOR, text="look"
    )
    texts_ = await wiped(scene, redis, hooked, token_given, soon)
    await restore(scene, *texts_)
    await core.resume_tokens().redeem(core.supervisor, token)
    await scene.ended(token_given)
    # Overdue by now; a clock that claims it fires it, once.
    due = await core.timers().claim(
        timed.launched_at + timedelta(minutes=1), hold=timedelta(seconds=5), limit=9
    )
    assert due == [TimerKey(timed.id, "t1")]
    assert await core.deliveries.fire(due[0])
    assert not await core.deliveries.fire(due[0])
    assert (await core.supervisor.get(timed.id)).timers[0].state == "fired"
    sent = await core.deliveries.deliver("webhook", "go", "d1", {"all": "well"}, Actor(id="webhook:go"))
    assert sorted(sent.resumed) == sorted([hooked.id, timed.id])
    for session in (hooked, timed):
        await scene.ended(session)
        await once_each(scene, session, "card", "halt", *(["timer"] if session is timed else []), "end")


async def test_twenty_paused_sessions_come_back_and_finish(scenario: Director, redis: Redis) -> None:
    def behave(request: object) -> object:
        task = request.turns[0].text  # type: ignore[attr-defined]
        return (ASKS if "ask" in task else WAITS if "wait" in task else ONE)(request)  # type: ignore[arg-type]

    scene = await scenario(behave)  # type: ignore[arg-type]
    kinds = ("deploy", "ask", "wait", "stop")
    started = [(kind, await scene.launch(f"{kind} {n}")) for n, kind in enumerate(kinds * 5)]
    core = scene.flagman.core
    for kind, session in started:
        await scene.flagman.session(lambda s: s.status == "paused", session.id)
        if kind == "stop":
            condition = Webhook(type="webhook", name="go")
            await core.supervisor.pause(session.id, OPERATOR, conditions=[condition], detail="hold on")
    await quiet(core)
    before: dict[str, Json] = {}
    for kind, session in started:
        card = await scene.card(session)
        wanted = {"deploy": APPROVE, "stop": RESUME, "wait": RESUME}.get(kind)
        rows = await scene.slack.messages(OPS, card["ts"])
        before[session.id] = next((row for row in rows if wanted in buttons(row)), card)
    texts_ = await wiped(scene, redis, *(session for _, session in started))
    await asyncio.gather(*(restore(scene, text) for text in texts_))
    for kind, session in started:
        found = await scene.flagman.session(lambda s: s.status == "paused", session.id)
        assert found.restored_at, kind
    await quiet(core)
    for kind, session in started:
        message = before[session.id]
        if kind == "ask":
            await scene.slack.post(ADA, OPS, "a", message["ts"])
            continue
        pressed = APPROVE if kind == "deploy" else RESUME
        assert (await scene.slack.click_stale(ADA, OPS, message, pressed))["ok"], kind
        if kind == "stop":
            ask = (await scene.asked(session))[0]
            assert (await scene.slack.click(ADA, OPS, ask["ts"], APPROVE))["ok"]
    for kind, session in started:
        await scene.ended(session)
        extra = {"deploy": ["ask"], "ask": ["question"], "wait": ["halt"], "stop": ["ask", "halt"]}[kind]
        await once_each(scene, session, "card", "end", *extra)
    assert len(scene.runs("deploy")) == 10
    assert len({row[1] for row in scene.runs("deploy")}) == 10


async def test_what_is_as_it_was_waits_and_what_was_clicked_does_not(
    scenario: Director, redis: Redis, monkeypatch: pytest.MonkeyPatch
) -> None:
    scene = await scenario(ONE)
    session = await scene.launch()
    (ask,) = await scene.asked(session)
    texts_ = await wiped(scene, redis, session)
    reserved: list[tuple[str, bool]] = []
    reserve = SlackSender.reserve_update

    async def spied(sender: SlackSender, session_id: str, key: str, rank: Rank) -> None:
        reserved.append((key.partition(":")[0], rank < Rank.CARD))
        await reserve(sender, session_id, key, rank)

    monkeypatch.setattr(SlackSender, "reserve_update", spied)
    await restore(scene, *texts_)
    await quiet(scene.flagman.core)
    assert set(reserved) == {("card", False), ("ask", False)}
    reserved.clear()
    assert (await scene.slack.click_stale(GRACE, OPS, ask, APPROVE))["ok"]
    await scene.ended(session)
    await quiet(scene.flagman.core)
    assert ("ask", True) in reserved
