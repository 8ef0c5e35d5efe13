"""The faults of a campaign: each a function with a name, over within seconds, drawn by a seeded generator."""

from __future__ import annotations

import asyncio
import signal
from collections.abc import Awaitable, Callable
from random import Random

from tests.chaos.stand import Slot, Stand
from tests.crash.house import LEASE

Fault = Callable[[Stand, Random], Awaitable[None]]
POST, UPDATE, REPLIES = "chat.postMessage", "chat.update", "conversations.replies"
APPENDS = ('"ToolStarted"', '"ToolFinished"', '"ModelResponded"', '"ApprovalRequested"', '"ApprovalDecided"')


async def _worker(stand: Stand, rng: Random) -> Slot:
    """One that is at work."""
    while not (ready := [slot for slot in stand.workers if slot.ready.is_set()]):
        await asyncio.sleep(0.05)
    return rng.choice(ready)


async def kill_worker(stand: Stand, rng: Random) -> None:
    (await _worker(stand, rng)).end(signal.SIGKILL)


async def stop_worker(stand: Stand, rng: Random) -> None:
    """By SIGTERM, as a deployment does."""
    (await _worker(stand, rng)).end(signal.SIGTERM)


async def freeze_worker(stand: Stand, rng: Random) -> None:
    """For longer than its lease; then it goes on as if nothing had happened."""
    process = (await _worker(stand, rng)).process
    assert process is not None
    process.freeze()
    try:
        await asyncio.sleep(LEASE * rng.uniform(1.5, 4))
    finally:
        process.thaw()


async def kill_web(stand: Stand, _: Random) -> None:
    stand.web.end(signal.SIGKILL)


async def kill_clock(stand: Stand, _: Random) -> None:
    stand.clock.end(signal.SIGKILL)


async def cut_store(stand: Stand, rng: Random) -> None:
    """All connections to the store break, and no new one is made."""
    stand.store.set("shut")
    try:
        await asyncio.sleep(rng.uniform(0.1, 3))
    finally:
        stand.store.set("open")


async def stall_store(stand: Stand, rng: Random) -> None:
    """Nothing is answered for a while; then everything is."""
    stand.store.set("stuck")
    try:
        await asyncio.sleep(rng.uniform(0.5, 4))
    finally:
        stand.store.set("open")


async def lose_answers(stand: Stand, rng: Random) -> None:
    """The connection breaks right before or after an append."""
    for proxy in (stand.house.worker_proxy, stand.house.web_proxy):
        for mark in rng.sample(APPENDS, 2):
            proxy.at(mark, rng.choice(("before", "after")), lambda: None)
    await asyncio.sleep(rng.uniform(1, 3))
    for proxy in (stand.house.worker_proxy, stand.house.web_proxy):
        proxy.forget()


async def kill_store(stand: Stand, rng: Random) -> None:
    await stand.kill_store()
    try:
        await asyncio.sleep(rng.uniform(0, 2))
    finally:
        await stand.start_store()


async def slack_is_busy(stand: Stand, rng: Random) -> None:
    for method in rng.sample((POST, UPDATE, REPLIES), 2):
        await stand.house.slack.fault(method, status=429, retry_after=rng.randint(1, 3))


async def slack_fails(stand: Stand, rng: Random) -> None:
    for method in (POST, UPDATE, REPLIES):
        await stand.house.slack.fault(method, status=rng.choice((500, 502, 503)), times=rng.randint(1, 3))


async def slack_refuses(stand: Stand, rng: Random) -> None:
    """For a reason that Flagman does not know."""
    for method in (POST, UPDATE):
        await stand.house.slack.fault(method, error="never_heard_of", times=rng.randint(1, 3))


async def slack_loses_answers(stand: Stand, rng: Random) -> None:
    """What was asked is done, and the connection breaks before the answer."""
    for method in (POST, UPDATE):
        await stand.house.slack.fault(method, status=0, when="after", times=rng.randint(1, 3))


async def slack_is_late(stand: Stand, rng: Random) -> None:
    for method in (POST, UPDATE):
        await stand.house.slack.fault(method, delay_s=rng.uniform(0.5, 3), times=rng.randint(1, 3))


async def slack_disconnects(stand: Stand, rng: Random) -> None:
    await stand.house.slack.disconnect(rng.choice(("drop", "warning", "refresh_requested")))


async def lose_ready(stand: Stand, _: Random) -> None:
    await stand.house.redis.delete("flagman:{p0}:ready")


async def lose_outbox(stand: Stand, _: Random) -> None:
    await stand.house.redis.delete("flagman:{p0}:outbox")


async def lose_timers(stand: Stand, _: Random) -> None:
    await stand.house.redis.delete("flagman:{p0}:timers")


FAULTS: dict[str, Fault] = {
    "kill-worker": kill_worker,
    "stop-worker": stop_worker,
    "freeze-worker": freeze_worker,
    "kill-web": kill_web,
    "kill-clock": kill_clock,
    "cut-store": cut_store,
    "stall-store": stall_store,
    "lose-answers": lose_answers,
    "kill-store": kill_store,
    "slack-is-busy": slack_is_busy,
    "slack-fails": slack_fails,
    "slack-refuses": slack_refuses,
    "slack-loses-answers": slack_loses_answers,
    "slack-is-late": slack_is_late,
    "slack-disconnects": slack_disconnects,
    "lose-ready": lose_ready,
    "lose-outbox": lose_outbox,
    "lose-timers": lose_timers,
}
# A job whose entry is lost while its worker is dead comes again only after `sweeper.BUSY`: these strike alone.
ALONE = ("lose-ready", "lose-outbox", "lose-timers")
OF_STORE = ("cut-store", "stall-store", "kill-store")
