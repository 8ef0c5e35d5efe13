"""A shell command sees little, says how it ended, and leaves nothing running."""

from __future__ import annotations

import asyncio
import os
import re
import signal
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from supervisor.core.errors import InvalidArguments, ToolError
from supervisor.tools import executor
from supervisor.tools.contract import ToolContext
from supervisor.tools.executor import KEPT_BYTES, Executor, NotBegun
from supervisor.tools.shell import shell_tool
from tests.storage.processes import alive, wait_until

shell = shell_tool()


async def run(ctx: ToolContext, command: str, **more: int) -> str:
    return (await shell.run(shell.validate({"command": command, **more}), ctx)).content


def worker(folder: Path, command: str) -> str:
    """A program that runs one command and prints what the model would read."""
    return f"""
import asyncio, os
from pathlib import Path
from supervisor.tools.contract import ToolContext
from supervisor.tools.shell import shell_tool
shell = shell_tool()
ctx = ToolContext("s", "c", "k", 1, Path({str(folder)!r}))
command = {command!r}.replace("WORKER", str(os.getpid()))
print(asyncio.run(shell.run(shell.validate({{"command": command}}), ctx)).content)
"""


async def pid_in(path: Path) -> int:
    await wait_until(lambda: path.exists() and path.read_text().strip().isdigit(), seconds=60)
    return int(path.read_text())


async def test_output_and_errors_come_in_order(ctx: ToolContext) -> None:
    assert await run(ctx, "echo one; echo two >&2; echo three") == "exit code 0\none\ntwo\nthree"
    assert await run(ctx, "true") == "exit code 0\n(no output)"


async def test_works_in_the_folder(ctx: ToolContext) -> None:
    assert await run(ctx, "pwd; cat; tty || true") == f"exit code 0\n{ctx.folder}\nnot a tty"


async def test_failure_is_a_tool_error_with_the_output(ctx: ToolContext) -> None:
    with pytest.raises(ToolError, match=r"^exit code 3\nbroken$"):
        await run(ctx, "echo broken; exit 3")
    with pytest.raises(ToolError, match=r"^ended by signal SIGSEGV"):
        await run(ctx, "kill -SEGV $$")
    with pytest.raises(ToolError, match=r"^ended by signal SIGKILL\nlast words"):
        await run(ctx, "echo last words; kill -9 $$")
    with pytest.raises(ToolError, match=r"^ended by signal SIGRTMIN\+6\nlast words"):
        await run(ctx, "echo last words; kill -40 $$")


async def test_a_code_is_told_as_it_is(ctx: ToolContext) -> None:
    for code in (127, 128, 130, 137, 193, 255):
        with pytest.raises(ToolError, match=rf"^exit code {code}\b"):
            await run(ctx, f"exit {code}")
    with pytest.raises(ToolError, match=r"^exit code 137 .*SIGKILL"):
        await run(ctx, "sh -c 'kill -9 $$'; exit $?")


async def test_no_signal_is_ignored(ctx: ToolContext) -> None:
    assert await run(ctx, "yes | head -1; echo ${PIPESTATUS[0]}") == "exit code 0\ny\n141"
    if sys.platform == "linux":
        (ignored,) = re.findall(r"SigIgn:\t(\w+)", await run(ctx, "cat /proc/self/status"))
        # Those that Python ignores; others may have been ignored by who started the tests.
        assert not int(ignored, 16) & (1 << (signal.SIGPIPE - 1) | 1 << (signal.SIGXFSZ - 1))


