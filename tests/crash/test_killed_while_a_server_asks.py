"""Killed while the server of a tool waits for people: the answer continues the call, or a person is told of it."""

from __future__ import annotations

import asyncio
import json
import sys
from functools import partial

from tests.crash.house import House, Houses
from tests.mcp.hosted import HOSTILE, Hosted, described
from tests.support.redis_proxy import When
from tests.support.slack import ADA, OPS, wait_for

PERSONA = """---
name: hand
description: Does what it is told.
tools: ["host__*"]
mcp_servers: [host]
---
Do it.
"""


def hosting(house: House, tool: str) -> tuple[Hosted, dict[str, str]]:
    """A server whose tool asks, and the variable that names it."""
    folder = house.folder / "host"
    folder.mkdir()
    hosted = Hosted(folder)
    hosted.offers(described("asks"))
    old = {"command": sys.executable, "args": [str(HOSTILE), "asks", str(folder)], "sandbox": False}
    file = hosted.file(**old) if tool == "t" else hosted.file()
    (house.folder / "personas" / "hand.md").write_text(PERSONA)
    house.propose(f"host__{tool}", {} if tool == "t" else {"to": "x"})
    return hosted, {"FLAGMAN_MCP": str(file)}


async def asking(house: House, tool: str) -> tuple[Hosted, dict[str, str], str]:
    """A session whose server asks, with a web process and a worker at work."""
    hosted, more = hosting(house, tool)
    await asyncio.gather(house.web(**more), house.worker(**more))
    session_id = await house.launch()
    await house.approve(session_id)
    await house.session(session_id, lambda s: s.calls_in("asking"))
    await house.asked(session_id, "The server `host` asks")
    return hosted, more, session_id


async def reply(house: House, session_id: str) -> None:
    """Fill the form in; a reply in the thread would stand among the messages that are compared at the end."""
    asked = await house.asked(session_id, "The server `host` asks")
    assert (await house.slack.click(ADA, OPS, asked["ts"], "question_form"))["ok"]
    answer = await house.slack.submit(ADA, await house.slack.view(ADA), {"value": "Grace"})
    assert answer["ok"], answer


async def between_question_and_answer(house: House) -> None:
    hosted, more, session_id = await asking(house, "asks")
    for process in house.processes:
        process.kill()
    await asyncio.gather(*(process.ended() for process in house.processes))
    await asyncio.gather(house.web(**more), house.worker(**more))
    await reply(house, session_id)
    session = await house.completed(session_id)
    assert json.loads(session.call("1.1").content) == {"who": ["accept", {"name": "Grace"}]}
    assert [call["name"] for call in hosted.calls] == ["asks", "asks"]
    assert (await house.events(session_id))["ApprovalDecided"] == 1


async def as_it_is_continued(house: House, mark: str, when: When) -> None:
    """The worker dies around the append of what it does with the answer."""
    hosted, more, session_id = await asking(house, "asks")
    trap = house.worker_proxy.at(f'"{mark}"', when, house.processes[1].kill)
    await reply(house, session_id)
    await wait_for(trap.sprung.is_set)
    await house.worker(**more)
    if (mark == "ToolStarted" and when == "before") or (mark == "ToolFinished" and when == "after"):
        await house.completed(session_id)
    else:
        await house.session(session_id, lambda s: s.waiting_for == "outcome_unknown")
        await house.say(session_id, "outcome_done", "it is done")
        await house.completed(session_id)
    assert len(hosted.calls) <= 2, "it is not continued twice by itself"


async def while_it_is_held_open(house: House) -> None:
    _, more, session_id = await asking(house, "t")
    worker = house.processes[1]
    worker.kill()
    await worker.ended()
    await house.worker(**more)
    await house.session(session_id, lambda s: s.waiting_for == "outcome_unknown")
    await house.say(session_id, "outcome_failed", "it was cut off")
    await house.completed(session_id)
    assert (await house.events(session_id))["ToolStarted"] == 1


async def test_killed_between_question_and_answer_and_while_a_call_is_held_open(houses: Houses) -> None:
    await houses.each({"between": between_question_and_answer, "held": while_it_is_held_open})


async def test_killed_as_the_call_is_continued(houses: Houses) -> None:
    await houses.each(
        {
            f"{when} {mark}": partial(as_it_is_continued, mark=mark, when=when)
            for mark in ("ToolStarted", "ToolFinished")
            for when in ("before", "after")
        }
    )
