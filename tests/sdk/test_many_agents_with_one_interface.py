"""Sub-agents, changed calls, copies and files, from Python: the same in process and over HTTP."""

from __future__ import annotations

import asyncio
from contextlib import suppress
from typing import Any

import pytest

from bot.sdk import Agent, MultiAgentResult, MultiAgentSupervisor, Session
from supervisor.core.delegation import Subtask
from supervisor.core.errors import (
    AlreadyDecided,
    AlreadyEnded,
    ArtifactNotFound,
    IdempotencyConflict,
    IllegalEvent,
    InvalidInput,
    PersonaNotFound,
)
from tests.sdk.conftest import Around

PARTS: list[dict[str, Any]] = [
    {"id": "look", "persona": "sre", "task": "report on the disk"},
    {"id": "report", "persona": "release-manager", "task": "report", "depends_on": ["look"]},
]


async def waved_through(session: Session) -> None:
    """A person approves whatever is asked, in the session and its sub-agents, until it has ended."""
    while not (await session.wait(timeout=60)).ended:
        for one in await session.in_need():
            await one.approve()


async def launched(**more: Any) -> Session:
    found = await MultiAgentSupervisor().execute_multi_agent_task("how is the disk", wait=False, **more)
    assert isinstance(found.session, Session)
    return found.session


async def test_a_plan_is_carried_out_and_its_result_is_typed(around: Around) -> None:
    async with around():
        begun: asyncio.Queue[Session] = asyncio.Queue()

        async def people() -> None:
            await waved_through(await begun.get())

        helping = asyncio.create_task(people())
        supervisor = MultiAgentSupervisor()
        started = await supervisor.execute_multi_agent_task(
            "how is the disk", subtasks=PARTS, idempotency_key="k", wait=False
        )
        assert (started.result, started.completed) == (None, False)
        await begun.put(started.session)
        # The same key and request are the same task.
        done = await supervisor.execute_multi_agent_task(
            "how is the disk", subtasks=PARTS, idempotency_key="k", timeout=30
        )
        await helping
        assert isinstance(done, MultiAgentResult)
        assert (done.session.id, done.status, done.completed) == (started.session.id, "completed", True)
        assert done.result
        assert "2 of 2 subtasks completed" in done.result
        assert [(c.name, c.persona, c.status) for c in done.children] == [
            ("look", "sre", "completed"),
            ("report", "release-manager", "completed"),
        ]
        look = done.child("look")
        assert look.result.startswith("Done with: report on the disk")
        assert look.artifacts == ("report.md",)
        assert look.cost_usd == done.cost_usd == 0
        child = await done.session.child("look")
        assert (child.id, child.state.parent, child.state.root) == (
            look.id,
            done.session.id,
            done.session.id,
        )


async def test_without_a_plan_the_coordinator_makes_one(around: Around) -> None:
    async with around():
        session = await launched()
        await session.wait(timeout=60)
        (call,) = session.pending_approvals
        assert (call.tool, session.children) == ("plan_tasks", [])
        only = {"subtasks": PARTS[:1], "on_failure": "fail_fast"}
        await session.approve(arguments=only)
        await session.wait(timeout=60)
        assert [child.name for child in session.children] == ["look"]
        assert session.waiting_for == "children_running"
        assert session.needs_person
        (need,) = session.needs
        assert (need.name, need.persona, need.waiting_for) == ("look", "sre", "human_approval_required")
        with pytest.raises(InvalidInput, match=f"`look` \\({need.session_id}\\)"):
            await session.approve()
        await session.cancel()
        assert session.needs == []


async def test_time_that_is_over_gives_how_it_stands(around: Around) -> None:
    async with around():
        found = await MultiAgentSupervisor().execute_multi_agent_task(
            "how is the disk", subtasks=[Subtask.model_validate(PARTS[0])], timeout=2
        )
        assert (found.status, found.result) == ("paused", None)
        assert [need.waiting_for for need in found.needs] == ["human_approval_required"]
        await found.session.cancel()


