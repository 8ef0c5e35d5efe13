"""The primary is killed under real processes; its replica is promoted, and every session goes on by itself."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from functools import partial
from pathlib import Path

import pytest
from redis.crc import key_slot

from storage import keys
from storage.errors import StoreUnavailable
from tests.crash.house import House
from tests.crash.test_killed_around_the_tool import counting, runs
from tests.support.ports import free_port
from tests.support.process_pool import ProcessPool
from tests.support.slack import ADA, OPS, texts, wait_for
from tests.support.store_servers import LOOPBACK, Cluster, SentinelSet, Server, until

pytestmark = pytest.mark.crash


async def story(process_pool: ProcessPool, url: str, folder: Path, primary: Callable[[], Server]) -> None:
    """One call runs and another waits for approval while the primary dies; both end, each having run once."""
    async with House(process_pool, url, folder / "house") as house:
        command, count, door = counting(house)
        door.touch()
        house.propose("shell", {"command": command})
        await house.web(REDIS_URL=url)
        worker = await house.worker(REDIS_URL=url)
        clock = house.start("clock", REDIS_URL=url)
        await clock.says("clock: ticking")
        waiting = await house.launch("wait")
        await house.asked(waiting)
        asleep = await house.launch("sleep")
        await house.asked(asleep)
        answer = await house.slack.command(ADA, OPS, f"pause {asleep} for 2s")
        assert answer["ok"], answer
        await wait_for(partial(happened, house, asleep, "Paused"))
        session_id = await house.launch("run")
        await house.approve(session_id)
        await wait_for(lambda: runs(count) == 1)
        await asyncio.to_thread(primary().kill)
        await worker.says("store")
        door.unlink()
        await wait_for(partial(there_again, house, session_id))
        await house.completed(session_id)
        assert runs(count) == 1
        assert (await house.events(session_id))["OutcomeLost"] == 0
        await house.approve(waiting)
        await house.completed(waiting)
        assert runs(count) == 2
        # The clock goes on with its timers, too.
        await wait_for(partial(happened, house, asleep, "Resumed"))


async def there_again(house: House, session_id: str) -> bool:
    """Whether the store is there again for those who watch this story."""
    try:
        return bool(await house.sessions.load(session_id))
    except StoreUnavailable:
        return False


async def happened(house: House, session_id: str, event: str) -> bool:
    return bool((await house.events(session_id))[event])


async def test_promoted_by_sentinels(
    process_pool: ProcessPool, sentinels: SentinelSet, tmp_path: Path
) -> None:
    primary, replica = sentinels.primary, sentinels.replica
    await story(process_pool, sentinels.url, tmp_path, lambda: primary)
    # It ends with the thread that starts it.
    sentinels.follow(primary, replica)


async def test_no_tool_begins_of_which_the_next_primary_would_not_know(
    process_pool: ProcessPool, sentinels: SentinelSet, tmp_path: Path
) -> None:
    """The replica hears nothing of an approval; then the primary dies, and it is asked for again."""
    await asyncio.to_thread(until, sentinels.ready)
    async with House(process_pool, sentinels.url, tmp_path / "house") as house:
        command, count, _ = counting(house)
        house.propose("shell", {"command": command})
        wait = {"REDIS_URL": sentinels.url, "FLAGMAN_WAIT_REPLICAS": "1/200"}
        await house.web(**wait)
        await house.worker(**wait)
        session_id = await house.launch()
        question = await house.asked(session_id)
        primary, replica = sentinels.primary, sentinels.replica
        # From now on it hears nothing of its primary; Sentinels would mend that after a while.
        replica.ask("REPLICAOF", LOOPBACK, free_port())
        assert (await house.click(question, "call_approve"))["ok"]
        await house.slack.message(OPS, lambda m: "not known whether" in texts(m), question["thread_ts"])
        assert runs(count) == 0
        await asyncio.to_thread(primary.kill)
        await wait_for(partial(there_again, house, session_id))
        assert (await house.events(session_id))["ApprovalDecided"] == 0
        # It has to have a replica of its own before anything is decided.
        sentinels.follow(primary, replica)
        assert (await house.click(question, "call_approve"))["ok"]
        await house.completed(session_id)
        assert runs(count) == 1


async def test_promoted_in_a_cluster(process_pool: ProcessPool, nodes: Cluster, tmp_path: Path) -> None:
    slot = key_slot(keys.queue(0, "ready").stream.encode())
    await story(process_pool, nodes.url, tmp_path, lambda: nodes.owner(slot))
