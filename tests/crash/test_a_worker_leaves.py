"""A worker that is told to stop, that stands still too long, or that dies with hands full: others go on."""

from __future__ import annotations

import asyncio
import time
from functools import partial

from storage.log import LogStore
from tests.crash.house import LEASE, House, Houses
from tests.crash.test_killed_around_the_tool import counting, runs
from tests.support.providers.openai_server import calls, slow, text
from tests.support.slack import ADA, OPS, buttons, wait_for

# So long that only a hand-over explains that another worker goes on.
LONG = "60"


async def told_during_the_model(house: House) -> None:
    house.propose("read_file", {"path": "."})
    house.model.script([slow(60)])
    await house.web()
    first = await house.worker(FLAGMAN_LEASE_SECONDS=LONG)
    session_id = await house.launch()
    await wait_for(lambda: house.model.requests)
    await house.worker(FLAGMAN_LEASE_SECONDS=LONG)
    first.terminate()
    assert await first.ended() == 0
    await house.completed(session_id)


async def told_during_a_short_tool(house: House) -> None:
    """The tool may end; its result is recorded by the one who ran it."""
    command, count, door = counting(house)
    door.touch()
    house.propose("shell", {"command": command})
    await house.web()
    first = await house.worker(FLAGMAN_LEASE_SECONDS=LONG)
    session_id = await house.launch()
    await house.approve(session_id)
    await wait_for(lambda: runs(count) == 1)
    first.terminate()
    await house.worker(FLAGMAN_LEASE_SECONDS=LONG)
    assert first.code is None
    door.unlink()
    assert await first.ended() == 0
    session = await house.completed(session_id)
    assert session.call("1.1").content.endswith("counted")
    assert runs(count) == 1
    assert (await house.events(session_id))["OutcomeLost"] == 0


async def told_during_a_long_tool(house: House) -> None:
    """A tool that outlasts the grace is stopped, and the next worker asks at once."""
    command, count, door = counting(house)
    door.touch()
    house.propose("shell", {"command": command})
    await house.web()
    hurried = {"FLAGMAN_LEASE_SECONDS": LONG, "FLAGMAN_GRACE_SECONDS": "0.2"}
    first = await house.worker(**hurried)
    session_id = await house.launch()
    await house.approve(session_id)
    await wait_for(lambda: runs(count) == 1)
    await house.worker(FLAGMAN_LEASE_SECONDS=LONG)
    begun = time.monotonic()
    first.terminate()
    assert await first.ended() == 0
    assert time.monotonic() - begun < float(LONG)
    await house.session(session_id, lambda s: s.waiting_for == "outcome_unknown")
    await house.say(session_id, "outcome_done", "done by hand")
    await house.completed(session_id)
    assert runs(count) == 1


async def told_while_idle(house: House) -> None:
    web, worker = await house.both()
    clock = house.start("clock")
    await clock.says("clock: ticking")
    for process in (web, worker, clock):
        process.terminate()
    assert {await process.ended() for process in (web, worker, clock)} == {0}


async def test_told_to_stop(houses: Houses) -> None:
    await houses.each(
        {
            "during the model": told_during_the_model,
            "during a short tool": told_during_a_short_tool,
            "during a long tool": told_during_a_long_tool,
            "while idle": told_while_idle,
        }
    )


async def test_a_worker_that_dies_with_twenty_sessions_leaves_all_to_others(house: House) -> None:
    house.model.behaviour = lambda _: slow(60)
    _, first = await house.both()
    answers = await asyncio.gather(*(house.slack.command(ADA, OPS, f"launch hand {n}") for n in range(20)))
    assert all(answer["ok"] for answer in answers)
    await wait_for(lambda: len(house.model.requests) == 20)
    house.model.behaviour = lambda _: text("Taken over.")
    first.kill()
    second, third = await asyncio.gather(house.worker(), house.worker())
    sessions = [row[0] for row in await LogStore(house.redis).index("all", limit=50)]
    assert len(sessions) == 20
    for session_id in sessions:
        session = await house.completed(session_id)
        assert session.ending == "Taken over."
        # A lease that runs out on a busy machine has the model asked again; only one answer counts.
        assert len(session.steps) == 1
    assert second.code is None
    assert third.code is None


