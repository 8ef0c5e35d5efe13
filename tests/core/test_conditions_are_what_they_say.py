"""Every form of a condition as people write it, what it becomes, and which data each comparison holds for."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest

from supervisor.core.conditions import FORMS, At, Clause, Cron, Manual, OnEvent, Webhook, parse_condition
from supervisor.core.errors import InvalidCondition

NOW = datetime(2026, 11, 3, 9, 0, tzinfo=UTC)
PROD = Clause(field="env", operator="==", value="prod")


@pytest.mark.parametrize(
    ("text", "found", "written"),
    [
        ("manual", Manual(type="manual"), "manual"),
        (" Approval ", Manual(type="approval"), "approval"),
        ("CHILDREN:", Manual(type="children"), "children"),
        ("webhook: redis_ready", Webhook(type="webhook", name="redis_ready"), "webhook: redis_ready"),
        (
            'webhook:a where env == "prod"',
            Webhook(type="webhook", name="a", where=(PROD,)),
            'webhook: a where env == "prod"',
        ),
        ("Event:deploy.finished", OnEvent(type="event", event="deploy.finished"), "event: deploy.finished"),
        (
            "event: d WHERE env == 'prod' AND n.count >= 3",
            OnEvent(type="event", event="d", where=(PROD, Clause(field="n.count", operator=">=", value=3))),
            'event: d where env == "prod" and n.count >= 3',
        ),
        ("in: 2h", At(type="at", due=datetime(2026, 11, 3, 11, tzinfo=UTC)), "at: 2026-11-03T11:00:00+00:00"),
        (
            "at: 10:00",
            At(type="at", due=datetime(2026, 11, 3, 10, tzinfo=UTC)),
            "at: 2026-11-03T10:00:00+00:00",
        ),
        (
            "cron: 0 12 * * *",
            Cron(type="cron", expression="0 12 * * *", zone="UTC", due=datetime(2026, 11, 3, 12, tzinfo=UTC)),
            "cron: 0 12 * * * (UTC)",
        ),
    ],
)
def test_it_is_read_and_written(text: str, found: Any, written: str) -> None:
    assert parse_condition(text, now=NOW) == found
    assert str(found) == written
    assert type(found).model_validate_json(found.model_dump_json()) == found


def test_times_are_those_of_the_zone() -> None:
    at = parse_condition("at: 12:00", now=NOW, zone="Europe/Berlin")
    assert isinstance(at, At)
    assert at.due == datetime(2026, 11, 3, 11, tzinfo=UTC)
    cron = parse_condition("cron: 0 12 * * *", now=NOW, zone="Europe/Berlin")
    assert isinstance(cron, Cron)
    assert (cron.due, cron.zone) == (datetime(2026, 11, 3, 11, tzinfo=UTC), "Europe/Berlin")


LONG = "x" * 70


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("sometime", "Invalid wait condition “sometime”. Write one of: `webhook: redis_ready`"),
        ("webhook:", "Invalid wait condition “webhook:”"),
        ("other: thing", "Invalid wait condition “other: thing”"),
        (f"nothing: {LONG}", f"Invalid wait condition “nothing: {LONG[:51]}”. Write"),
        ("manual: now", "Invalid wait condition “manual: now”"),
        ("webhook: a b", "“a b” is no webhook name: letters, digits and _ . : / - only, at most 80."),
        (f"event: -{LONG}", f"“-{LONG[:59]}” is no event name"),
        ("cron: 0 0 30 2 *", "“0 0 30 2 *” never comes"),
        ("event: d where env", '“env” is no comparison; write like env == "prod" and count > 3.'),
        (f"event: d where {LONG}", f"“{LONG[:60]}” is no comparison"),
        ("event: d where a == prod", '“prod” is no value; put text in quotes, like "prod".'),
        ("event: d where a == NaN", "“NaN” is no value"),
        ("event: d where a == Infinity", "“Infinity” is no value"),
        ("event: d where a == '", "“'” is no value"),
        ('event: d where a == "\\ud800"', "is no value"),
        ("x" * 2001, "A condition has at most 2,000 characters."),
    ],
)
def test_what_cannot_be_read_is_said(text: str, says: str) -> None:
    with pytest.raises(InvalidCondition) as refusal:
        parse_condition(text, now=NOW)
    assert says in str(refusal.value)


@pytest.mark.parametrize(
    ("clause", "data", "holds"),
    [
        ('a == "x"', {"a": "x"}, True),
        ('a == "x"', {"a": "y"}, False),
        ("a == 1", {"a": True}, False),
        ("a == true", {"a": 1}, False),
        ("a == true", {"a": True}, True),
        ("a == null", {"a": None}, True),
        ("a == null", {}, False),
        ('a != "x"', {"a": "y"}, True),
        ('a != "x"', {"a": "x"}, False),
        ('a != "x"', {}, False),
        ("a != 1", {"a": True}, True),
        ("a > 1", {"a": 2}, True),
        ("a > 1", {"a": 1}, False),
        ("a >= 1", {"a": 1}, True),
        ("a >= 1", {"a": 0}, False),
        ("a < 1", {"a": 0}, True),
        ("a < 1", {"a": 1}, False),
        ("a <= 1", {"a": 1}, True),
        ("a <= 1", {"a": 2}, False),
        ("a > 1", {"a": "2"}, False),
        ("a > 0", {"a": True}, False),
        ("a < true", {"a": 0}, False),
        ('a > "a"', {"a": "b"}, True),
        ('a > "a"', {"a": "a"}, False),
        ('a in ["x", "y"]', {"a": "y"}, True),
        ('a in ["x"]', {"a": "y"}, False),
        ('a in "xyz"', {"a": "y"}, False),
        ("a in [1, 0]", {"a": True}, False),
        ("a in [1]", {"a": 1.0}, True),
        ("a contains 1", {"a": [True]}, False),
        ("a contains true", {"a": [0, True]}, True),
        ("a == ''", {"a": ""}, True),
        ('a contains "x"', {"a": "axb"}, True),
        ('a contains "x"', {"a": ["x"]}, True),
        ("a contains 1", {"a": [1]}, True),
        ("a contains 1", {"a": "1"}, False),
        ('a contains "x"', {"a": {"x": 1}}, False),
        ("a.b == 1", {"a": {"b": 1}}, True),
        ("a.b == 1", {"a": 1}, False),
        ("a.b == 1", {"a": {}}, False),
        ("a == 1", [1], False),
        ("a.b.c == 1", {"a": {"b": {"c": 1}}}, True),
    ],
)
def test_a_comparison_holds_or_not(clause: str, data: Any, holds: bool) -> None:
    found = parse_condition(f"event: d where {clause}", now=NOW)
    assert isinstance(found, OnEvent)
    assert [one.holds(data) for one in found.where] == [holds]


def test_the_word_and_in_quotes_parts_nothing() -> None:
    found = parse_condition("""event: d where a == "x and y" and b == 'p and q' and c > 1""", now=NOW)
    assert isinstance(found, OnEvent)
    assert [one.value for one in found.where] == ["x and y", "p and q", 1]


def test_a_condition_is_shown_as_it_was_written() -> None:
    text = 'event: d where city == "Köln" and n in [1, 2]'
    assert str(parse_condition(text, now=NOW)) == text


def test_an_unknown_condition_is_answered_with_all_forms() -> None:
    with pytest.raises(InvalidCondition) as refused:
        parse_condition(f"when {'x' * 80}", now=NOW)
    said = str(refused.value)
    assert said == f"Invalid wait condition “when {'x' * 55}”. Write one of: {', '.join(FORMS)}."
