"""Keys of the store that are lost, one kind at a time: the logs say what belongs there, and everything goes on."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from redis.asyncio import Redis

import bot.clock
from bot.clock import Clock
from storage import keys
from supervisor.core.errors import GatewayError
from supervisor.core.events import Actor
from supervisor.models.gateway import Gateway
from tests.support.scenario import APPROVE, Director, Scene
from tests.support.scripted import calls, in_turn, says
from tests.support.slack import ADA, OPS, buttons, wait_for

ONE = in_turn(calls(("deploy", {"service": "shop"})), says("All done."))
SOON = timedelta(milliseconds=200)


@pytest.fixture(autouse=True)
def _swift_clock(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(bot.clock, "SWEEP", SOON)
    monkeypatch.setattr(bot.clock, "REFILL", SOON)


async def lose(redis: Redis, *names: str) -> None:
    """Take the queues away while no worker can write them anew."""
    assert await redis.delete(*names)


@pytest.mark.parametrize("name", ["ready", "outbox"])
async def test_a_queue_without_its_stream_goes_on(scenario: Director, redis: Redis, name: Any) -> None:
    scene = await scenario(ONE, hands=0)
    session = await scene.launch()
    assert await redis.xlen(keys.queue(0, name).stream) == 1
    await lose(redis, keys.queue(0, name).stream)
    await scene.flagman.add_worker()
    async with Clock(scene.flagman.core):
        (ask,) = await scene.asked(session)
        assert (await scene.slack.click(ADA, OPS, ask["ts"], APPROVE))["ok"]
        await scene.ended(session)
        await scene.settled(session)
    assert len(scene.runs("deploy")) == 1


async def test_jobs_that_are_to_come_later_are_not_forgotten(scenario: Director, redis: Redis) -> None:
    scene = await scenario(ONE, hands=0)
    session = await scene.launch()
    ready, _ = scene.flagman.core.queues()
    [job] = await ready.take("gone", limit=1, block=SOON)
    started = await ready.start(ready.lease(job))
    assert started is not None
    await ready.retry(started.lease, wait=timedelta(days=1), failed=False)
    await lose(redis, keys.queue(0, "ready").later)
    await scene.flagman.add_worker()
    async with Clock(scene.flagman.core):
        await scene.asked(session)


async def paused(scene: Scene, *conditions: str) -> str:
    session = await scene.launch()
    await scene.waiting(session)
    said = await scene.slack.command(ADA, OPS, f"pause {session.id} until {' or '.join(conditions)}")
    assert said["ok"], said
    await scene.flagman.session(lambda s: s.pause, session.id)
    return session.id


LOST: dict[str, Callable[[], list[str]]] = {
    "timers": lambda: [keys.timers(0)],
    "waits": lambda: [keys.index(0, "webhook:deploy")],
    "paused": lambda: [keys.index(0, "paused")],
    "every index": lambda: [
        keys.timers(0),
        *(keys.index(0, name) for name in ("all", "paused", "webhook:deploy")),
    ],
    "all three": lambda: [keys.timers(0), keys.index(0, "webhook:deploy"), keys.index(0, "paused")],
}


@pytest.mark.parametrize("what", LOST)
async def test_timers_and_indexes_are_made_again_from_the_logs(
    scenario: Director, redis: Redis, what: str
) -> None:
    scene = await scenario(ONE)
    session_id = await paused(scene, "webhook: deploy", "in 1h")
    names = [keys.timers(0), keys.index(0, "webhook:deploy"), keys.index(0, "paused")]
    before = [await redis.zrange(name, 0, -1) for name in names]
    assert all(before), before
    await lose(redis, *LOST[what]())

    async def back() -> bool:
        return [await redis.zrange(name, 0, -1) for name in names] == before

    async with Clock(scene.flagman.core):
        await wait_for(back)
        signals, by = scene.flagman.core.deliveries, Actor(id="webhook:deploy")
        assert (await signals.deliver("webhook", "deploy", "d1", {}, by)).resumed == [session_id]


async def test_a_schedule_without_its_timer_gets_it_again(scenario: Director, redis: Redis) -> None:
    scene = await scenario(ONE)
    schedule = await scene.flagman.core.schedules.add("0 9 * * *", "ops", "Report", Actor(id="slack:U1"))
    rows = await redis.zrange(keys.timers(0), 0, -1, withscores=True)
    assert len(rows) == 1
    await lose(redis, keys.timers(0))

    async def back() -> bool:
        return await redis.zrange(keys.timers(0), 0, -1, withscores=True) == rows

    async with Clock(scene.flagman.core):
        await wait_for(back)
    assert (await scene.flagman.core.schedules.get(schedule.id)).due == schedule.due


async def test_a_session_that_flagman_cannot_go_on_with_is_paused_where_a_person_sees_it(
    scenario: Director, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("supervisor.runtime.worker.LONGEST_WAIT", timedelta())
    broken = True

    class Odd(Gateway):
        description = "odd"

        async def reply(self, request: Any) -> Any:
            if broken:
                raise KeyError("a block of an unknown type")
            return says("Back again.")

        async def check(self, model: str | None = None) -> None:
            raise GatewayError("misconfigured", "no")

        async def close(self) -> None:
            pass

    scene = await scenario(Odd())
    session = await scene.launch()
    stopped = await scene.flagman.session(lambda s: s.pause, session.id)
    assert stopped.pause is not None
    assert stopped.pause.reason == "error_threshold_exceeded"
    assert "failed 5 times, the last time with KeyError" in stopped.pause.detail
    card = await scene.slack.message(OPS, lambda m: "could not go on" in str(m))
    assert "session_resume" in buttons(card)
    broken = False
    assert (await scene.slack.click(ADA, OPS, card["ts"], "session_resume"))["ok"]
    assert (await scene.ended(session)).lifecycle == "completed"
