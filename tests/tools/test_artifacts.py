"""The files of a session are listed and read, and nothing else is."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from supervisor.artifacts import MOST_BYTES, Artifact, Artifacts
from supervisor.core.errors import ArtifactNotFound, ArtifactTooLarge
from supervisor.core.events import ChildFinished, ChildLaunched, ToolFinished, ToolStarted
from supervisor.core.reducer import fold
from supervisor.core.state import Session
from tests.core.build import SID, by, launched, responded, tool_call


def writing(*paths: str) -> Session:
    """A session whose one call wrote these."""
    call = tool_call(mode="allow", tool="write_file")
    started = ToolStarted(**by(), call_id="1.1", attempt=1, idempotency_key="k", digest=call.digest)
    done = ToolFinished(**by(), call_id="1.1", attempt=1, ok=True, content="", artifacts=paths)
    return fold(SID, [launched(), responded(call), started, done])


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    made = tmp_path / "workspace" / SID
    made.mkdir(parents=True)
    return made


@pytest.fixture
def artifacts(folder: Path) -> Artifacts:
    return Artifacts(folder.parent)


async def test_what_was_written_is_listed_and_read(folder: Path, artifacts: Artifacts) -> None:
    (folder / "out").mkdir()
    (folder / "out" / "report.md").write_bytes(b"all is \xff well")
    session = writing("gone.md", "out/report.md")
    assert artifacts.list(session) == [Artifact("gone.md", None), Artifact("out/report.md", 13)]
    assert await artifacts.read(session, "out/report.md") == b"all is \xff well"
    assert await artifacts.read(session, " ./out//report.md ") == b"all is \xff well"


async def test_what_is_gone_is_said_to_be_gone(artifacts: Artifacts) -> None:
    with pytest.raises(ArtifactNotFound, match=r"`gone\.md` is not on this machine any more"):
        await artifacts.read(writing("gone.md"), "gone.md")


@pytest.mark.parametrize(
    "path", ["secret.txt", "../other/report.md", "/etc/passwd", "", "\0", ".", "a" * 5000]
)
async def test_what_the_log_does_not_name_is_not_read(folder: Path, artifacts: Artifacts, path: str) -> None:
    (folder / "secret.txt").write_text("hidden")
    (folder / "report.md").write_text("seen")
    with pytest.raises(ArtifactNotFound, match=r"Among its files are `report\.md`") as refused:
        await artifacts.read(writing("report.md"), path)
    assert len(str(refused.value)) < 400


async def test_a_session_without_files_says_so(artifacts: Artifacts) -> None:
    assert artifacts.list(writing()) == []
    with pytest.raises(ArtifactNotFound, match="It has written none"):
        await artifacts.read(writing(), "report.md")


async def test_no_link_leads_out(folder: Path, artifacts: Artifacts) -> None:
    other = folder.parent / "other"
    other.mkdir()
    (other / "report.md").write_text("of another session")
    (folder / "link.md").symlink_to(other / "report.md")
    (folder / "out").symlink_to(other)
    (folder / "passwd").symlink_to("/etc/passwd")
    named = ("link.md", "out/report.md", "passwd", "../other/report.md", "/etc/passwd")
    session = writing(*named)
    assert artifacts.list(session) == [Artifact(path, None) for path in named]
    for path in named:
        with pytest.raises(ArtifactNotFound):
            await artifacts.read(session, path)


async def test_a_link_in_the_place_of_the_folder_leads_nowhere(folder: Path, artifacts: Artifacts) -> None:
    other = folder.parent / "other"
    other.mkdir()
    (other / "report.md").write_text("of another session")
    folder.rmdir()
    folder.symlink_to(other)
    assert artifacts.list(writing("report.md")) == [Artifact("report.md", None)]
    with pytest.raises(ArtifactNotFound):
        await artifacts.read(writing("report.md"), "report.md")


async def test_only_regular_files_are_read(folder: Path, artifacts: Artifacts) -> None:
    (folder / "sub").mkdir()
    os.mkfifo(folder / "pipe")
    session = writing("sub", "pipe", ".")
    assert [found.size for found in artifacts.list(session)] == [None, None, None]
    for path in ("sub", "pipe", "."):
        with pytest.raises(ArtifactNotFound):
            await artifacts.read(session, path)


async def test_a_huge_file_is_refused_and_not_cut(folder: Path, artifacts: Artifacts) -> None:
    with (folder / "huge.bin").open("wb") as file:
        file.truncate(MOST_BYTES + 1)
    session = writing("huge.bin")
    assert artifacts.list(session) == [Artifact("huge.bin", MOST_BYTES + 1)]
    with pytest.raises(ArtifactTooLarge, match="larger than 10 MiB"):
        await artifacts.read(session, "huge.bin")


async def test_the_files_of_sub_agents_are_among_those_of_who_launched_them(
    folder: Path, artifacts: Artifacts
) -> None:
    call = tool_call(
        mode="allow", tool="launch_agent", arguments={"persona": "sre", "task": "x"}, control=True
    )
    begun = ChildLaunched(**by(), call_id="1.1", child_id="p0-kid", name="sre", persona="sre", task="x")
    files = ("report.md", "agents/deep-p0-deep/log.txt")
    ended = ChildFinished(**by(), child_id="p0-kid", ending="completed", result="", artifacts=files)
    session = fold(SID, [launched(), responded(call), begun, ended])
    for path in files:
        (folder / "agents/sre-p0-kid" / path).parent.mkdir(parents=True, exist_ok=True)
        (folder / "agents/sre-p0-kid" / path).write_text(path)
    listed = [found.path for found in artifacts.list(session)]
    assert listed == [f"agents/sre-p0-kid/{path}" for path in files]
    assert await artifacts.read(session, listed[1]) == files[1].encode()
