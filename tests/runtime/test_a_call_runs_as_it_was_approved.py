"""Right before a call runs, its arguments are held against the digest that was approved."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from redis.asyncio import Redis
from slack_sdk.web.async_client import AsyncWebClient

from bot.compose import Core, core
from bot.workers import workers
from storage import keys
from supervisor.core.digest import call_digest
from supervisor.core.events import ApprovalRequested, Event
from supervisor.core.messages import Json
from supervisor.core.reducer import fold
from supervisor.core.triggers import Delivered
from supervisor.runtime.tool_runner import Result, ToolRunner
from supervisor.runtime.work_dirs import WorkDirs
from supervisor.tools.builtin import builtin_tools
from supervisor.tools.contract import Tool, ToolContext, ToolOutput
from tests.core.build import BOB, SID, by, decided, fake_tool, launched, responded, tool_call
from tests.support.flagman import settings
from tests.support.scripted import Scripted, says
from tests.support.slack import wait_for

SHOWN, OTHER = {"command": "ls"}, {"command": "rm -r x"}
STORED = "abcd-efgh"


class Shell:
    """A tool that records what it ran with."""

    def __init__(self) -> None:
        self.ran: list[Json] = []
        self.tool = replace(fake_tool("shell"), run=self._run)

    async def _run(self, arguments: Json, ctx: ToolContext) -> ToolOutput:
        self.ran.append(arguments)
        return ToolOutput("ran")


def approved(session_id: str, arguments: Json) -> list[Event]:
    """A log with these arguments, in which the call that was shown and approved had `SHOWN`."""
    call = tool_call(arguments=arguments, digest=call_digest("shell", SHOWN))
    request = ApprovalRequested(**by(), request_id="r2", call_ids=("1.1",))
    events: list[Event] = [launched(), responded(call), request]
    return [*events, decided(fold(session_id, events), BOB)]


async def at_once() -> bool:
    return True


async def run(tool: Tool, arguments: Json, folder: Path) -> Result:
    async def deliver(*_: Any) -> Delivered:
        return Delivered([])

    session = fold(SID, approved(SID, arguments))
    return await ToolRunner(WorkDirs(folder), deliver).run(tool, session, session.call("1.1"), at_once)


async def test_what_was_approved_runs(tmp_path: Path) -> None:
    shell = Shell()
    assert (await run(shell.tool, SHOWN, tmp_path)).ok
    assert shell.ran == [SHOWN]


async def test_other_arguments_do_not_run(tmp_path: Path) -> None:
    shell = Shell()
    refused = await run(shell.tool, OTHER, tmp_path)
    assert (refused.ok, shell.ran) == (False, [])
    assert "changed their meaning since the call was proposed" in refused.content


async def test_arguments_that_the_tool_reads_differently_by_now_do_not_run(tmp_path: Path) -> None:
    shell = Shell()
    newer = replace(shell.tool, validate=lambda arguments: {**arguments, "as_root": True})
    assert not (await run(newer, SHOWN, tmp_path)).ok
    assert shell.ran == []


@pytest.fixture
async def parts(redis: Redis, valkey_url: str, tmp_path: Path) -> AsyncIterator[tuple[Core, Shell]]:
    shell = Shell()
    config = settings("http://127.0.0.1:9/api/", valkey_url, tmp_path)
    async with core(config, tools={**builtin_tools(), "shell": shell.tool}) as running:
        ready, _ = workers(running, AsyncWebClient(), Scripted(lambda _: says("Done.")))
        task = asyncio.create_task(ready.run())
        yield running, shell
        ready.stop()
        await task


async def store(parts: Core, arguments: Json) -> int:
    """Store the log, which queues the session; gives the number of its events."""
    events = approved(STORED, arguments)
    await parts.sessions.append(None, fold(STORED, events), events)
    return len(events)


async def test_a_worker_starts_the_call_of_a_log_as_it_was_approved(parts: tuple[Core, Shell]) -> None:
    core_, shell = parts
    await store(core_, SHOWN)
    await wait_for(lambda: shell.ran)
    assert shell.ran == [SHOWN]


async def test_a_worker_does_not_start_a_call_whose_arguments_in_the_log_differ(
    parts: tuple[Core, Shell], redis: Redis, caplog: pytest.LogCaptureFixture
) -> None:
    core_, shell = parts
    count = await store(core_, OTHER)
    tries = keys.queue(0, "ready").tries
    await wait_for(lambda: redis.hget(tries, STORED))
    assert "The call is not the one that was approved." in caplog.text
    assert len(await core_.sessions.events(STORED)) == count
    assert shell.ran == []
