"""Progress is looked at and shown at once, as far as the rates allow it."""

from __future__ import annotations

from datetime import timedelta

import pytest

from handlers.projection import progress, projector
from supervisor import running


@pytest.fixture(autouse=True)
def _shown_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(running, "LOOK_SECONDS", 0.05)
    monkeypatch.setattr(progress, "FIRST_SECONDS", 0.05)
    monkeypatch.setattr(progress, "EVERY", ((float("inf"), 0.05),))
    monkeypatch.setattr(projector, "PROGRESS_EVERY", timedelta())
