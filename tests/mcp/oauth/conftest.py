"""An authorization server, and a Flagman whose pages can be opened."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from tests.mcp.oauth.authority import Authority, authority
from tests.mcp.oauth.browser import Browser


@pytest.fixture
async def notes() -> AsyncIterator[Authority]:
    async with authority() as found:
        yield found


@pytest.fixture
async def browser() -> AsyncIterator[Browser]:
    async with Browser() as opened:
        yield opened


def mcp_file(folder: Path, notes: Authority, **more: Any) -> Path:
    """Write the file that FLAGMAN_MCP names, with the server `notes`."""
    path = folder / "mcp.json"
    path.write_text(json.dumps({"mcpServers": {"notes": notes.entry(**more)}}))
    return path
