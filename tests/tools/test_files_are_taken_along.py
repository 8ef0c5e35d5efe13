"""A sub-agent finds the files of those it depends on, a copy those of its source, and nobody anything else."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from supervisor.core.errors import ToolError
from supervisor.core.events import Inherited, Lineage, SessionForked
from supervisor.core.reducer import fold
from supervisor.core.state import Session
from supervisor.runtime.work_dirs import WorkDirs
from tests.core.build import BOB, by, launched


@pytest.fixture
def workspace(tmp_path: Path) -> Path:
    folder = tmp_path / "workspace"
    (folder / "root" / "agents" / "look-1" / "deep").mkdir(parents=True)
    (folder / "root" / "agents" / "look-1" / "found.md").write_text("found")
    (folder / "root" / "agents" / "look-1" / "deep" / "more.md").write_text("more")
    (folder / "root" / "agents" / "look-1" / "private.md").write_text("not mentioned")
    return folder


def child(*paths: str) -> Session:
    inherited = Inherited(into="inputs/look", folder="root/agents/look-1", paths=paths)
    lineage = Lineage(
        parent="root",
        call_id="1.1",
        name="tell",
        root="root",
        depth=1,
        requesters=(),
        folder="root/agents/tell-2",
        inputs=(inherited,),
    )
    return fold("p0-tell", [launched(lineage=lineage)])


def copy(*paths: str) -> Session:
    files = Inherited(into=".", folder="root/agents/look-1", paths=paths)
    forked = SessionForked(**by(BOB), source="p0-look", step=0, version=1, files=files)
    return fold("p0-copy", [launched(), forked])


async def test_a_sub_agent_reads_what_the_others_wrote_and_nothing_else(workspace: Path) -> None:
    folder = (await WorkDirs(workspace).of(child("found.md", "deep/more.md"))).path
    assert folder == workspace / "root/agents/tell-2"
    assert (folder / "inputs/look/found.md").read_text() == "found"
    assert (folder / "inputs/look/deep/more.md").read_text() == "more"
    assert not list(folder.rglob("private.md"))


async def test_a_copy_has_its_own_files(workspace: Path) -> None:
    folder = (await WorkDirs(workspace).of(copy("found.md"))).path
    assert folder == workspace / "p0-copy"
    (folder / "found.md").write_text("changed")
    assert (workspace / "root/agents/look-1/found.md").read_text() == "found"


async def test_what_was_removed_afterwards_does_not_come_back(workspace: Path) -> None:
    folder = (await WorkDirs(workspace).of(copy("found.md"))).path
    (folder / "found.md").unlink()
    again = (await WorkDirs(workspace).of(copy("found.md"))).path
    assert not (again / "found.md").exists()


async def test_copying_that_was_cut_off_is_made_up_for(workspace: Path) -> None:
    folder = workspace / "p0-copy"
    folder.mkdir()
    (folder / ".found.md.partial").write_text("fou")
    await WorkDirs(workspace).of(copy("found.md", "deep/more.md"))
    assert sorted(str(p.relative_to(folder)) for p in folder.rglob("*.md")) == ["deep/more.md", "found.md"]
    assert not list(folder.rglob("*.partial"))


async def test_no_link_leads_out_of_the_folder(workspace: Path, tmp_path: Path) -> None:
    (tmp_path / "secret").write_text("secret")
    source = workspace / "root/agents/look-1"
    (source / "link.md").symlink_to(tmp_path / "secret")
    (source / "out").symlink_to(tmp_path)
    os.mkfifo(source / "pipe")
    session = copy(
        "link.md", "out/secret", "pipe", "../../../../secret", "/etc/passwd", "gone.md", "found.md"
    )
    folder = (await WorkDirs(workspace).of(session)).path
    assert [str(p.relative_to(folder)) for p in folder.rglob("*")] == ["found.md"]


async def test_nothing_is_written_through_a_link_in_the_new_folder(workspace: Path, tmp_path: Path) -> None:
    outside = tmp_path / "outside"
    outside.mkdir()
    folder = workspace / "root/agents/tell-2"
    folder.mkdir()
    (folder / "inputs").symlink_to(outside)
    await WorkDirs(workspace).of(child("found.md"))
    assert not list(outside.rglob("*"))


async def test_no_session_works_where_a_link_leads(workspace: Path, tmp_path: Path) -> None:
    (workspace / "p0-copy").symlink_to(tmp_path)
    with pytest.raises(ToolError, match="leads out"):
        await WorkDirs(workspace).of(copy("found.md"))
