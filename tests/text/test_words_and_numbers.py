"""Money, durations, moments and counts, as every face writes them; and a label for each reason and phase."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta, timezone
from decimal import Decimal
from typing import get_args

import pytest

from supervisor.core.events.base import PauseReason
from supervisor.core.state import CallPhase
from supervisor.core.text import labels
from supervisor.core.text.format import ago, clock, count, field, minutes, money, span, stamp, took, used

NOW = datetime(2026, 11, 25, 9, 30, 12, tzinfo=UTC)


def test_a_number_has_its_unit_in_the_right_form() -> None:
    assert [count(n, "step") for n in (0, 1, 2, 2000)] == ["0 steps", "1 step", "2 steps", "2,000 steps"]
    assert count(2, "reply", "replies") == "2 replies"
    assert [minutes(n) for n in (0.5, 1, 29.98333, 30, 1471, 2e6)] == [
        *("0.5 minutes", "1 minute", "29.9833 minutes", "30 minutes", "1,471 minutes", "2,000,000 minutes"),
    ]
    assert [used(12, None), used(12, 40), used(1200, 2.5)] == ["12", "12 of 40", "1,200 of 2.5"]


def test_a_field_is_named_by_items_counted_from_one() -> None:
    assert field(("task",)) == ("task", "")
    assert field(("approvals", 0, "approvers", "quorum")) == ("approvers.quorum", " (approvals 1)")
    assert field(("approvals", 1, "approvers", "users", 2)) == ("approvers.users", " (number 3, approvals 2)")
    assert field(("teams", 0)) == ("teams", " (number 1)")


@pytest.mark.parametrize(
    ("cost", "unpriced", "shown"),
    [
        ("0", False, "$0.00"),
        ("0", True, "not known"),
        ("2.5", False, "$2.50"),
        ("0.0125", True, "at least $0.0125"),
        ("1234567.8910004", False, "$1,234,567.891"),
    ],
)
def test_money(cost: str, unpriced: bool, shown: str) -> None:
    assert money(Decimal(cost), unpriced=unpriced) == shown


@pytest.mark.parametrize(
    ("seconds", "shown"),
    [(-1, "0.0 s"), (0.44, "0.4 s"), (12, "12 s"), (185, "3 min 5 s"), (7800, "2 h 10 min"), (259200, "3 d")],
)
def test_durations(seconds: float, shown: str) -> None:
    assert span(timedelta(seconds=seconds)) == shown
    assert took(250) == "250 ms"


def test_moments() -> None:
    here = NOW.astimezone(timezone(timedelta(hours=1)))
    assert stamp(here) == "2026-11-25 09:30:12"
    days = [NOW, NOW - timedelta(days=1), NOW - timedelta(days=400)]
    assert [clock(at, here) for at in days] == ["10:30:12", "Nov 24 10:30", "2025-10-21 10:30"]
    assert [ago(NOW - timedelta(seconds=s), NOW) for s in (0, 59, 180, 7200, -180)] == [
        *("just now", "just now", "3 min ago", "2 h ago", "in 3 min"),
    ]


def test_every_reason_and_phase_has_a_label() -> None:
    assert set(labels.WAITING) == set(labels.WAITING_BEFORE_4) == set(get_args(PauseReason))
    assert set(labels.PHASES) == set(get_args(CallPhase))
