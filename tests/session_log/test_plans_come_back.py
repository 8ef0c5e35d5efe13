"""Sub-agents come back before those who launched them, and the plan goes on where it was."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from redis.asyncio import Redis

from storage import keys
from supervisor.core.messages import ModelReply, ModelRequest
from supervisor.core.state import Session
from tests.session_log.house import ADA, House, house
from tests.support.scripted import calls, in_turn, says

PLAN = {"subtasks": [{"id": name, "persona": "ops", "task": f"deploy {name}"} for name in ("shop", "till")]}
COORDINATES = in_turn(calls(("plan_tasks", PLAN), text="Both at once."), says("Both are out."))
DEPLOYS = in_turn(calls(("deploy", {"service": "it"})), says("It is out."))


def behave(request: ModelRequest) -> ModelReply:
    task = getattr(request.turns[0], "text", "")
    found = DEPLOYS(request) if task.startswith("deploy") else COORDINATES(request)
    assert isinstance(found, ModelReply)
    return found


@pytest.fixture
async def here(redis: Redis, valkey_url: str, tmp_path: Path) -> AsyncIterator[House]:
    rules = [{"tool": "plan_tasks", "mode": "allow"}]
    async with house(behave, valkey_url, tmp_path, approvals=rules, agents=["*"]) as running:
        yield running


async def planned(here: House) -> tuple[Session, list[str]]:
    """A coordinator whose two sub-agents wait for approvals."""
    parent = await here.parts.supervisor.launch("ops", "bring all out", ADA)
    parent = await here.once(parent.id, lambda s: len(s.running_children) == 2)
    ids = [child.id for child in parent.children]
    for child_id in ids:
        await here.once(child_id, lambda s: s.waiting_for == "human_approval_required")
    return parent, ids


async def texts(here: House, *ids: str) -> list[str]:
    return [await here.parts.documents().text(session_id) for session_id in ids]


async def test_a_plan_goes_on_where_it_was(here: House, redis: Redis) -> None:
    parent, ids = await planned(here)
    found = await texts(here, *ids, parent.id)
    await redis.flushall()
    for text in found:
        await here.restored(text)
    for child_id in ids:
        await here.to_its_end(child_id)
        assert here.runs(child_id) == 1
    ended = await here.once(parent.id, lambda s: s.ended)
    assert (ended.ending, [child.state for child in ended.children]) == ("Both are out.", ["completed"] * 2)
    assert {child.id for child in ended.children} == set(ids), "nobody was launched again"


async def test_a_sub_agent_that_ended_meanwhile_is_heard(here: House, redis: Redis) -> None:
    parent, ids = await planned(here)
    (before,) = await texts(here, parent.id)
    for child_id in ids:
        await here.to_its_end(child_id)
    found = await texts(here, *ids)
    await here.once(parent.id, lambda s: s.ended)
    await redis.flushall()
    for text in (*found, before):
        await here.restored(text)
    ended = await here.once(parent.id, lambda s: s.ended)
    assert [child.result for child in ended.children] == ["It is out."] * 2
    assert [here.runs(child_id) for child_id in ids] == [1, 1]


async def test_a_sub_agent_restored_beside_its_parent_wakes_it(here: House, redis: Redis) -> None:
    parent, ids = await planned(here)
    await here.parts.supervisor.pause(parent.id, ADA)
    for child_id in ids:
        await here.to_its_end(child_id)
    (text,) = await texts(here, ids[0])
    await redis.delete(keys.log(ids[0]))
    await here.restored(text)
    await here.parts.supervisor.resume(parent.id, ADA)
    ended = await here.once(parent.id, lambda s: s.ended)
    assert [child.state for child in ended.children] == ["completed"] * 2


async def test_nobody_is_queued_who_is_not_here(here: House, redis: Redis) -> None:
    parent, ids = await planned(here)
    await here.to_its_end(ids[0])
    (text,) = await texts(here, ids[0])
    await redis.flushall()
    await here.restored(text)
    for queue in here.parts.queues():
        assert not await queue.holds(parent.id)
        assert await queue.troubles() == {}