async def test_a_person_says_what_next_of_a_sub_agent_that_failed(around: Around) -> None:
    async with around():
        session = await launched(subtasks=PARTS, on_failure="ask")
        await session.wait(timeout=60)
        await session.approve()
        await session.wait(timeout=60)
        child = await session.child("look")
        await child.cancel("not that one")
        await session.wait(timeout=60)
        (need,) = session.needs
        assert (need.session_id, need.child_id) == (session.id, child.id)
        with pytest.raises(InvalidInput, match=r"no sub-agent `nobody`; it has `look`"):
            await session.decide_child("nobody", "skip")
        await session.decide_child("look", "skip")
        await session.wait(timeout=60)
        assert session.status == "completed"
        assert [c.status for c in session.children] == ["cancelled", "skipped"]
        with pytest.raises((AlreadyDecided, IllegalEvent)):
            await session.decide_child("look", "retry")


async def test_a_call_runs_with_other_arguments(around: Around) -> None:
    async with around():
        session = await Agent("sre").start("report on the disk")
        await session.wait(timeout=60)
        write, shell = session.pending_approvals
        with pytest.raises(InvalidInput, match="name it"):
            await session.approve(arguments={"command": "true"})
        with pytest.raises(InvalidInput, match="command"):
            await session.approve(shell.call_id, arguments={"order": "true"})
        await session.approve(shell.call_id, arguments={"command": "echo as I like it"})
        await session.deny(write.call_id)
        await session.wait(timeout=60)
        assert session.result
        assert "as I like it" in session.result


async def test_a_copy_and_its_files(around: Around) -> None:
    async with around():
        session = await Agent("sre").start("report on the disk")
        await session.wait(timeout=60)
        await session.approve()
        await session.wait(timeout=60)
        (file,) = await session.artifacts()
        assert file.path == "report.md"
        content = await session.artifact("report.md")
        assert (len(content), content[:8]) == (file.size, b"# Report")
        with pytest.raises(ArtifactNotFound, match=r"no file `notes\.md`"):
            await session.artifact("notes.md")

        copy = await session.fork(step=1, message="be brief", idempotency_key="c1")
        assert isinstance(copy, Session)
        assert copy.state.forked_from
        assert (copy.state.forked_from.id, copy.state.forked_from.step) == (session.id, 1)
        assert (await session.fork(step=1, message="be brief", idempotency_key="c1")).id == copy.id
        with pytest.raises(IdempotencyConflict):
            await session.fork(step=0, message="be brief", idempotency_key="c1")
        for wrong in (99, -1):
            with pytest.raises(InvalidInput):
                await session.fork(step=wrong)
        await copy.wait(timeout=60)
        assert copy.needs_person
        await copy.cancel()
        later = await session.fork(message="and now the memory")
        assert (later.state.forked_from or copy.state.forked_from).step > 1
        # It may have ended by itself by now.
        with suppress(AlreadyEnded):
            await later.cancel()


async def test_earlier_steps_are_summed_up(around: Around) -> None:
    async with around():
        session = await Agent("sre").start("report on the disk")
        await session.wait(timeout=60)
        await session.pause()
        assert session.state.budget
        assert (session.state.budget.steps.used, session.state.budget.steps.limit) == (2, 60)
        await session.resume(compact=True)
        await session.approve()
        async for event in session.events():
            if event.type == "Compacted":
                assert event.data["through_step"] == 1
                break
        await session.cancel()


async def test_what_cannot_be_coordinated_is_the_same_refusal(around: Around) -> None:
    async with around():
        supervisor = MultiAgentSupervisor()
        for more, says in (
            ({"persona": "sre"}, "cannot coordinate"),
            ({"subtasks": []}, "subtasks"),
            ({"subtasks": [{"id": "a", "persona": "sre"}]}, "task"),
            ({"subtasks": [{**PARTS[0], "persona": "nobody"}]}, "nobody"),
            ({"subtasks": [PARTS[1]]}, "`look`"),
            ({"subtasks": [PARTS[0], PARTS[0]]}, "look"),
            ({"subtasks": PARTS, "on_failure": "panic"}, "on_failure"),
        ):
            with pytest.raises(InvalidInput, match=says):
                await supervisor.execute_multi_agent_task("x", wait=False, **more)
        with pytest.raises(PersonaNotFound):
            await supervisor.execute_multi_agent_task("x", persona="nobody", wait=False)
