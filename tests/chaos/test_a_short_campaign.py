"""The short form of `make chaos`: every fault at least once, and nothing lost, doubled or stuck in the end."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.chaos.campaign import run
from tests.chaos.faults import FAULTS

SEED = 11


@pytest.mark.crash
@pytest.mark.timeout(600)
async def test_nothing_is_lost_doubled_or_stuck(tmp_path: Path) -> None:
    report = await run(tmp_path, SEED, 0, list(FAULTS))
    assert not report.findings.any, f"{report.text()}\n{tmp_path}"
    assert report.runs, report.text()
    assert set(report.faults) == set(FAULTS), report.text()
