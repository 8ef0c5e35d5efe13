"""`/healthz` says that the process lives, `/readyz` that its store answers."""

from __future__ import annotations

from tests.api.conftest import Build, House
from tests.support.api import Client
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
