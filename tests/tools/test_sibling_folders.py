"""A folder beside the session's own, whose name begins with the same characters, cannot be reached."""

from __future__ import annotations

from pathlib import Path

import pytest

from supervisor.artifacts import Artifacts
from supervisor.core.errors import ArtifactNotFound, ToolError
from supervisor.tools.contract import ToolContext
from supervisor.tools.files import read_file, write_file
from tests.core.build import SID
from tests.tools.test_artifacts import writing


@pytest.fixture
def sibling(ctx: ToolContext) -> Path:
    """`…/session-other`, with a link to it inside `…/session`."""
    made = ctx.folder.with_name(ctx.folder.name + "-other")
    made.mkdir()
    (made / "secret").write_text("secret")
    (ctx.folder / "link").symlink_to(made)
    return made


async def test_no_tool_reads_or_writes_there(ctx: ToolContext, sibling: Path) -> None:
    with pytest.raises(ToolError, match="`link` is a link"):
        await read_file.run(read_file.validate({"path": "link/secret"}), ctx)
    with pytest.raises(ToolError, match="`link` is a link"):
        await write_file.run(write_file.validate({"path": "link/secret", "content": "x"}), ctx)
    assert (sibling / "secret").read_text() == "secret"


async def test_no_artifact_is_read_there(tmp_path: Path) -> None:
    own, other = tmp_path / SID, tmp_path / f"{SID}-other"
    own.mkdir()
    other.mkdir()
    (other / "secret").write_text("secret")
    (own / "link").symlink_to(other)
    artifacts, session = Artifacts(tmp_path), writing("link/secret")
    assert [found.size for found in artifacts.list(session)] == [None]
    with pytest.raises(ArtifactNotFound):
        await artifacts.read(session, "link/secret")
