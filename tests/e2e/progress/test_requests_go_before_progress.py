"""Two hundred sessions print at once, and what people wait for is sent next although all that waits."""

from __future__ import annotations

import asyncio
from contextlib import suppress
from datetime import timedelta
from typing import Any

import pytest

from handlers.origin import Place
from handlers.projection import turns
from handlers.projection.turns import Rank
from storage import keys
from supervisor import running
from supervisor.core.events import Actor
from supervisor.tools.contract import ToolContext
from supervisor.tools.typed_tool import tool
from tests.support.scenario import APPROVE, Director, session_of
from tests.support.scripted import calls, in_turn, says
from tests.support.slack import ADA, OPS, buttons, wait_for

MANY = 200
TASKS = {
    "print": in_turn(calls(("chatter", {})), says("Done.")),
    "ask": in_turn(calls(("deploy", {"service": "shop"})), says("Done.")),
}


def behave(request: Any) -> Any:
    return TASKS[request.turns[0].text.split()[0]](request)


async def test_a_request_is_sent_next_while_progress_waits(
    scenario: Director, monkeypatch: pytest.MonkeyPatch
) -> None:
    printed, silent = 0, asyncio.Event()

    @tool(changes=False)
    async def chatter(ctx: ToolContext) -> str:
        """Print until it is to be silent."""
        nonlocal printed
        while not silent.is_set():
            printed += 1
            ctx.printed(f"line {printed}\n".encode())
            with suppress(TimeoutError):
                await asyncio.wait_for(silent.wait(), 0.5)
        return "printed"

    monkeypatch.setattr(turns, "POSTS", turns.POSTS._replace(interval=timedelta(milliseconds=1)))
    # The slots that there are now are all that there will be.
    monkeypatch.setattr(turns, "UPDATES", turns.UPDATES._replace(interval=timedelta(hours=1)))
    monkeypatch.setattr(running, "LOOK_SECONDS", 1.0)
    scene = await scenario(behave, tools={"chatter": chatter}, slots=MANY + 10)
    await scene.slack.settings(rate_scale=1000)
    core, origin = scene.flagman.core, Place(OPS, user=ADA).origin()
    ada = Actor(id=f"slack:{ADA}", name="ada")
    ids = [(await core.supervisor.launch("ops", f"print {n}", ada, origin=origin)).id for n in range(MANY)]
    _, outbox = core.queues()

    async def all_stand() -> bool:
        cards = await core.rows.column(ids, "card")
        return sum(b'"ts"' in card for card in cards.values()) == MANY

    await wait_for(all_stand)
    for session_id in ids:
        await outbox.enqueue(session_id)
    before = len(await scene.slack.calls("chat.update"))
    session = await core.supervisor.launch("ops", "ask me", ada, origin=origin)
    (ask,) = await scene.asked(session)
    card = await scene.slack.message(OPS, lambda m: APPROVE in buttons(m))
    updated = (await scene.slack.calls("chat.update"))[before:]
    assert {session_of(call["args"]) for call in updated} <= {session.id}
    assert (session_of(card), session_of(ask)) == (session.id, session.id)
    # What waits is not queued: next time there is something newer.
    assert await core.redis.zcard(keys.slot_queue("chat.update:", Rank.PROGRESS)) == 0
    silent.set()
