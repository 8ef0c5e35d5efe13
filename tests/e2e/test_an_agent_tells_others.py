"""An agent emits an event, once it is approved: who waits for it goes on, who waits later finds it, all once."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable
from typing import Any

import pytest

from supervisor.core.events import Resumed, WaitEnded
from supervisor.core.messages import ModelReply, ModelRequest
from supervisor.core.state import Session
from supervisor.tools.contract import ToolContext, Toolset
from supervisor.tools.events import Emitter
from supervisor.tools.typed_tool import tool
from tests.support.scenario import APPROVE, DENY, Director, Scene
from tests.support.scripted import Behaviour, calls, in_turn, results, says, told
from tests.support.slack import ADA, OPS, texts, wait_for
from tests.support.store_proxy import StoreProxy

WAITS = 'event: deploy.finished where env == "prod"'
DATA = {"env": "prod", "version": 3}


def by_task(**first: ModelReply) -> Behaviour:
    """The first word of the task says what the session does first; then it ends with what it was told."""

    def behave(request: ModelRequest) -> ModelReply | Awaitable[ModelReply]:
        task = told(request)[0].split()[0]
        return in_turn(first[task], says(" ".join(results(request)) or "Done."))(request)

    return behave


def emits(data: dict[str, Any] = DATA) -> ModelReply:
    return calls(("emit_event", {"type": "deploy.finished", "data": data}))


def waits(condition: str = WAITS) -> ModelReply:
    return calls(("wait_for", {"condition": condition, "reason": "the deployment"}))


async def resumes(scene: Scene, session: Session) -> list[tuple[str, Any]]:
    events = await scene.flagman.core.sessions.events(session.id)
    return [(event.by, event.data) for event in events if isinstance(event, Resumed)]


async def waiting(scene: Scene) -> Session:
    session = await scene.launch("waits for it")
    await scene.slack.message(OPS, lambda m: f"card:{session.id}" in texts(m) and "wait_for" in texts(m))
    return await scene.flagman.session(lambda s: s.waiting_for == "external_dependency", session.id)


async def decided(scene: Scene, session: Session, button: str = APPROVE) -> None:
    (ask,) = await scene.asked(session)
    assert "deploy.finished" in texts(ask)
    assert (await scene.slack.click(ADA, OPS, ask["ts"], button))["ok"]
    if button == DENY:
        window = await scene.slack.view(ADA)
        assert (await scene.slack.submit(ADA, window, {"value": "not yet"}))["ok"]


async def test_after_the_approval_the_other_session_wakes_with_the_data(scenario: Director) -> None:
    scene = await scenario(by_task(waits=waits(), emits=emits()))
    waiter = await waiting(scene)
    emitter = await scene.launch("emits it")
    await scene.waiting(emitter)
    assert await resumes(scene, waiter) == []
    await decided(scene, emitter)
    assert "It woke 1 session." in (await scene.ended(emitter)).call("1.1").content
    woken = await scene.ended(waiter)
    assert await resumes(scene, waiter) == [(f"agent:{emitter.id}", DATA)]
    ends = [e for e in await scene.flagman.core.sessions.events(woken.id) if isinstance(e, WaitEnded)]
    assert '"version":3' in ends[0].content.replace(" ", "")


async def test_a_denied_event_reaches_nobody(scenario: Director) -> None:
    scene = await scenario(by_task(waits=waits(), emits=emits()))
    waiter = await waiting(scene)
    emitter = await scene.launch("emits it")
    await decided(scene, emitter, DENY)
    await scene.ended(emitter)
    assert await resumes(scene, waiter) == []
    later = await waiting(scene)
    assert await resumes(scene, later) == []


async def test_data_that_does_not_meet_the_condition_wakes_nobody(scenario: Director) -> None:
    scene = await scenario(by_task(waits=waits(), emits=emits({"env": "test"})))
    waiter = await waiting(scene)
    emitter = await scene.launch("emits it")
    await decided(scene, emitter)
    assert "woke no session" in (await scene.ended(emitter)).call("1.1").content
    assert await resumes(scene, waiter) == []


async def test_who_begins_to_wait_later_finds_it_once(scenario: Director) -> None:
    scene = await scenario(by_task(waits=waits(), emits=emits()))
    emitter = await scene.launch("emits it")
    await decided(scene, emitter)
    await scene.ended(emitter)
    late = await scene.launch("waits for it")
    await scene.ended(late)
    assert [data for _, data in await resumes(scene, late)] == [DATA]
    assert await resumes(scene, await waiting(scene)) == []


def relay() -> Toolset:
    @tool(changes=False, idempotent=True)
    async def relay(ctx: ToolContext) -> str:
        """Emit two events."""
        return " ".join([*await ctx.emit("stage.one", {"n": 1}), *await ctx.emit("stage.two")])

    return {"relay": relay}


async def test_a_tool_may_emit_several(scenario: Director) -> None:
    both = in_turn(waits("event: stage.one"), waits("event: stage.two"), says("Both came."))

    def behave(request: ModelRequest) -> ModelReply | Awaitable[ModelReply]:
        follows = told(request)[0].startswith("follows")
        return both(request) if follows else in_turn(calls(("relay", {})), says("Sent."))(request)

    scene = await scenario(behave, tools=relay())
    follower = await scene.launch("follows both")
    await scene.flagman.session(lambda s: s.waits, follower.id)
    sender = await scene.launch("relays")
    await scene.ended(sender)
    await scene.ended(follower)
    assert [data for _, data in await resumes(scene, follower)] == [{"n": 1}, None]


async def test_an_attempt_that_is_repeated_delivers_nothing_more(scenario: Director) -> None:
    scene = await scenario(by_task(waits=waits("event: stage.one")))
    deliver = scene.flagman.core.deliveries.deliver
    first, again = (Emitter(deliver, "ab12-cd34", "ab12-cd34:1.1") for _ in range(2))
    other = Emitter(deliver, "ab12-cd34", "ab12-cd34:1.2")
    waiter = await waiting(scene)
    assert await first("stage.one", {"n": 1}) == [waiter.id]
    await scene.ended(waiter)
    waiter = await waiting(scene)
    assert await again("stage.one", {"n": 1}) == []
    assert await other("stage.one", {"n": 1}) == [waiter.id]


async def test_a_session_may_wait_for_its_own_event(scenario: Director) -> None:
    turn = calls(
        ("emit_event", {"type": "deploy.finished"}),
        ("wait_for", {"condition": "event: deploy.finished", "reason": "myself"}),
    )
    scene = await scenario(in_turn(turn, says("Done.")))
    session = await scene.launch("emits and waits")
    await decided(scene, session)
    await scene.ended(session)
    assert len(await resumes(scene, session)) == 1


async def test_an_event_outlasts_an_outage_of_the_store(
    scenario: Director, valkey_url: str, caplog: pytest.LogCaptureFixture
) -> None:
    shut = asyncio.Event()

    @tool(idempotent=True)
    async def unlucky(ctx: ToolContext) -> str:
        """Emit while the store is away."""
        await shut.wait()
        return " ".join(await ctx.emit("deploy.finished", DATA))

    async with StoreProxy(valkey_url) as proxy:
        scene = await scenario(
            by_task(waits=waits(), emits=calls(("unlucky", {}))),
            tools={"unlucky": unlucky},
            redis_url=proxy.url,
        )
        waiter = await waiting(scene)
        emitter = await scene.launch("emits it")
        (ask,) = await scene.asked(emitter)
        assert (await scene.slack.click(ADA, OPS, ask["ts"], APPROVE))["ok"]
        await scene.flagman.session(lambda s: s.calls_in("started"), emitter.id)
        proxy.set("shut")
        shut.set()
        await wait_for(lambda: "event deploy.finished" in caplog.text)
        proxy.set("open")
        call = (await scene.ended(emitter)).call("1.1")
        assert (call.ok, call.content) == (True, waiter.id)
        await scene.ended(waiter)
        assert await resumes(scene, waiter) == [(f"agent:{emitter.id}", DATA)]
