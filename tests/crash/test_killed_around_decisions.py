"""Killed around the model and around a click: what was acknowledged happens once, what was not can be done again."""

from __future__ import annotations

import asyncio
from functools import partial

from tests.crash.house import House, Houses
from tests.crash.test_killed_around_the_tool import counting, runs
from tests.support.providers.openai_server import calls, slow
from tests.support.redis_proxy import When
from tests.support.slack import ADA, GRACE, OPS, wait_for


async def acknowledged_then_all_killed(house: House) -> None:
    """The worker stands still, so that exactly the acknowledged click is what must survive."""
    command, count, _ = counting(house)
    house.propose("shell", {"command": command})
    web, worker = await house.both()
    session_id = await house.launch()
    await house.asked(session_id)
    worker.freeze()
    message = await house.approve(session_id)
    web.kill()
    worker.kill()
    await asyncio.gather(web.ended(), worker.ended())
    assert runs(count) == 0
    await house.both()
    await house.completed(session_id)
    again = await house.click(message, "call_approve")
    assert again["ok"], again
    assert runs(count) == 1
    assert (await house.events(session_id))["ApprovalDecided"] == 1


async def acknowledged_and_killed_at_once(house: House) -> None:
    """Whatever the worker had begun by then; a call that may be repeated ends as if nothing had happened."""
    house.propose("write_file", {"path": "a.txt", "content": "a"})
    web, worker = await house.both()
    session_id = await house.launch()
    await house.approve(session_id)
    web.kill()
    worker.kill()
    await house.both()
    await house.completed(session_id)
    assert (await house.events(session_id))["ToolFinished"] == 1


async def click_cut_off(house: House, when: When) -> None:
    """The web process dies around the append of a decision, and the click is never answered."""
    command, count, _ = counting(house)
    house.propose("shell", {"command": command})
    web, _ = await house.both()
    session_id = await house.launch()
    message = await house.asked(session_id)
    trap = house.web_proxy.at('"ApprovalDecided"', when, web.kill)
    clicking = asyncio.create_task(house.click(message, "call_approve"))
    await wait_for(trap.sprung.is_set)
    await web.ended()
    if when == "after":
        await house.completed(session_id)
    await house.web()
    await clicking
    if when == "before":
        # Slack may or may not have handed the click to the new process; a person clicks once more.
        await house.slack.click_stale(GRACE, OPS, message, "call_approve")
    await house.completed(session_id)
    await house.click(message, "call_approve")
    assert runs(count) == 1
    assert (await house.events(session_id))["ApprovalDecided"] == 1


async def launch_cut_off(house: House) -> None:
    """The web process dies after the launch is in the log and before the answer: the session goes on."""
    house.propose("read_file", {"path": "."})
    web, _ = await house.both()
    trap = house.web_proxy.at('"SessionLaunched"', "after", web.kill)
    entering = asyncio.create_task(house.slack.command(ADA, OPS, "launch hand do it"))
    await wait_for(trap.sprung.is_set)
    await house.completed(await house.newest())
    entering.cancel()


async def around(house: House, mark: str, when: When) -> None:
    """The worker dies around one of its own appends before anything runs."""
    command, count, _ = counting(house)
    house.propose("shell", {"command": command})
    _, worker = await house.both()
    trap = house.worker_proxy.at(f'"{mark}"', when, worker.kill)
    session_id = await house.launch()
    await wait_for(trap.sprung.is_set)
    await house.worker()
    await house.approve(session_id)
    session = await house.completed(session_id)
    assert len(session.steps) == 2
    assert (await house.events(session_id))["ApprovalRequested"] == 1
    assert runs(count) == 1


async def during_the_model(house: House) -> None:
    command, count, _ = counting(house)
    house.propose("shell", {"command": command})
    _, worker = await house.both()
    house.model.script([slow(60, calls(("shell", {"command": "never"})))])
    session_id = await house.launch()
    await wait_for(lambda: house.model.requests)
    worker.kill()
    await house.worker()
    await house.approve(session_id)
    await house.completed(session_id)
    assert len(house.model.requests) == 3
    assert runs(count) == 1


async def test_killed_around_model_and_click(houses: Houses) -> None:
    await houses.each(
        {
            "acknowledged, then all killed": acknowledged_then_all_killed,
            "acknowledged, killed at once": acknowledged_and_killed_at_once,
            "before the decision": partial(click_cut_off, when="before"),
            "after the decision": partial(click_cut_off, when="after"),
            "after the launch": launch_cut_off,
            "during the model": during_the_model,
            "before it responded": partial(around, mark="ModelResponded", when="before"),
            "after it responded": partial(around, mark="ModelResponded", when="after"),
            "before asking": partial(around, mark="ApprovalRequested", when="before"),
            "after asking": partial(around, mark="ApprovalRequested", when="after"),
        }
    )
