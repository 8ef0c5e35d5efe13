"""Durations, moments and conditions: read as meant, across changes of daylight saving."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from supervisor.core.conditions import Clause, OnEvent, parse_condition
from supervisor.core.errors import InvalidCondition
from supervisor.core.times import LONGEST, next_cron, parse_duration, parse_moment, zone_named

NOW = datetime(2026, 11, 25, 3, 0, tzinfo=UTC)
BERLIN = ZoneInfo("Europe/Berlin")


def test_a_time_that_daylight_saving_skips_moves_on_by_the_gap() -> None:
    moment = parse_moment("2026-03-29T02:30", datetime(2026, 3, 28, 12, tzinfo=UTC), BERLIN)
    assert moment.astimezone(BERLIN).isoformat() == "2026-03-29T03:30:00+02:00"


@pytest.mark.parametrize(
    ("text", "seconds"),
    [("90s", 90), ("2h", 7200), ("1h30m", 5400), ("2 days", 172800), ("1 h and 5 min", 3900)],
)
def test_durations(text: str, seconds: int) -> None:
    assert parse_duration(text) == timedelta(seconds=seconds)


@pytest.mark.parametrize("text", ["", "h", "3x", "0s", "-1h", "9999 weeks", "1h later"])
def test_wrong_durations(text: str) -> None:
    with pytest.raises(InvalidCondition, match="no duration"):
        parse_duration(text)


@pytest.mark.parametrize(
    ("text", "due"),
    [
        ("09:00", "2026-11-25T08:00:00+00:00"),
        ("03:00", "2026-11-26T02:00:00+00:00"),
        ("tomorrow 09:00", "2026-11-26T08:00:00+00:00"),
        ("monday at 09:00", "2026-11-30T08:00:00+00:00"),
        ("wed 03:30", "2026-12-02T02:30:00+00:00"),
        ("2026-12-01T09:00-05:00", "2026-12-01T14:00:00+00:00"),
        ("2026-12-01 09:00", "2026-12-01T08:00:00+00:00"),
    ],
)
def test_moments_are_read_in_the_speakers_zone(text: str, due: str) -> None:
    assert parse_moment(text, NOW, BERLIN).isoformat() == due


@pytest.mark.parametrize(
    "text", ["25:00", "noonish", "today 01:00", "2020-01-01T00:00Z", "2026-12-01", "2099-01-01T00:00Z"]
)
def test_wrong_moments(text: str) -> None:
    with pytest.raises(InvalidCondition):
        parse_moment(text, NOW, BERLIN)


def test_an_event_is_matched_on_its_data() -> None:
    condition = parse_condition('event: deploy.finished where env == "prod" and build.n >= 3', now=NOW)
    assert isinstance(condition, OnEvent)
    for data, holds in (
        ({"env": "prod", "build": {"n": 3}}, True),
        ({"env": "prod", "build": {"n": 2}}, False),
        ({"env": "prod", "build": {"n": "3"}}, False),
        ({"env": "prod"}, False),
        ("prod", False),
        (None, False),
    ):
        assert all(clause.holds(data) for clause in condition.where) == holds
    assert parse_condition(str(condition), now=NOW) == condition


@pytest.mark.parametrize(
    "text",
    [
        "",
        "tea",
        "webhook:",
        "webhook: a b",
        "event: x where",
        "event: x where y",
        "event: x where y == prod",
        "at:",
        "in: soon",
    ],
)
def test_a_wrong_condition_says_what_is_accepted(text: str) -> None:
    with pytest.raises(InvalidCondition) as refusal:
        parse_condition(text, now=NOW)
    assert str(refusal.value).endswith((".", "ahead."))


@settings(max_examples=200, deadline=None)
@given(text=st.text(max_size=60))
def test_any_text_is_read_or_refused(text: str) -> None:
    for prefix in ("", "at: ", "in: ", "cron: ", "event: ", "webhook: "):
        # Any other error fails the test.
        with contextlib.suppress(InvalidCondition):
            parse_condition(prefix + text, now=NOW, zone="Europe/Berlin")


@settings(max_examples=200, deadline=None)
@given(
    data=st.recursive(
        st.none() | st.booleans() | st.integers() | st.text(),
        lambda x: st.lists(x) | st.dictionaries(st.sampled_from("ab"), x),
        max_leaves=6,
    )
)
def test_comparing_any_data_never_fails(data: object) -> None:
    for operator in ("==", "!=", "<", ">", "<=", ">=", "in", "contains"):
        for value in (1, "x", True, None, [1, "x"]):
            assert Clause(field="a", operator=operator, value=value).holds(data) in (True, False)


@pytest.mark.parametrize(
    ("text", "zone"),
    [
        ("9999-12-31T23:59-14:00", "UTC"),
        ("0001-01-01T00:00+14:00", "UTC"),
        ("9999-12-31T23:59", "America/New_York"),
        ("0001-01-01T00:00", "Pacific/Apia"),
    ],
)
def test_a_moment_outside_of_the_calendar_is_refused(text: str, zone: str) -> None:
    with pytest.raises(InvalidCondition):
        parse_moment(text, NOW, zone_named(zone))


@pytest.mark.parametrize(
    ("text", "read"), [("1s", True), ("0.5s", False), ("1830 days", True), ("1831 days", False)]
)
def test_a_duration_is_between_a_second_and_five_years(text: str, read: bool) -> None:
    if read:
        assert parse_duration(text) > timedelta()
        return
    with pytest.raises(InvalidCondition):
        parse_duration(text)


@pytest.mark.parametrize(
    ("text", "due"),
    [
        # It is the next day in Tokyo.
        ("tomorrow 09:00", "2026-11-27T00:00:00+00:00"),
        ("today 10:00", "2026-11-26T01:00:00+00:00"),
        ("thursday 10:00", "2026-11-26T01:00:00+00:00"),
        # What is now comes with the next day, or the next week.
        ("08:30", "2026-11-26T23:30:00+00:00"),
        ("thursday 08:30", "2026-12-02T23:30:00+00:00"),
        ("1am", "2026-11-26T16:00:00+00:00"),
        ("12am", "2026-11-26T15:00:00+00:00"),
        ("12pm", "2026-11-26T03:00:00+00:00"),
        ("08:30:15", "2026-11-25T23:30:15+00:00"),
        ("20261201T09", "2026-12-01T00:00:00+00:00"),
    ],
)
def test_the_day_is_that_of_the_speaker(text: str, due: str) -> None:
    now = datetime(2026, 11, 25, 23, 30, tzinfo=UTC)
    assert parse_moment(text, now, ZoneInfo("Asia/Tokyo")).isoformat() == due


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("2026-11-25T03:00Z", "“2026-11-25T03:00Z” is in the past."),
        ("2031-11-30T03:00:01Z", "“2031-11-30T03:00:01Z” is more than 5 years ahead."),
        (f"when {'x' * 60}", f"“when {'x' * 35}” is no time that can be read. Write `in 30m`"),
        ("13am", "“13am” is no time that can be read."),
    ],
)
def test_a_moment_that_is_refused_says_why(text: str, said: str) -> None:
    with pytest.raises(InvalidCondition) as refused:
        parse_moment(text, NOW, BERLIN)
    assert str(refused.value).startswith(said)


def test_a_moment_is_at_most_five_years_ahead() -> None:
    text = f"{NOW + LONGEST:%Y-%m-%dT%H:%M}Z"
    assert parse_moment(text, NOW, BERLIN) == NOW + LONGEST


def test_a_cron_expression_may_name_all_days_and_months() -> None:
    months, days = "JAN,FEB,MAR,APR,MAY,JUN,JUL,AUG,SEP,OCT,NOV,DEC", "MON,TUE,WED,THU,FRI,SAT,SUN"
    assert next_cron(f"0 9 * {months} {days}", BERLIN, NOW) == datetime(2026, 11, 25, 8, tzinfo=UTC)


@pytest.mark.parametrize(
    ("expression", "why"), [("0 9 L * *", "cron has no “l”"), ("0 9 * * MON#2", "cron has no “mon#”")]
)
def test_a_word_that_cron_has_not_is_named(expression: str, why: str) -> None:
    with pytest.raises(InvalidCondition) as refused:
        next_cron(expression, BERLIN, NOW)
    assert f"is no cron expression ({why}); write five fields" in str(refused.value)


@pytest.mark.parametrize(("length", "read"), [(120, True), (121, False)])
def test_a_cron_expression_has_so_many_characters(length: int, read: bool) -> None:
    minutes = ",".join(["10"] * 40)[: length - 8]
    expression = f"{minutes.ljust(length - 8, '0')} 9 * * *"
    assert len(expression) == length
    if read:
        assert next_cron(expression, BERLIN, NOW)
        return
    with pytest.raises(InvalidCondition, match="wrong number of fields"):
        next_cron(expression, BERLIN, NOW)


def test_a_time_is_in_utc_wherever_the_process_runs(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TZ", "Asia/Tokyo")
    time.tzset()
    try:
        for text in ("2026-12-01T10:00+01:00", "2026-12-01T10:00", "tuesday 10:00"):
            assert parse_moment(text, NOW, BERLIN).isoformat() == "2026-12-01T09:00:00+00:00"
    finally:
        monkeypatch.undo()
        time.tzset()


@pytest.mark.parametrize("refuse", [parse_duration, lambda text: next_cron(text, BERLIN, NOW)])
def test_of_a_long_text_that_cannot_be_read_the_beginning_is_repeated(
    refuse: Callable[[str], object],
) -> None:
    with pytest.raises(InvalidCondition) as refused:
        refuse("x" * 100)
    repeated = str(refused.value)[1:].partition("”")[0]
    assert repeated in ("x" * 40, "x" * 60)
