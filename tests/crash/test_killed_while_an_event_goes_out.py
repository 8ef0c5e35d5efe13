"""A worker killed at every step between an agent's event and those who wait: it goes out, and wakes each once."""

from __future__ import annotations

from functools import partial

from storage.scripts import mail
from tests.crash.house import House, Houses
from tests.support.providers.openai_server import Recorded, Step, calls, text
from tests.support.redis_proxy import When
from tests.support.slack import wait_for

PERSONA = """---
name: hand
description: Does what it is told.
tools: ["emit_event", "wait_for"]
---
Do it.
"""


def behave(request: Recorded) -> Step:
    said = request.conversation()
    if any(turn.role == "result" for turn in said):
        return text("All done.")
    if any("wait for it" in turn.text for turn in said):
        return calls(("wait_for", {"condition": "event: deploy.finished", "reason": "it"}))
    return calls(("emit_event", {"type": "deploy.finished", "data": {"version": 3}}))


async def emitted(house: House, mark: str, when: When) -> None:
    (house.folder / "personas" / "hand.md").write_text(PERSONA)
    house.model.behaviour = behave
    _, worker = await house.both()
    waiter = await house.launch("wait for it")
    await house.session(waiter, lambda s: s.waits)
    emitter = await house.launch("emit it")
    await house.asked(emitter)
    trap = house.worker_proxy.at(mark, when, worker.kill)
    await house.approve(emitter)
    await wait_for(trap.sprung.is_set)
    await house.worker()
    session = await house.completed(emitter)
    assert session.call("1.1").ok, session.call("1.1").content
    assert (await house.events(emitter))["ToolFinished"] == 1
    await house.completed(waiter)
    woken = [e for e in await house.sessions.events(waiter) if e.type == "Resumed"]
    assert [(e.by, e.data) for e in woken] == [(f"agent:{emitter}", {"version": 3})]


async def test_each_who_waits_is_woken_once(houses: Houses) -> None:
    steps = {"kept": '"version":3}', "resumed": '"Resumed"', "taken out": mail.REMOVE.sha}
    await houses.each(
        {
            f"{when} it is {step}": partial(emitted, mark=mark, when=when)
            for step, mark in steps.items()
            for when in ("before", "after")
        }
    )
