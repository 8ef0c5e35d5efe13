"""What the tests of tools share."""

from __future__ import annotations

from pathlib import Path

import pytest

from supervisor.tools.contract import ToolContext


@pytest.fixture
def ctx(tmp_path: Path) -> ToolContext:
    folder = tmp_path / "session"
    folder.mkdir()
    return ToolContext(session_id="s-1", call_id="c-1", idempotency_key="key-1", attempt=1, folder=folder)
