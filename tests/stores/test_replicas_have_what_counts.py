"""With FLAGMAN_WAIT_REPLICAS an append counts when a replica has it; else it is not known whether it is stored."""

from __future__ import annotations

import asyncio
import signal
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager

import pytest
from redis.asyncio import Redis

from storage.clients.replicas import Replicas
from storage.connection import connect, durable
from storage.errors import NotReplicated
from storage.log import Effects, Lease, LogStore
from supervisor.core.reducer import fold
from supervisor.repository import Sessions
from supervisor.runtime.unit_of_work import UnitOfWork
from tests.core.build import AT, SID, launched, responded
from tests.support.store_servers import Cluster, SentinelSet, Server, emptied, until

NONE = Effects()


@asynccontextmanager
async def clients(url: str, wait: str) -> AsyncIterator[Redis]:
    client = connect(url, replicas=Replicas.parse(wait))
    try:
        yield client
    finally:
        await client.aclose()


@contextmanager
def frozen(server: Server) -> Iterator[None]:
    server.signal(signal.SIGSTOP)
    try:
        yield
    finally:
        server.signal(signal.SIGCONT)


async def test_what_no_replica_confirms_is_not_known_to_be_stored(sentinels: SentinelSet) -> None:
    async with clients(sentinels.url, "1/100") as redis, clients(sentinels.url, "0") as other:
        log = LogStore(redis)
        assert (await log.append("abcd-0001", 0, [b"1"], NONE)).version == 1
        with frozen(sentinels.replica):
            with pytest.raises(NotReplicated, match="not known whether the store keeps it: 0 of 1 replicas"):
                await log.append("abcd-0001", 1, [b"2"], NONE)
            # Reads and what need not be kept wait for no replica.
            assert await log.length("abcd-0001") == 2
            assert (await LogStore(other).append("abcd-0002", 0, [b"1"], NONE)).version == 1
        until(sentinels.ready)


async def test_commands_of_one_turn_wait_together_and_keep_their_own_answers(sentinels: SentinelSet) -> None:
    async with clients(sentinels.url, "1") as redis:
        written = await asyncio.gather(*(durable(redis).hset("h", f"f{n}", n) for n in range(20)))
        assert written == [1] * 20
        info = sentinels.primary.redis.info("commandstats")
        assert info["cmdstat_wait"]["calls"] < 20


async def test_a_worker_goes_on_once_a_replica_has_what_it_appended(sentinels: SentinelSet) -> None:
    """The append is found in the log at once, and yet counts only when a replica has it."""
    async with clients(sentinels.url, "1/100") as redis:
        log = LogStore(redis)
        sessions = Sessions(log)
        event = launched()
        session = fold(SID, [event])
        await sessions.append(None, session, [event])
        work = UnitOfWork(sessions, lambda: AT, asyncio.Event(), Lease(SID, "1-0", "t"), session)
        work._lease = None
        work.add(responded())
        with frozen(sentinels.replica):
            committing = asyncio.create_task(work.commit())
            while await log.length(SID) < 2:
                await asyncio.sleep(0.01)
            # Longer than the append, its repetition and the look into the log take without a replica.
            done, _ = await asyncio.wait([committing], timeout=0.7)
            assert not done
        assert await committing is False
        assert work.stored_version == 2
        until(sentinels.ready)


async def test_what_is_found_in_a_log_over_another_connection_counts_once_replicated(
    sentinels: SentinelSet,
) -> None:
    async with clients(sentinels.url, "1/100") as redis, clients(sentinels.url, "1/100") as again:
        event, more = launched(), responded()
        before = fold(SID, [event])
        after = fold(SID, [more], before)
        await emptied(redis)
        await Sessions(LogStore(redis)).append(None, before, [event])
        with frozen(sentinels.replica):
            with pytest.raises(NotReplicated):
                await Sessions(LogStore(redis)).append(before, after, [more])
            with pytest.raises(NotReplicated):
                await Sessions(LogStore(again)).holds(before, after, [more])
        until(sentinels.ready)
        assert await Sessions(LogStore(again)).holds(before, after, [more])


async def test_in_a_cluster_the_node_of_the_keys_waits_for_its_replicas(nodes: Cluster) -> None:
    async with clients(nodes.url, "1") as redis:
        for session_id in ("abcd-0001", "abcd-0001-1", "abcd-0001-2", "abcd-0001-3"):
            assert (await LogStore(redis).append(session_id, 0, [b"1"], NONE)).version == 1
    async with clients(nodes.url, "2/50") as redis:
        with pytest.raises(NotReplicated, match="1 of 2 replicas"):
            await LogStore(redis).append("abcd-0002", 0, [b"1"], NONE)
