"""What the store answers, or loses, while a tool is at work costs neither the tool nor its result."""

from __future__ import annotations

import asyncio

import pytest

from supervisor.runtime import job
from supervisor.tools.contract import Tool, ToolContext
from supervisor.tools.typed_tool import tool
from tests.support.redis_proxy import RedisProxy
from tests.support.scenario import APPROVE, Director
from tests.support.scripted import calls, in_turn, says
from tests.support.slack import ADA, OPS, wait_for

ONE = in_turn(calls(("deploy", {"service": "shop"})), says("Done."))
ANSWERS = [
    "ERR Max number of active channels",
    "ERR unknown command",
    "ERR DISABLED the server has no disk",
    "NOTREADY not yet",
    "MOVED 1 127.0.0.1:1",
    "FAILOVER in progress",
    "SOMEDAY a code that is not known",
]


@pytest.mark.parametrize("event", ["ToolStarted", "ToolFinished"])
async def test_two_replies_are_lost_in_a_row(scenario: Director, valkey_url: str, event: str) -> None:
    async with RedisProxy(valkey_url) as proxy:
        scene = await scenario(ONE, redis_url=proxy.url)
        session = await scene.launch()
        (ask,) = await scene.asked(session)
        second: list[object] = []

        def lose_the_look() -> None:
            second.append(proxy.at(("LRANGE", session.id), "before", lambda: None))

        proxy.at((f'"type":"{event}"',), "after", lose_the_look)
        assert (await scene.slack.click(ADA, OPS, ask["ts"], APPROVE))["ok"]
        await scene.ended(session)
        assert second
        assert len(scene.runs("deploy")) == 1


@pytest.mark.parametrize("answer", ANSWERS)
async def test_an_error_answer_throws_no_result_away(
    scenario: Director, valkey_url: str, monkeypatch: pytest.MonkeyPatch, answer: str
) -> None:
    monkeypatch.setattr(job, "RETRY_SECONDS", 0.05)
    begun, go = asyncio.Event(), asyncio.Event()
    cancelled: list[str] = []

    @tool(changes=False)
    async def slow(ctx: ToolContext) -> str:
        """Take some time."""
        begun.set()
        try:
            await go.wait()
        except asyncio.CancelledError:
            cancelled.append(ctx.call_id)
            raise
        return "it took some time"

    tools: dict[str, Tool] = {"slow": slow}
    async with RedisProxy(valkey_url) as proxy:
        two = in_turn(calls(("slow", {})), says("Done."))
        scene = await scenario(two, tools=tools, redis_url=proxy.url)
        session = await scene.launch()
        await begun.wait()
        proxy.refusal = answer
        go.set()
        await wait_for(lambda: proxy.refused >= 5)
        proxy.refusal = ""
        ended = await scene.ended(session)
        assert (ended.lifecycle, cancelled) == ("completed", [])
        assert ended.steps[0].calls[0].content == "it took some time"
