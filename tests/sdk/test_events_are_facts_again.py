"""What a program reads of an event is the fact that was stored, however it came."""

from __future__ import annotations

import pytest

from supervisor.contract.models import EventView
from supervisor.contract.views import event_view
from supervisor.core.conditions import parse_condition
from supervisor.core.events import Paused
from tests.core.build import AT, by, one_of_each


@pytest.mark.parametrize("kind", list(one_of_each()))
def test_an_event_is_the_same_fact(kind: str) -> None:
    fact = one_of_each()[kind]
    assert event_view(1, fact).fact() == fact
    over_http = EventView.model_validate(event_view(1, fact).model_dump(mode="json"))
    assert over_http.fact() == fact


@pytest.mark.parametrize(
    "written",
    [
        "webhook: redis_ready",
        'event: deploy.finished where env == "prod" and note contains "a and b"',
        "in: 2h",
        "at: 2030-12-02T09:00+01:00",
        "cron: 0 9 * * MON-FRI",
        "approval",
        "manual",
    ],
)
def test_what_it_waits_for_is_read_back_from_its_words(written: str) -> None:
    condition = parse_condition(written, now=AT, zone="Europe/Berlin")
    fact = Paused(**by(), reason="manual", conditions=(condition,))
    found = EventView.model_validate(event_view(1, fact).model_dump(mode="json")).fact()
    assert isinstance(found, Paused)
    assert found.conditions == (condition,)


def test_an_event_of_a_newer_flagman_is_no_fact_here() -> None:
    for event in (
        EventView(version=1, type="Teleported", at=AT, by="x"),
        EventView(
            version=1, type="Paused", at=AT, by="x", data={"reason": "manual", "conditions": ["moon: full"]}
        ),
    ):
        with pytest.raises(ValueError, match=r"."):
            event.fact()
