"""After a promotion that lost an event, another may be in its place: its number is the same, and it is no other's."""

from __future__ import annotations

import asyncio
from datetime import timedelta

import pytest
from redis.asyncio import Redis

from storage import keys
from storage.errors import VersionConflict
from storage.log import Lease, LogStore
from supervisor.core.events import ContextAdded, Event, encode
from supervisor.core.reducer import fold
from supervisor.core.state import Session
from supervisor.repository import SNAPSHOT_EVERY, Sessions
from supervisor.runtime.unit_of_work import UnitOfWork
from tests.core.build import AT, SID, by, launched, step_events

BEGUN = launched()


def said(text: str, seconds: float) -> Event:
    return ContextAdded(**by(at=AT + timedelta(seconds=seconds)), text=text)


async def stored(sessions: Sessions, *events: Event) -> Session:
    session = fold(SID, list(events))
    await sessions.append(None, session, list(events))
    return session


async def replace_last(redis: Redis, event: Event) -> None:
    """What a promotion and the next writer do to a log."""
    await redis.rpop(keys.log(SID))
    await redis.rpush(keys.log(SID), encode(event))


async def test_a_process_that_knew_the_lost_event_reads_the_log_again(redis: Redis) -> None:
    sessions = Sessions(LogStore(redis))
    await stored(sessions, BEGUN, said("lost", 1))
    await replace_last(redis, said("kept", 2))
    assert [note.text for note in (await sessions.load(SID)).inbox] == ["kept"]


async def test_what_was_decided_on_the_lost_event_is_not_appended(redis: Redis) -> None:
    sessions = Sessions(LogStore(redis))
    before = await stored(sessions, BEGUN, said("lost", 1))
    await replace_last(redis, said("kept", 2))
    more = said("more", 3)
    with pytest.raises(VersionConflict):
        await sessions.append(before, fold(SID, [more], before), [more])
    assert await redis.llen(keys.log(SID)) == 2


async def test_a_snapshot_with_the_lost_event_is_not_used(redis: Redis) -> None:
    notes = [said(f"note {n}", n) for n in range(SNAPSHOT_EVERY)]
    await stored(Sessions(LogStore(redis)), BEGUN, *notes)
    assert await redis.exists(keys.snapshot(SID))
    await replace_last(redis, said("kept", 1000))
    found = await Sessions(LogStore(redis)).load(SID)
    assert found.inbox[-1].text == "kept"


async def test_a_log_that_writes_times_in_another_way_goes_on(redis: Redis) -> None:
    """As of an import: nothing is compared then."""
    sessions = Sessions(LogStore(redis))
    await stored(sessions, BEGUN)
    row = encode(said("imported", 1)).replace(b'Z"', b'+00:00"', 1)
    await redis.rpush(keys.log(SID), row)
    for reader in (sessions, Sessions(LogStore(redis))):
        before = await reader.load(SID)
        more = said("more", before.version + 5)
        await reader.append(before, fold(SID, [more], before), [more])
    assert await redis.llen(keys.log(SID)) == 4


async def test_a_tool_that_runs_is_not_begun_again_where_its_start_was_lost(redis: Redis) -> None:
    """The worker that runs it records the start once more, before anything else can follow."""
    answer, start, end = step_events(1)
    sessions = Sessions(LogStore(redis))
    session = await stored(sessions, BEGUN, answer)
    work = UnitOfWork(sessions, lambda: AT, asyncio.Event(), Lease(SID, "1-0", "t"), session)
    work._lease = None
    work.add(start)
    assert await work.commit() is False
    await redis.rpop(keys.log(SID))
    await work.refresh()
    assert work.session.calls_in("started")
    work.add(end)
    while await work.commit() is None:
        pass
    assert [event.type for event in await sessions.events(SID)][2:] == ["ToolStarted", "ToolFinished"]


async def test_nor_where_its_result_finds_the_start_gone(redis: Redis) -> None:
    answer, start, end = step_events(1)
    sessions = Sessions(LogStore(redis))
    session = await stored(sessions, BEGUN, answer)
    work = UnitOfWork(sessions, lambda: AT, asyncio.Event(), Lease(SID, "1-0", "t"), session)
    work._lease = None
    work.add(start)
    assert await work.commit() is False
    await redis.rpop(keys.log(SID))
    work.add(end)
    assert await work.commit() is None
    assert await work.commit() is False
    assert [event.type for event in await sessions.events(SID)][2:] == ["ToolStarted", "ToolFinished"]
