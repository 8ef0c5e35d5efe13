"""The heartbeat of a process: it beats as long as its parts run, and no longer."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from bot.processes import heartbeat
from bot.processes.heartbeat import beating
from supervisor.core.errors import InvalidInput
from tests.support.slack import wait_for


async def test_it_stops_with_a_part_of_the_process(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(heartbeat, "SECONDS", 0.001)
    file, works, asked = tmp_path / "alive", True, 0

    def look() -> bool:
        nonlocal asked
        asked += 1
        return works

    async with beating(file, look):
        os.utime(file, (0, 0))
        await wait_for(lambda: file.stat().st_mtime > 0)
        works, asked = False, 0
        await wait_for(lambda: asked > 1)
        os.utime(file, (0, 0))
        asked = 0
        await wait_for(lambda: asked > 3)
        assert file.stat().st_mtime == 0
    assert not file.exists()


async def test_a_place_that_cannot_be_written_is_refused(tmp_path: Path) -> None:
    with pytest.raises(InvalidInput, match=r"FLAGMAN_HEARTBEAT: .*cannot be written"):
        async with beating(tmp_path / "none" / "alive", lambda: True):
            pass
