"""What keeps a call from beginning is not its failure: it pauses or waits, and its approval still counts."""

from __future__ import annotations

from collections import Counter
from pathlib import Path
from typing import Any

import pytest

from storage.errors import StoreUnavailable
from supervisor.core.events import ApprovalRequested, Event
from supervisor.core.persona import Grants
from supervisor.core.reducer import fold
from supervisor.core.state import Session
from supervisor.core.triggers import Delivered
from supervisor.runtime.tool_runner import Result, ToolRunner, no_grants
from supervisor.runtime.work_dirs import WorkDirs
from supervisor.tools.contract import ToolContext
from supervisor.tools.executor import Executor, NotBegun
from supervisor.tools.sandbox import Sandbox
from supervisor.tools.shell import shell_tool
from supervisor.tools.typed_tool import tool
from tests.core.build import BOB, SID, by, decided, launched, responded, tool_call
from tests.support.scenario import APPROVE, Director
from tests.support.scripted import calls, in_turn, says
from tests.support.slack import GRACE, OPS

COMMAND = {"command": "touch ran", "timeout_s": 60}


async def run(folder: Path, executor: Executor, grants: Any = no_grants) -> Result:
    async def deliver(*_: Any) -> Delivered:
        return Delivered([])

    async def at_once() -> float:
        return float("inf")

    request = ApprovalRequested(**by(), request_id="r2", call_ids=("1.1",))
    log: list[Event] = [launched(), responded(tool_call(arguments=COMMAND)), request]
    session = fold(SID, [*log, decided(fold(SID, log), BOB)])
    runner = ToolRunner(WorkDirs(folder), deliver, executor=executor, grants=grants)
    return await runner.run(shell_tool(), session, session.call("1.1"), at_once)


def broken(folder: Path, text: str) -> Executor:
    """With a bubblewrap that ends like this before it runs anything."""
    program = folder / "bwrap"
    program.write_text(f"#!/bin/sh\n{text}\n")
    program.chmod(0o755)
    return Executor(Sandbox(str(program)))


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("echo 'bwrap: No space for it' >&2; exit 1", "bwrap: No space for it"),
        ("exit 1", "exit code 1"),
        ("exit 130", "exit code 130"),
    ],
)
async def test_a_sandbox_that_does_not_start(tmp_path: Path, text: str, said: str) -> None:
    found = await run(tmp_path, broken(tmp_path, text))
    assert (found.begun, found.content) == (False, f"The sandbox did not start ({said}).")


async def test_a_sandbox_that_is_gone(tmp_path: Path) -> None:
    found = await run(tmp_path, Executor(Sandbox(str(tmp_path / "bwrap"))))
    assert (found.begun, found.content) == (
        False,
        f"The sandbox did not start ({tmp_path}/bwrap: No such file or directory).",
    )


async def test_a_store_that_does_not_say_what_is_granted(tmp_path: Path) -> None:
    async def grants(_: Session) -> Grants:
        raise StoreUnavailable("connection refused")

    assert await run(tmp_path, Executor(), grants) == Result(False, "", begun=False)
    assert not list(tmp_path.rglob("ran"))


async def test_a_folder_that_cannot_be_made(tmp_path: Path) -> None:
    (tmp_path / "workspace").write_text("not a folder")
    found = await run(tmp_path / "workspace", Executor())
    assert (found.begun, found.content) == (
        False,
        "The session's folder cannot be used (Not a directory).",
    )


async def test_the_session_pauses_and_the_approval_counts_later(scenario: Director) -> None:
    begins = False

    @tool
    async def start(ctx: ToolContext) -> str:
        """Start, where it can be started."""
        if not begins:
            raise NotBegun("The sandbox did not start (exit code 1).")
        return "started"

    scene = await scenario(in_turn(calls(("start", {})), says("Done.")), tools={"start": start})
    session = await scene.launch()
    [message] = await scene.asked(session)
    await scene.slack.click(GRACE, OPS, message["ts"], APPROVE)
    paused = await scene.flagman.session(
        lambda s: s.pause and s.pause.reason == "error_threshold_exceeded", session.id
    )
    assert paused.pause
    assert paused.pause.detail == "The sandbox did not start (exit code 1)."
    assert paused.call("1.1").phase == "approved"
    begins = True
    await scene.flagman.core.supervisor.resume(session.id, BOB)
    await scene.ended(session)
    events = Counter(type(e).__name__ for e in await scene.flagman.core.sessions.events(session.id))
    assert (events["ToolStarted"], events["ToolNotBegun"], events["ApprovalDecided"]) == (2, 1, 1)
