"""A worker killed at every boundary between log and tool: nothing runs twice by itself, nothing is lost."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from functools import partial
from pathlib import Path

from tests.crash.house import House, Houses
from tests.support.redis_proxy import When
from tests.support.slack import wait_for

Scenario = Callable[[House], Awaitable[None]]


def counting(house: House) -> tuple[str, Path, Path]:
    """A command that leaves a line each time it runs and then waits for the door, if there is one to wait for."""
    count, door = house.folder / "count", house.folder / "door"
    return f"echo ran >> {count}; while [ -e {door} ]; do sleep 0.02; done; echo counted", count, door


def runs(count: Path) -> int:
    return len(count.read_text().splitlines()) if count.exists() else 0


async def killed_at(
    house: House, mark: str, when: When, *, ran: int, answer: str = "", ends_with: int = 1
) -> None:
    """Kill the worker at this command of the approved shell call; `answer` is what a person says if asked."""
    command, count, _ = counting(house)
    house.propose("shell", {"command": command})
    _, worker = await house.both()
    session_id = await house.launch()
    await house.asked(session_id)
    trap = house.worker_proxy.at(f'"{mark}"', when, worker.kill)
    await house.approve(session_id)
    await wait_for(trap.sprung.is_set)
    assert await worker.ended() == -9
    assert runs(count) == ran
    await house.worker()
    if answer:
        asking = await house.session(session_id, lambda s: s.waiting_for == "outcome_unknown")
        assert runs(count) == ran
        await house.converged(session_id)
        await house.say(session_id, answer, "seen by a person")
        assert asking.call("1.1").attempt == 1
    session = await house.completed(session_id)
    assert runs(count) == ends_with
    assert session.call("1.1").ok == (answer != "outcome_failed")
    if answer in ("outcome_done", "outcome_failed"):
        assert session.call("1.1").content == "seen by a person"
        assert "seen by a person" in house.model.requests[-1].conversation()[-1].text


async def test_a_call_that_changes_something_is_never_run_twice_by_itself(houses: Houses) -> None:
    again, done, failed = "outcome_run_again", "outcome_done", "outcome_failed"
    await houses.each(
        {
            "before started": partial(killed_at, mark="ToolStarted", when="before", ran=0),
            "after started": partial(killed_at, mark="ToolStarted", when="after", ran=0, answer=again),
            "after started, said failed": partial(
                killed_at, mark="ToolStarted", when="after", ran=0, answer=failed, ends_with=0
            ),
            "before finished, run again": partial(
                killed_at, mark="ToolFinished", when="before", ran=1, answer=again, ends_with=2
            ),
            "before finished, done": partial(
                killed_at, mark="ToolFinished", when="before", ran=1, answer=done
            ),
            "before finished, failed": partial(
                killed_at, mark="ToolFinished", when="before", ran=1, answer=failed
            ),
            "after finished": partial(killed_at, mark="ToolFinished", when="after", ran=1),
            "before completed": partial(killed_at, mark="Completed", when="before", ran=1),
            "after completed": partial(killed_at, mark="Completed", when="after", ran=1),
        }
    )


async def during_the_tool(house: House, button: str) -> None:
    command, count, door = counting(house)
    door.touch()
    house.propose("shell", {"command": f"echo half > half.txt; {command}"})
    _, worker = await house.both()
    session_id = await house.launch()
    await house.approve(session_id)
    await wait_for(lambda: runs(count) == 1)
    worker.kill()
    door.unlink()
    await house.worker()
    asking = await house.session(session_id, lambda s: s.waiting_for == "outcome_unknown")
    assert asking.artifacts == ("half.txt",)
    await house.say(session_id, button, "it looks done")
    assert (await house.completed(session_id)).artifacts == ("half.txt",)
    assert runs(count) == (2 if button == "outcome_run_again" else 1)


async def test_killed_while_the_tool_runs_a_person_is_asked(houses: Houses) -> None:
    await houses.each({b: partial(during_the_tool, button=b) for b in ("outcome_run_again", "outcome_done")})


async def written_once(house: House, mark: str, when: When) -> None:
    house.propose("write_file", {"path": "report.txt", "content": "once"})
    _, worker = await house.both()
    session_id = await house.launch()
    await house.asked(session_id)
    trap = house.worker_proxy.at(f'"{mark}"', when, worker.kill)
    await house.approve(session_id)
    await wait_for(trap.sprung.is_set)
    await house.worker()
    session = await house.completed(session_id)
    assert (house.folder / "workspace" / session_id / "report.txt").read_text() == "once"
    assert (await house.events(session_id))["ToolFinished"] == 1
    assert session.call("1.1").ok


async def test_a_call_that_may_be_repeated_needs_nobody(houses: Houses) -> None:
    await houses.each(
        {
            f"{when} {mark}": partial(written_once, mark=mark, when=when)
            for mark in ("ToolStarted", "ToolFinished")
            for when in ("before", "after")
        }
    )
