"""The launcher of a sub-agent can write above its folder: whatever it puts there leads the sub-agent nowhere else."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from bot.sandbox import find_sandbox
from bot.settings import Settings
from supervisor.artifacts import Artifacts
from supervisor.core.errors import ArtifactNotFound, ToolError
from supervisor.core.events import Inherited, Lineage, ToolFinished, ToolStarted
from supervisor.core.reducer import fold
from supervisor.core.state import Session
from supervisor.runtime.work_dirs import WorkDirs
from supervisor.tools.contract import ToolContext
from supervisor.tools.executor import Executor
from supervisor.tools.files import read_file, write_file
from supervisor.tools.shell import shell_tool
from tests.core.build import by, launched, responded, tool_call

FOUND = find_sandbox(Settings(FLAGMAN_SANDBOX="auto"))
FOLDER = "root/agents/tell-2"
shell = shell_tool()


def sub_agent(*inherited: Inherited) -> Session:
    lineage = Lineage(
        parent="root",
        call_id="1.1",
        name="tell",
        root="root",
        depth=1,
        requesters=(),
        folder=FOLDER,
        inputs=inherited,
    )
    call = tool_call(tool="write_file", arguments={"path": "key", "content": "x"}, mode="allow")
    start = ToolStarted(**by(), call_id="1.1", attempt=1, idempotency_key="k", digest=call.digest)
    written = ToolFinished(**by(), call_id="1.1", attempt=1, ok=True, content="", artifacts=("key",))
    return fold("p0-tell", [launched(lineage=lineage), responded(call), start, written])


@pytest.fixture
def data(tmp_path: Path) -> Path:
    """Flagman's folder, with a key that no session may read."""
    data = tmp_path / "data"
    (data / "workspace" / FOLDER).mkdir(parents=True)
    (data / "key").write_text("OURS")
    return data


def folder_is_a_link(data: Path) -> None:
    (data / "workspace" / FOLDER).rename(data / "workspace/root/agents/old")
    (data / "workspace" / FOLDER).symlink_to(data)


def its_parent_is_a_link(data: Path) -> None:
    (data / "tell-2").mkdir()
    (data / "tell-2" / "key").write_text("OURS")
    (data / "workspace/root/agents").rename(data / "workspace/root/old")
    (data / "workspace/root/agents").symlink_to(data)


SWAPS = [folder_is_a_link, its_parent_is_a_link]
Swap = Callable[[Path], None]


async def context(data: Path, swap: Swap) -> ToolContext:
    """The context of a call whose folder is replaced after it was found."""
    root = await WorkDirs(data / "workspace").of(sub_agent())
    swap(data)
    return ToolContext("p0-tell", "1.1", "key", 1, root.path, root=root)


@pytest.mark.parametrize("swap", SWAPS)
async def test_files_stay_in_the_folder_that_was_found(data: Path, swap: Swap) -> None:
    ctx = await context(data, swap)
    with pytest.raises(ToolError, match="There is no `key`"):
        await read_file.run(read_file.validate({"path": "key"}), ctx)
    await write_file.run(write_file.validate({"path": "planted", "content": "x"}), ctx)
    assert [path.parent.name for path in data.rglob("planted")] in (["old"], ["tell-2"])
    assert not (data / "planted").exists()
    assert not (data / "tell-2" / "planted").exists()


@pytest.mark.parametrize("sandboxed", [True, False])
@pytest.mark.parametrize("swap", SWAPS)
async def test_commands_stay_in_the_folder_that_was_found(data: Path, swap: Swap, sandboxed: bool) -> None:
    if sandboxed and FOUND.sandbox is None:
        pytest.skip(FOUND.said)
    sandbox = replace(FOUND.sandbox, hidden=(data,)) if sandboxed and FOUND.sandbox else None
    ctx = replace(await context(data, swap), executor=Executor(sandbox))
    ran = await shell.run(shell.validate({"command": "ls -A; echo x > planted; ls -l /proc/self/fd"}), ctx)
    assert "key" not in ran.content
    assert str(data / "workspace") not in ran.content, "the folder's descriptor stayed open"
    assert not (data / "planted").exists()
    assert not (data / "tell-2" / "planted").exists()


@pytest.mark.parametrize("swap", SWAPS)
async def test_no_call_begins_in_what_a_link_leads_to(data: Path, swap: Swap) -> None:
    swap(data)
    with pytest.raises(ToolError, match="leads out"):
        await WorkDirs(data / "workspace").of(sub_agent())
    with pytest.raises(ArtifactNotFound):
        await Artifacts(data / "workspace").read(sub_agent(), "key")
    assert [found.size for found in Artifacts(data / "workspace").list(sub_agent())] == [None]


@pytest.mark.parametrize("swap", SWAPS)
async def test_nothing_is_inherited_from_what_a_link_leads_to(data: Path, swap: Swap) -> None:
    given = Inherited(into="inputs/tell", folder=FOLDER, paths=("key",))
    swap(data)
    heir = sub_agent(given)
    assert heir.lineage
    heir = replace_folder(heir, "root/agent-3")
    root = await WorkDirs(data / "workspace").of(heir)
    assert list(root.path.rglob("key")) == []


def replace_folder(session: Session, folder: str) -> Session:
    assert session.lineage
    return session.model_copy(update={"lineage": session.lineage.model_copy(update={"folder": folder})})


async def test_no_link_is_followed_wherever_it_leads(data: Path) -> None:
    root = await WorkDirs(data / "workspace").of(sub_agent())
    (root.path / "deep" / "er").mkdir(parents=True)
    (root.path / "file").write_text("inside")
    for name, target in {
        "deep/up": "../file",
        "deep/er/chain": "../up",
        "whole": str(root.path / "file"),
        "deep/back": "../deep/er/../../file",
        "out": "../../../../key",
        "deep/out": "../..",
        "absolute": str(data / "key"),
        "loop": "loop",
    }.items():
        (root.path / name).symlink_to(target)
    ctx = ToolContext("p0-tell", "1.1", "key", 1, root.path, root=root)

    for path in ("deep/up", "deep/er/chain", "whole", "deep/back", "out", "deep/out/x", "absolute", "loop"):
        with pytest.raises(ToolError, match="is a link, and links are not followed"):
            await read_file.run(read_file.validate({"path": path}), ctx)
