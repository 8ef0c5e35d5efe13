"""Slots of a cluster move from one node to another while sessions are written: each append counts once."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import suppress
from datetime import timedelta

import pytest
from redis.asyncio import Redis
from redis.crc import key_slot

from storage import keys
from storage.connection import connect, reaching_store
from storage.errors import StoreRefused, StoreUnavailable, VersionConflict
from storage.log import Effects, LogStore
from storage.queue import SessionQueue
from tests.support.store_servers import LOOPBACK, Cluster, Server, emptied

SID = "abcd-efgh"
SLOT = key_slot(keys.log(SID).encode())


@pytest.fixture
async def redis(nodes: Cluster) -> AsyncIterator[Redis]:
    client = connect(nodes.url)
    await emptied(client)
    yield client
    await client.aclose()


def ends(nodes: Cluster) -> tuple[Server, Server]:
    """The node that has the slot, and another primary."""
    source = nodes.owner(SLOT)
    target = next(nodes.owner(slot) for slot in (0, 8000, 16000) if nodes.owner(slot) is not source)
    return source, target


def begin(source: Server, target: Server) -> None:
    target.ask("CLUSTER SETSLOT", SLOT, "IMPORTING", source.ask("CLUSTER MYID"))
    source.ask("CLUSTER SETSLOT", SLOT, "MIGRATING", target.ask("CLUSTER MYID"))


def carry(source: Server, target: Server) -> None:
    """Move the keys that are there."""
    while found := source.ask("CLUSTER GETKEYSINSLOT", SLOT, 100):
        source.ask("MIGRATE", LOOPBACK, target.port, "", 0, 5000, "KEYS", *found)


def end(nodes: Cluster, target: Server) -> None:
    name = target.ask("CLUSTER MYID")
    for node in (target, *(node for node in nodes.nodes if node is not target)):
        if node.redis.info("replication")["role"] == "master":
            node.ask("CLUSTER SETSLOT", SLOT, "NODE", name)


async def test_appends_follow_a_slot_that_moves_at_once(nodes: Cluster, redis: Redis) -> None:
    log = LogStore(redis)
    source, target = await asyncio.to_thread(ends, nodes)
    moving = source.ask("CLUSTER MIGRATESLOTS SLOTSRANGE", SLOT, SLOT, "NODE", target.ask("CLUSTER MYID"))
    assert moving == "OK"
    version, unanswered = 0, False
    while version < 50 or (await asyncio.to_thread(nodes.owner, SLOT)) is source:
        try:
            version = (await log.append(SID, version, [b"%d" % version], Effects())).version
        except StoreUnavailable:
            unanswered = True
        except VersionConflict:
            # The one without an answer was stored.
            version, unanswered = version + unanswered, False
    assert await log.read(SID) == [b"%d" % number for number in range(version)]


async def test_a_slot_that_moves_key_by_key_is_waited_for(nodes: Cluster, redis: Redis) -> None:
    log, blocking = LogStore(redis), connect(nodes.url, blocking=True)
    queue = SessionQueue(redis, blocking, "ready")
    await queue.open()
    await log.append(SID, 0, [b"0"], Effects(indexes={"all": 1.0}))
    source, target = await asyncio.to_thread(ends, nodes)
    await asyncio.to_thread(begin, source, target)
    source.ask("MIGRATE", LOOPBACK, target.port, "", 0, 5000, "KEYS", keys.log(SID))
    # The node says of one key that the other node is to be asked, and of several that they are apart.
    assert await log.length(SID) == 1
    with pytest.raises(StoreRefused, match="moving keys"):
        await log.append(SID, 1, [b"1"], Effects(enqueue=["ready"]))
    await asyncio.to_thread(carry, source, target)
    await asyncio.to_thread(end, nodes, target)
    assert (await log.append(SID, 1, [b"1"], Effects(enqueue=["ready"]))).version == 2
    found: list[str] = []
    while not found:
        with suppress(StoreUnavailable):
            found = [job.session_id for job in await queue.take("c", limit=1, block=timedelta(seconds=5))]
    assert found == [SID]
    await blocking.aclose()


async def test_a_client_of_one_server_is_told_that_it_is_a_cluster(nodes: Cluster) -> None:
    server = await asyncio.to_thread(nodes.owner, (SLOT + 8000) % 16384)
    client = connect(f"redis://{LOOPBACK}:{server.port}")
    try:
        with (
            pytest.raises(StoreRefused, match=r"REDIS_URL must begin with redis\+cluster://"),
            reaching_store(),
        ):
            await asyncio.gather(*(client.get(name) for name in "abcdefgh"))
    finally:
        await client.aclose()