async def test_secrets_of_our_environment_do_not_leak(
    ctx: ToolContext, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SLACK_BOT_TOKEN", "xoxb-hidden")
    text = await run(ctx, "env; export -p; cat /proc/self/environ 2>/dev/null | tr '\\0' '\\n'")
    assert "xoxb" not in text
    names = {line.partition("=")[0] for line in (await run(ctx, "env")).splitlines()[1:]}
    given = {"PATH", "HOME", "LANG", "TERM", "FLAGMAN_SESSION", "FLAGMAN_CALL", "FLAGMAN_IDEMPOTENCY_KEY"}
    assert names - given <= {"PWD", "SHLVL", "_", "LC_CTYPE"}
    assert (
        await run(ctx, "echo $FLAGMAN_SESSION $FLAGMAN_CALL $FLAGMAN_IDEMPOTENCY_KEY")
        == "exit code 0\ns-1 c-1 key-1"
    )


WITHOUT_CAPABILITIES = """
import ctypes, os, sys
for capability in range(64):
    ctypes.CDLL(None).prctl(24, capability, 0, 0, 0)
os.execv(sys.executable, [sys.executable, "-c", sys.argv[1]])
"""


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux has /proc")
def test_our_process_cannot_be_looked_into(ctx: ToolContext) -> None:
    look = "for name in environ mem; do head -c 1 /proc/WORKER/$name && echo READ; done; true"
    program = worker(ctx.folder, look)
    ran = subprocess.run(
        [sys.executable, "-c", WITHOUT_CAPABILITIES, program], capture_output=True, text=True
    )
    assert "exit code 0" in ran.stdout, ran
    assert "READ" not in ran.stdout
    assert ran.stdout.count("Permission denied") == 2


async def test_no_descriptor_of_ours_is_inherited(ctx: ToolContext, tmp_path: Path) -> None:
    with (tmp_path / "private-file").open("w") as file:
        os.set_inheritable(file.fileno(), True)
        assert "private-file" not in await run(ctx, "ls -l /proc/self/fd /dev/fd/ 2>/dev/null || true")


async def test_long_output_is_cut_in_the_middle(ctx: ToolContext) -> None:
    text = await run(ctx, "echo first; head -c 5000000 /dev/zero | tr '\\0' x; echo; echo last")
    assert text.startswith("exit code 0\nfirst\nxxx")
    assert text.endswith("x\nlast")
    assert f"[… {5_000_012 - KEPT_BYTES:,} bytes are left out here …]" in text
    assert len(text) < KEPT_BYTES + 200


async def test_time_limit_ends_the_command_and_tells_its_output(ctx: ToolContext) -> None:
    started = time.monotonic()
    with pytest.raises(ToolError, match=r"^stopped: the time limit of 1 s was reached\nbegun"):
        await run(ctx, "echo begun; sleep 60 & echo $! > pid; wait", timeout_s=1)
    assert time.monotonic() - started < 50
    pid = await pid_in(ctx.folder / "pid")
    # A killed process may take a moment until it is gone.
    await wait_until(lambda: not alive(pid), seconds=60)


async def test_command_that_ignores_the_request_is_killed(ctx: ToolContext) -> None:
    with pytest.raises(ToolError, match="time limit"):
        await run(ctx, "trap '' TERM; echo $$ > pid; while true; do sleep 0.1; done", timeout_s=1)
    pid = await pid_in(ctx.folder / "pid")
    await wait_until(lambda: not alive(pid), seconds=60)


@pytest.mark.skipif(sys.platform != "linux", reason="elsewhere the guard is not the parent")
async def test_a_guard_that_the_command_stopped_keeps_the_time(ctx: ToolContext) -> None:
    with pytest.raises(ToolError, match="time limit"):
        await run(ctx, "echo $$ > pid; kill -STOP $PPID; sleep 600", timeout_s=1)
    assert not alive(await pid_in(ctx.folder / "pid"))


async def test_cancellation_kills_the_whole_group(ctx: ToolContext) -> None:
    running = asyncio.create_task(run(ctx, "(sleep 60 & echo $! > child; wait) & wait"))
    child = await pid_in(ctx.folder / "child")
    running.cancel()
    with pytest.raises(asyncio.CancelledError):
        await running
    await wait_until(lambda: not alive(child), seconds=60)


async def test_background_process_ends_with_the_command(ctx: ToolContext) -> None:
    started = time.monotonic()
    assert await run(ctx, "sleep 60 & echo $! > pid; echo done") == "exit code 0\ndone"
    assert time.monotonic() - started < 50
    pid = await pid_in(ctx.folder / "pid")
    await wait_until(lambda: not alive(pid), seconds=60)


# Each leaves the group of its command, and writes the number of the process into `pid`.
LEAVES = {
    "a session of its own": "setsid sh -c 'echo $$ > pid; exec sleep 600' & {then}",
    "waited for": "setsid -w sh -c 'echo $$ > pid; exec sleep 600'",
    "a double fork": "(setsid sh -c '(echo $$ > pid; exec sleep 600) & ' &) ; {then}",
    "deaf": "setsid sh -c 'trap \"\" TERM HUP INT; echo $$ > pid; while :; do sleep 600; done' & {then}",
    "stopped": "setsid sh -c 'echo $$ > pid; kill -STOP $$' & {then}",
}
KNOWN = "while ! [ -s pid ]; do sleep 0.01; done"


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux has subreapers")
@pytest.mark.parametrize("how", sorted(set(LEAVES) - {"waited for"}))
async def test_what_left_the_group_ends_with_its_command(ctx: ToolContext, how: str) -> None:
    assert await run(ctx, LEAVES[how].format(then=f"{KNOWN}; echo done")) == "exit code 0\ndone"
    assert not alive(await pid_in(ctx.folder / "pid"))


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux has subreapers")
@pytest.mark.parametrize("how", LEAVES)
async def test_what_left_the_group_ends_at_the_limit(ctx: ToolContext, how: str) -> None:
    with pytest.raises(ToolError, match="time limit of 2 s"):
        await run(ctx, LEAVES[how].format(then=f"{KNOWN}; sleep 600"), timeout_s=2)
    assert not alive(await pid_in(ctx.folder / "pid"))


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux has subreapers")
@pytest.mark.parametrize("how", LEAVES)
async def test_what_left_the_group_ends_with_a_cancel(ctx: ToolContext, how: str) -> None:
    running = asyncio.create_task(run(ctx, LEAVES[how].format(then="sleep 600")))
    pid = await pid_in(ctx.folder / "pid")
    running.cancel()
    with pytest.raises(asyncio.CancelledError):
        await running
    assert not alive(pid)


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux has subreapers")
@pytest.mark.crash
@pytest.mark.parametrize("how", LEAVES)
@pytest.mark.parametrize("end", [signal.SIGKILL, signal.SIGTERM])
async def test_what_left_the_group_ends_with_its_worker(ctx: ToolContext, how: str, end: int) -> None:
    program = worker(ctx.folder, LEAVES[how].format(then="sleep 600"))
    process = subprocess.Popen([sys.executable, "-c", program])
    pid = await pid_in(ctx.folder / "pid")
    process.send_signal(end)
    process.wait()
    await wait_until(lambda: not alive(pid), seconds=60)


@pytest.mark.crash
async def test_command_ends_when_its_worker_is_killed(ctx: ToolContext) -> None:
    program = worker(ctx.folder, "echo $$ > shell; sleep 60 & echo $! > child; wait")
    process = subprocess.Popen([sys.executable, "-c", program])
    pids = [await pid_in(ctx.folder / name) for name in ("shell", "child")]
    assert all(alive(pid) for pid in pids)
    process.kill()
    process.wait()
    await wait_until(lambda: not any(alive(pid) for pid in pids), seconds=60)


async def test_many_commands_leave_no_descriptor_and_no_process(ctx: ToolContext) -> None:
    await run(ctx, "true")
    before = len(os.listdir("/dev/fd"))
    await asyncio.gather(*(run(ctx, "echo x") for _ in range(20)))
    await asyncio.sleep(0.05)
    assert len(os.listdir("/dev/fd")) <= before


@pytest.mark.parametrize("bad", [{"command": ""}, {"command": "a\0b"}, {"command": "x", "timeout_s": 601}])
def test_bad_arguments_are_refused(bad: dict[str, object]) -> None:
    with pytest.raises(InvalidArguments):
        shell.validate(bad)


async def test_a_command_that_would_begin_too_late_does_not(ctx: ToolContext) -> None:
    late = replace(ctx, begin_by=time.monotonic() - 0.001)
    with pytest.raises(NotBegun):
        await run(late, "touch ran")
    assert not (ctx.folder / "ran").exists()
    await run(replace(ctx, begin_by=time.monotonic() + 600), "touch ran")
    assert (ctx.folder / "ran").exists()


async def test_a_worker_that_stood_still_right_before_the_start_runs_nothing(
    ctx: ToolContext, monkeypatch: pytest.MonkeyPatch
) -> None:
    spawn = Executor._spawn

    async def frozen(*given: Any) -> Any:
        begin_by = given[-1]
        await asyncio.sleep(max(0, begin_by - time.monotonic()) + 0.05)
        return await spawn(*given)

    monkeypatch.setattr(Executor, "_spawn", frozen)
    with pytest.raises(NotBegun):
        await run(replace(ctx, begin_by=time.monotonic() + 0.1), "touch ran")
    assert not (ctx.folder / "ran").exists()


@pytest.mark.parametrize("reaps", [True, False])
async def test_both_kinds_of_guards_keep_the_time(
    ctx: ToolContext, monkeypatch: pytest.MonkeyPatch, reaps: bool
) -> None:
    monkeypatch.setattr(executor, "REAPS", reaps)
    with pytest.raises(NotBegun):
        await run(replace(ctx, begin_by=0.0), "touch ran")
    assert "exit code 0" in await run(replace(ctx, begin_by=time.monotonic() + 600), "echo fine")
