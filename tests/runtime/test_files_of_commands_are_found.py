"""What a command makes, changes and removes in its session's folder is in the result of the call."""

from __future__ import annotations

import asyncio
import os
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from supervisor.core.events import Inherited, SessionForked, ToolFinished, ToolStarted
from supervisor.core.reducer import fold
from supervisor.core.state import Session
from supervisor.core.text.masking import Masker
from supervisor.core.text.visible import one_line
from supervisor.core.triggers import Delivered
from supervisor.runtime import tool_runner
from supervisor.runtime.tool_runner import INTERRUPTED, Result, ToolRunner
from supervisor.runtime.work_dirs import WorkDirs
from supervisor.tools import changed_files
from supervisor.tools.changed_files import DEEPEST, Contents
from supervisor.tools.path_guard import Folder
from supervisor.tools.shell import shell_tool
from tests.core.build import SID, by, launched, responded, tool_call
from tests.support.slack import wait_for

SECRET = "a-secret-of-this-test-0123456789"
SHELL = shell_tool()


def running(command: str, *before: Any) -> Session:
    """A session in which this command is about to run."""
    arguments = SHELL.validate({"command": command})
    return fold(
        SID,
        [
            launched(),
            *before,
            responded(tool_call(f"{len(before) // 3 + 1}.1", arguments=arguments, mode="allow")),
        ],
    )


def wrote(*paths: str) -> tuple[Any, ...]:
    """A first step whose call wrote these."""
    call = tool_call(mode="allow", tool="write_file")
    started = ToolStarted(**by(), call_id="1.1", attempt=1, idempotency_key="k", digest=call.digest)
    done = ToolFinished(**by(), call_id="1.1", attempt=1, ok=True, content="", artifacts=paths)
    return responded(call), started, done


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    made = tmp_path / SID
    made.mkdir()
    return made


def runner(folder: Path) -> ToolRunner:
    async def deliver(*_: Any) -> Delivered:
        return Delivered([])

    return ToolRunner(WorkDirs(folder.parent), deliver, Masker([SECRET]))


async def ran(folder: Path, command: str, *before: Any) -> Result:
    async def at_once() -> float:
        return float("inf")

    session = running(command, *before)
    return await runner(folder).run(SHELL, session, session.open_calls[0], at_once)


async def test_new_and_changed_files_are_found_and_others_are_not(folder: Path) -> None:
    (folder / "old.txt").write_text("old")
    (folder / "changed.txt").write_text("old")
    result = await ran(folder, "cat old.txt; echo new >> changed.txt; mkdir -p a/b; echo x > a/b/.hidden")
    assert set(result.artifacts) == {"changed.txt", "a/b/.hidden"}
    assert result.content == "exit code 0\nold"


async def test_a_command_that_fails_has_written_its_files_too(folder: Path) -> None:
    result = await ran(folder, "echo half > half.txt; exit 3")
    assert (result.ok, result.artifacts) == (False, ("half.txt",))


async def test_a_command_that_is_interrupted_has_written_its_files_too(folder: Path) -> None:
    task = asyncio.create_task(ran(folder, "echo half > half.txt; sleep 600"))
    await wait_for(lambda: (folder / "half.txt").exists())
    task.cancel()
    result = await task
    assert (result.content, result.artifacts) == (INTERRUPTED, ("half.txt",))


async def test_what_the_session_had_and_a_command_removed_is_told(folder: Path) -> None:
    for name in ("report.md", "moved.md", "other.md", "linked.md"):
        (folder / name).write_text(name)
    command = "rm report.md other.md; mv moved.md there.md; ln -sf /etc/passwd linked.md"
    result = await ran(folder, command, *wrote("report.md", "moved.md", "linked.md"))
    assert (result.artifacts, result.removed) == (("there.md",), ("report.md", "moved.md", "linked.md"))


async def test_only_regular_files_of_ones_own_are_found(folder: Path) -> None:
    kid = folder / "agents" / "look-ab12-cd34"
    kid.mkdir(parents=True)
    command = (
        "ln -s /etc/passwd link; ln -s /etc out; mkfifo pipe; echo x > agents/look-ab12-cd34/theirs;"
        "echo x > agents/mine.py; mkdir agents/own; echo x > agents/own/mine.py"
    )
    assert (await ran(folder, command)).artifacts == ("agents/mine.py", "agents/own/mine.py")


