"""A read that fails while a job has work under way is tried again; only an end of the worker gives it up."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime

import pytest
from redis.asyncio import Redis

from storage.connection import connect
from storage.errors import StoreUnavailable
from storage.log import Lease, LogStore
from supervisor.core.events import ContextAdded
from supervisor.core.reducer import apply, fold
from supervisor.core.state import Session
from supervisor.repository import Sessions
from supervisor.runtime.unit_of_work import UnitOfWork
from tests.core.build import SID, by, launched
from tests.support.redis_proxy import RedisProxy


async def stored(redis: Redis) -> tuple[Sessions, Session]:
    """A session in the store, and one more event that another writer appended."""
    sessions, before = Sessions(LogStore(redis)), fold(SID, [launched()])
    await sessions.append(None, before, [launched()])
    told = ContextAdded(**by(), text="look")
    await sessions.append(before, apply(SID, before, told), [told])
    return sessions, before


def unit(sessions: Sessions, session: Session, stopping: asyncio.Event) -> UnitOfWork:
    return UnitOfWork(sessions, lambda: datetime.now(UTC), stopping, Lease(SID, "1-0", "w"), session)


async def test_a_read_is_tried_again_until_the_store_is_back(
    redis: Redis, valkey_url: str, caplog: pytest.LogCaptureFixture
) -> None:
    _, before = await stored(redis)
    async with RedisProxy(valkey_url) as proxy:
        client = connect(proxy.url)
        work = unit(Sessions(LogStore(client)), before, asyncio.Event())
        proxy.down = True
        reading = asyncio.create_task(work.refresh())
        async with asyncio.timeout(60):
            while "trying again" not in caplog.text:
                assert not reading.done()
                await asyncio.sleep(0.01)
        proxy.down = False
        await reading
        assert work.session.version == 2
        await client.aclose()


async def test_a_worker_that_stops_does_not_wait_for_the_store(redis: Redis, valkey_url: str) -> None:
    _, before = await stored(redis)
    async with RedisProxy(valkey_url) as proxy:
        client = connect(proxy.url)
        stopping = asyncio.Event()
        stopping.set()
        proxy.down = True
        with pytest.raises(StoreUnavailable):
            await unit(Sessions(LogStore(client)), before, stopping).refresh()
        await client.aclose()
