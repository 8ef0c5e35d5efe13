"""What all tests of documents share."""

from __future__ import annotations

from datetime import timedelta

import pytest

import supervisor.runtime.worker


@pytest.fixture(autouse=True)
def _prompt_ends(monkeypatch: pytest.MonkeyPatch) -> None:
    """A worker that stops waits for its last read to come back, which is up to a second otherwise."""
    monkeypatch.setattr(supervisor.runtime.worker, "BLOCK", timedelta(milliseconds=50))
