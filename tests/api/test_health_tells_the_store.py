"""`/healthz` says that the process lives, `/readyz` that its store answers; `doctor` can ask for more."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path

import pytest
from redis.asyncio import Redis

from bot.compose import core
from storage.partitions import Partitions
from storage.queue import SessionQueue
from supervisor.core.errors import InvalidInput
from tests.api.conftest import Build, House
from tests.support.api import Client
from tests.support.flagman import settings
from tests.support.redis_proxy import RedisProxy


async def test_with_a_store_both_are_well(house: House) -> None:
    # Neither asks for a key.
    async with Client(house.url) as probe:
        for path, status in (("/healthz", "ok"), ("/readyz", "ready")):
            reply = await probe.get(path)
            assert (reply.status, reply.body) == (200, {"status": status})


async def test_without_a_store_the_process_lives_and_is_not_ready(build: Build, valkey_url: str) -> None:
    async with RedisProxy(valkey_url) as proxy:
        house = await build(redis_url=proxy.url)
        async with Client(house.url) as probe:
            # The very command of `/readyz` is not answered, however busy the workers are.
            cut = proxy.at(("ZCARD", "idx:running"), "before", lambda: None)
            reply = await probe.get("/readyz")
            assert cut.sprung.is_set()
            assert reply.status == 503, reply
            assert reply.headers["Content-Type"].startswith("application/problem+json")
            assert (reply["status"], reply["title"]) == (503, "Not ready")
            assert reply["detail"]
            assert (await probe.get("/healthz")).status == 200
            # It comes back by itself.
            assert (await probe.get("/readyz")).status == 200


@pytest.mark.parametrize(
    ("setting", "value", "usual", "code"),
    [
        ("min-replicas-to-write", "1", "0", "NOREPLICAS"),
        ("maxmemory", "1", "0", "OOM"),
    ],
)
async def test_a_store_that_takes_no_writes_is_not_ready(
    house: House,
    redis: Redis,
    setting: str,
    value: str,
    usual: str,
    code: str,
    caplog: pytest.LogCaptureFixture,
) -> None:
    await redis.config_set(setting, value)
    try:
        async with Client(house.url) as probe:
            reply = await probe.get("/readyz")
        launch = {"persona": "ops", "task": "ship it"}
        refused = [await house.api.post("/v1/sessions", launch) for _ in range(3)]
    finally:
        await redis.config_set(setting, usual)
    assert reply.status == 503, reply
    assert code in reply["detail"]
    assert [answer.status for answer in refused] == [503] * 3
    assert "inside" not in caplog.text


async def test_a_store_that_evicts_is_refused_at_the_start(
    redis: Redis, valkey_url: str, tmp_path: Path
) -> None:
    await redis.config_set("maxmemory", str(4 * 1024**3))
    await redis.config_set("maxmemory-policy", "allkeys-lru")
    try:
        with pytest.raises(InvalidInput, match="allkeys-lru"):
            async with core(settings("http://127.0.0.1:1/api/", valkey_url, tmp_path)):
                pass
    finally:
        await redis.config_set("maxmemory-policy", "noeviction")
        await redis.config_set("maxmemory", "0")


async def test_what_is_parked_is_told_and_tried_again(build: Build, redis: Redis) -> None:
    house = await build(hands=0)
    queue = SessionQueue(redis, redis, "ready")
    await Partitions(redis).record(0)
    await queue.enqueue("aaaa-bbbb")
    await queue.open()
    [job] = await queue.take("c1", limit=1, block=timedelta(seconds=1))
    started = await queue.start(queue.lease(job))
    assert started
    await queue.retry(started.lease, wait=timedelta(hours=1), failed=False, trouble="failed 5 times")

    async def jobs(**body: bool) -> tuple[str, str]:
        rows = (await house.api.post("/v1/store/check", body))["findings"]
        [row] = [row for row in rows if row["what"] == "Jobs"]
        return row["state"], row["found"]

    assert await jobs() == ("wrong", "Session aaaa-bbbb: failed 5 times")
    state, said = await jobs(unpark=True)
    assert state == "note"
    assert "is tried again now" in said
    assert len(await queue.take("c1", limit=1, block=timedelta(seconds=1))) == 1