async def frozen_in_the_tool(house: House, decide: bool) -> None:
    """Another one asks meanwhile; then the late result comes: it answers, or it is too late."""
    command, count, door = counting(house)
    door.touch()
    house.propose("shell", {"command": command})
    _, first = await house.both()
    session_id = await house.launch()
    await house.approve(session_id)
    await wait_for(lambda: runs(count) == 1)
    first.freeze()
    await house.worker()
    await house.session(session_id, lambda s: s.waiting_for == "outcome_unknown")
    lost = await house.asked(session_id, "Outcome unknown")
    if decide:
        await house.say(session_id, "outcome_failed", "gave up on it")
        await house.session(session_id, lambda s: s.call("1.1").phase == "finished")
    door.unlink()
    first.thaw()
    session = await house.completed(session_id)
    assert runs(count) == 1
    assert session.call("1.1").content.endswith("gave up on it" if decide else "counted")
    assert (await house.events(session_id))["ToolFinished"] == (0 if decide else 1)
    shown = next(m for m in await house.said(session_id) if m["ts"] == lost["ts"])
    assert not buttons(shown)


async def frozen_in_the_model(house: House) -> None:
    """Two workers get an answer for the same step; one counts, and its call is asked for once."""
    command, count, _ = counting(house)
    house.propose("shell", {"command": command})
    house.model.script([slow(LEASE * 2.5, calls(("shell", {"command": "too late"})))])
    _, first = await house.both()
    session_id = await house.launch()
    await wait_for(lambda: house.model.requests)
    first.freeze()
    await house.worker()
    await house.asked(session_id)
    first.thaw()
    await first.says("another worker took it over")
    await house.converged(session_id)
    await house.approve(session_id)
    await house.completed(session_id)
    assert runs(count) == 1
    events = await house.events(session_id)
    assert (events["ModelResponded"], events["ApprovalRequested"], events["ToolStarted"]) == (2, 1, 1)


async def frozen_while_posting(house: House) -> None:
    """It was about to post the card when it stood still; the card is there once in the end."""
    house.propose("read_file", {"path": "."})
    _, first = await house.both()
    trap = house.worker_proxy.at("notbefore:chat.postMessage", "stall", first.freeze)
    session_id = await house.launch()
    await wait_for(trap.sprung.is_set)
    await house.worker()
    await house.completed(session_id)
    posted = len(await house.slack.calls("chat.postMessage"))
    first.thaw()
    await wait_for(lambda: _more(house, posted))
    await wait_for(lambda: _taken_back(house))
    await house.completed(session_id)


async def frozen_after_posting(house: House) -> None:
    """Its card arrived and was found by the one who took over; waking up, it does not take the card away."""
    house.propose("read_file", {"path": "."})
    _, first = await house.both()
    await house.slack.fault("chat.postMessage", when="after", delay_s=0.5)
    session_id = await house.launch()
    await house.card(session_id)
    first.freeze()
    await house.worker()
    await house.completed(session_id)
    first.thaw()
    first.terminate()
    assert await first.ended() == 0
    await house.completed(session_id)
    assert not await house.slack.calls("chat.delete")


async def _more(house: House, than: int) -> bool:
    return len(await house.slack.calls("chat.postMessage")) > than


async def _taken_back(house: House) -> bool:
    return bool(await house.slack.calls("chat.delete"))


async def test_a_worker_that_stands_still_longer_than_its_lease(houses: Houses) -> None:
    await houses.each(
        {
            "in the tool": partial(frozen_in_the_tool, decide=False),
            "in the tool, decided meanwhile": partial(frozen_in_the_tool, decide=True),
            "in the model": frozen_in_the_model,
            "while posting": frozen_while_posting,
            "after posting": frozen_after_posting,
        }
    )


async def answer_lost(house: House, mark: str, when: str) -> None:
    """The connection breaks around an append, and nobody dies: nothing is asked, nothing runs twice."""
    command, count, _ = counting(house)
    house.propose("shell", {"command": command})
    await house.both()
    trap = house.worker_proxy.at(f'"{mark}"', when, lambda: None)  # type: ignore[arg-type]
    session_id = await house.launch()
    await house.approve(session_id)
    await house.completed(session_id)
    assert trap.sprung.is_set()
    assert runs(count) == 1
    events = await house.events(session_id)
    assert (events["OutcomeLost"], events["ToolStarted"], events["ModelResponded"]) == (0, 1, 2)


async def test_a_connection_that_breaks_around_an_append(houses: Houses) -> None:
    await houses.each(
        {
            f"{when} {mark}": partial(answer_lost, mark=mark, when=when)
            for mark in ("ModelResponded", "ToolStarted", "ToolFinished", "Completed")
            for when in ("before", "after")
        }
    )
