"""A plan of twenty subtasks over three workers that are killed at random: each ends once, and they are joined once."""

from __future__ import annotations

import asyncio
import random
import re
from collections import Counter

import pytest

from bot.compose import Core, core
from supervisor.core.commands.approvals import Seen
from supervisor.core.errors import FlagmanError
from supervisor.core.events import Actor, ChildFinished, ChildLaunched, SessionLaunched
from supervisor.core.messages import Json
from supervisor.core.state import Session
from tests.crash.house import House
from tests.support.flagman import settings
from tests.support.process import Process
from tests.support.providers.openai_server import Step, calls, text
from tests.support.providers.openai_wire import Recorded
from tests.support.seen import recent_sessions

# 20 subtasks ask the model 40 times and more.
SUBTASKS, WORKERS, KILLS, REQUESTS_A_KILL = 20, 3, 4, 6
ADA = Actor(id="api:ada", name="Ada")
BOSS = """---
name: boss
description: Splits tasks.
tools: [plan_tasks]
agents: [helper]
delegates: [shell, write_file]
approvals:
  - {tool: "*", mode: allow}
---
Split it.
"""
HELPER = """---
name: helper
description: Does one part.
tools: [shell, write_file]
approvals:
  - {tool: "*", mode: allow}
---
Do it.
"""


def plan(rng: random.Random) -> Json:
    """Each part depends on up to two earlier ones; half of them run a command that nobody may run twice."""
    subtasks = []
    for n in range(SUBTASKS):
        earlier = [f"part-{m}" for m in range(n)]
        needs = rng.sample(earlier, k=min(len(earlier), rng.choice((0, 1, 2))))
        task = f"{'command' if n % 2 else 'file'} part-{n}"
        subtasks.append({"id": f"part-{n}", "persona": "helper", "task": task, "depends_on": needs})
    return {"subtasks": subtasks}


def behave(counted: str, request: Recorded) -> Step:
    conversation = request.conversation()
    task = next(said.text for said in conversation if said.role == "user")
    results = [said.text for said in conversation if said.role == "result"]
    if task.startswith("everything"):
        return text(f"Joined: {results[-1]}")
    if results:
        return text("part is done", wait=0.2)
    kind, name = re.match(r"(\w+) (part-\d+)", task).groups()  # type: ignore[union-attr]
    if kind == "file":
        return calls(("write_file", {"path": f"{name}.txt", "content": name}))
    return calls(("shell", {"command": f"echo {name} >> {counted}; sleep 0.4"}))


async def settled_by_people(parts: Core, parent: str) -> bool:
    """Whoever was cut off with an unknown outcome is said to be done, as a person would; True at the end."""
    session = await parts.supervisor.get(parent)
    for child in session.running_children:
        state = await parts.supervisor.get(child.id)
        for call in state.calls_in("unknown"):
            try:
                await parts.supervisor.decide_outcome(child.id, call.call_id, "done", ADA, seen=Seen.of(call))
            except FlagmanError:
                # The worker that was only slow has recorded the end first.
                continue
    return session.ended


async def standing(parts: Core, parent: str) -> str:
    """How the plan stands and what each subtask at work waits for, to tell why it does not end."""
    session = await parts.supervisor.get(parent)
    lines = [f"{parent}: {session.status}, {session.waiting_for}, {session.pause}"]
    for child in session.running_children:
        state = await parts.supervisor.get(child.id)
        calls = [(c.call.tool, c.phase, c.attempt) for step in state.steps for c in step.calls]
        lines.append(f"{child.name}: {state.status}, {state.waiting_for}, {state.pause}, {calls}")
    return "\n".join(lines)


async def killed_as_it_goes(house: House, rng: random.Random, workers: list[Process]) -> None:
    """Never ends by itself; each time the model was asked a few times more, a worker is killed and replaced."""

    async def replace() -> None:
        workers.append(await house.worker())

    asked = 0
    async with asyncio.TaskGroup() as replacements:
        while True:
            if workers and len(house.model.requests) >= asked + REQUESTS_A_KILL:
                asked = len(house.model.requests)
                await asyncio.sleep(rng.uniform(0, 0.3))
                victim = workers.pop(rng.randrange(len(workers)))
                victim.kill()
                await victim.ended()
                replacements.create_task(replace())
            await asyncio.sleep(0.01)


@pytest.mark.parametrize("seed", [1, 2])
async def test_every_subtask_ends_once_and_all_are_joined_once(house: House, seed: int) -> None:
    rng = random.Random(seed)
    counted = house.folder / "counted"
    (house.folder / "personas" / "boss.md").write_text(BOSS)
    (house.folder / "personas" / "helper.md").write_text(HELPER)
    house.model.behaviour = lambda request: behave(str(counted), request)
    config = settings(
        house.slack.api_url, house.environment()["REDIS_URL"], house.folder / "data",
        personas=house.folder / "personas",
    )  # fmt: skip
    async with core(config) as parts:
        workers = list(await asyncio.gather(*(house.worker() for _ in range(WORKERS))))
        parent = await parts.supervisor.launch("boss", "everything", ADA, plan=plan(rng))
        killing = asyncio.create_task(killed_as_it_goes(house, rng, workers))
        try:
            async with asyncio.timeout(240):
                while not await settled_by_people(parts, parent.id):
                    await asyncio.sleep(0.1)
        except TimeoutError:
            raise AssertionError(await standing(parts, parent.id)) from None
        killing.cancel()
        assert sum(process.code == -9 for process in house.processes) >= KILLS, "too few were killed to tell"
        session = await parts.supervisor.get(parent.id)
        await no_subtask_was_lost_or_doubled(parts, session)
        ran = Counter(counted.read_text().split())
        assert set(ran.values()) <= {1}, ran
        assert not await house.troubles(), house.outputs()


async def no_subtask_was_lost_or_doubled(parts: Core, session: Session) -> None:
    events = await parts.sessions.events(session.id)
    kinds = Counter(event.type for event in events)
    assert session.lifecycle == "completed"
    assert session.ending.startswith("Joined: 20 of 20 subtasks completed.")
    assert (kinds["ChildrenJoined"], kinds["Completed"], kinds["ModelResponded"]) == (1, 1, 2)
    launched = [event for event in events if isinstance(event, ChildLaunched)]
    assert sorted(e.name for e in launched) == sorted(f"part-{n}" for n in range(SUBTASKS))
    finished = Counter(e.child_id for e in events if isinstance(e, ChildFinished))
    assert finished == {e.child_id: 1 for e in launched}
    begun = {s.id for s in await recent_sessions(parts, limit=100)} - {session.id}
    assert begun == {e.child_id for e in launched}, "a sub-agent that nobody knows was launched"
    for order, event in enumerate(events):
        if isinstance(event, ChildLaunched):
            needs = await needed_files(parts, event.child_id)
            ended = {e.child_id for e in events[:order] if isinstance(e, ChildFinished)}
            assert {child.id for child in session.children if child.name in needs} <= ended


async def needed_files(parts: Core, child_id: str) -> set[str]:
    """The names of those whose results a sub-agent was told."""
    first = (await parts.sessions.events(child_id))[0]
    assert isinstance(first, SessionLaunched)
    return set(re.findall(r"^Result of (part-\d+):", first.task, re.MULTILINE))