async def test_folders_of_programs_are_named_once_and_not_listed(folder: Path) -> None:
    result = await ran(
        folder, "mkdir -p .git web/node_modules/x; touch .git/HEAD web/node_modules/x/y web/index.html"
    )
    assert result.artifacts == ("web/index.html",)
    assert result.content.endswith(
        "\n[Not among the session's files: what is in `.git`, `web/node_modules`.]"
    )
    again = await ran(folder, "touch .git/config")
    assert (again.artifacts, again.content) == ((), "exit code 0\n(no output)")


async def test_names_in_the_notes_are_masked_and_shown_with_what_is_hidden_in_them(folder: Path) -> None:
    copy = Inherited(into=".", folder="gone", paths=(f"{SECRET}.md", "x\u202ecod.exe"))
    forked = SessionForked(**by(), source="gone", step=0, version=1, files=copy)
    result = await ran(folder, rf"mkdir -p {SECRET}/node_modules $'two\nlines/.git' $'bad\xff/.git'", forked)
    assert result.content.endswith(
        "[Files that this session was to begin with are not here: `[masked].md`, `x\\u202ecod.exe`.]\n"
        "[Not among the session's files: what is in `[masked]/node_modules`, `bad?/.git`, `two lines/.git`.]"
    )


async def test_what_cannot_be_read_is_named_and_hides_nothing_else(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def contents(found: Folder) -> Contents:
        """Look as a user who is not above the rights of files."""
        user = os.geteuid()
        os.seteuid(user or 65534)
        try:
            return changed_files.contents(found)
        finally:
            os.seteuid(user)

    monkeypatch.setattr(tool_runner, "contents", contents)
    for name in ("kept.md", "gone.md"):
        (folder / name).write_text(name)
    deep = "/".join("d" * (DEEPEST + 1))
    command = (
        "rm gone.md; echo x > top; mkdir listed closed; touch listed/f closed/f; chmod 444 listed; chmod 0 closed;"
        f"mkdir -p {deep}; touch {deep}/low"
    )
    try:
        result = await ran(folder, command, *wrote("kept.md", "gone.md"))
        # A folder of which none can say what is in it hides all that it holds, and is told, too.
        later = await ran(folder, "touch new; chmod 444 .")
    finally:
        for path in (folder, folder / "listed", folder / "closed"):
            path.chmod(0o755)
    assert (result.artifacts, result.removed) == (("top",), ("gone.md",))
    assert result.content.endswith(
        "\n[Not among the session's files: what cannot be read or lies deeper than 64 folders: "
        f"`closed`, `{one_line(deep, 200)}`, `listed/f`.]"
    )
    assert later.artifacts == ()
    assert "what cannot be read or lies deeper than 64 folders: `d`, " in later.content


async def test_of_too_many_files_the_rest_is_counted(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(changed_files, "MOST_LISTED", 3)
    result = await ran(folder, "mkdir deep; touch deep/{a,b,c,d} top")
    assert set(result.artifacts) == {"top", "deep/a", "deep/b"}
    assert "[Not among the session's files: 2 more new or changed ones, as at most 3 a call are listed.]" in (
        result.content
    )


async def test_names_that_cannot_be_kept_are_counted(folder: Path) -> None:
    result = await ran(folder, rf"touch good {SECRET}.txt $'bad\xff' $'two\nlines'")
    assert result.artifacts == ("good",)
    assert "3 whose names hold a secret, are too long or are no plain text" in result.content
    assert SECRET not in result.content


async def test_in_a_folder_that_is_too_large_to_be_looked_through_new_files_are_found_by_their_times(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(changed_files, "MOST_SEEN", 5)
    monkeypatch.setattr(changed_files, "CLOCK_LAG_NS", 0)
    for n in range(9):
        (folder / f"old{n}").write_text("x")
    assert (await ran(folder, "rm old*; touch new")).artifacts == ("new",)
    result = await ran(folder, "touch {a..j}", *wrote("new"))
    assert (len(result.artifacts) in (4, 5), result.removed) == (True, ())
    assert "what is beyond the first 5 entries of the folder" in result.content


async def test_what_a_command_wrote_whose_worker_died_is_found_by_its_times(folder: Path) -> None:
    (folder / "old.txt").write_text("old")
    hour = datetime.now(UTC) + timedelta(hours=1)
    os.utime(folder / "old.txt", (0, 0))
    session = running("true")
    call = session.open_calls[0]
    for at, found in ((datetime.now(UTC) - timedelta(hours=1), ("old.txt",)), (hour, ())):
        begun = call.model_copy(update={"started_at": at, "phase": "started"})
        assert await runner(folder).written_since(session, begun) == found
