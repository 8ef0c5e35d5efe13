"""Cron expressions: compared with a search through all minutes, and by hand where the clocks change."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, time, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from supervisor.core.conditions import Cron, parse_condition
from supervisor.core.errors import InvalidCondition
from supervisor.core.times import next_cron
from tests.examples import examples

NOW = datetime(2026, 11, 25, 3, 0, tzinfo=UTC)
BERLIN, NEW_YORK = ZoneInfo("Europe/Berlin"), ZoneInfo("America/New_York")
WEEKDAYS = ("SUN", "MON", "TUE", "WED", "THU", "FRI", "SAT")
MONTHS = ("JAN", "FEB", "MAR", "APR", "MAY", "JUN", "JUL", "AUG", "SEP", "OCT", "NOV", "DEC")
YEAR = timedelta(days=366)


@dataclass(frozen=True)
class Field:
    """A field as it is written, and the numbers that it stands for."""

    text: str
    values: frozenset[int]

    @property
    def starred(self) -> bool:
        return self.text.startswith("*")


@st.composite
def terms(draw: st.DrawFn, low: int, high: int, names: tuple[str, ...] = ()) -> Field:
    def written(number: int) -> str:
        name = names[number - low] if number - low < len(names) else str(number)
        return draw(st.sampled_from([str(number), name, name.lower()]))

    first = draw(st.integers(low, high))
    last = draw(st.integers(first, high))
    step = draw(st.integers(1, 9))
    return draw(
        st.sampled_from(
            [
                Field("*", frozenset(range(low, high + 1))),
                Field(f"*/{step}", frozenset(range(low, high + 1, step))),
                Field(written(first), frozenset({first})),
                Field(f"{written(first)}-{written(last)}", frozenset(range(first, last + 1))),
                Field(f"{first}-{last}/{step}", frozenset(range(first, last + 1, step))),
            ]
        )
    )


def fields(low: int, high: int, names: tuple[str, ...] = ()) -> st.SearchStrategy[Field]:
    several = st.lists(terms(low, high, names), min_size=1, max_size=3)
    return several.map(
        lambda found: Field(
            ",".join(f.text for f in found), frozenset[int]().union(*(f.values for f in found))
        )
    )


@st.composite
def expressions(draw: st.DrawFn) -> tuple[Field, ...]:
    return (
        draw(fields(0, 59)),
        draw(fields(0, 23)),
        draw(fields(1, 31)),
        draw(fields(1, 12, MONTHS)),
        draw(fields(0, 7, WEEKDAYS)),
    )


def searched(expression: tuple[Field, ...], zone: ZoneInfo, after: datetime) -> Iterator[datetime]:
    """Each minute of the next year that fits, where the zone has no daylight saving."""
    minute, hour, day, month, weekday = expression
    start = after.astimezone(zone)
    for number in range(YEAR.days):
        date = start.date() + timedelta(days=number)
        of_month = date.day in day.values
        of_week = date.isoweekday() in weekday.values or date.isoweekday() % 7 in weekday.values
        either = not (day.starred or weekday.starred)
        if date.month not in month.values or not (of_month or of_week if either else of_month and of_week):
            continue
        for h in sorted(hour.values):
            for m in sorted(minute.values):
                moment = datetime.combine(date, time(h, m), tzinfo=zone).astimezone(UTC)
                if moment > after:
                    yield moment


@settings(max_examples=examples(120), deadline=None)
@given(
    expression=expressions(),
    zone=st.sampled_from([ZoneInfo("UTC"), ZoneInfo("Asia/Kolkata"), ZoneInfo("Asia/Tokyo")]),
    after=st.integers(0, int(YEAR.total_seconds() * 10)).map(lambda n: NOW + timedelta(seconds=n / 10)),
)
def test_any_expression_means_what_a_search_through_all_minutes_finds(
    expression: tuple[Field, ...], zone: ZoneInfo, after: datetime
) -> None:
    text = " ".join(field.text for field in expression)
    expected = searched(expression, zone, after)
    for _ in range(4):
        want = next(expected, None)
        if want is None:
            return
        due = next_cron(text, zone, after)
        assert due == want, text
        after = due


@pytest.mark.parametrize(
    "name",
    [
        "Europe/Berlin",
        "America/New_York",
        "America/Havana",
        "America/Santiago",
        "Australia/Lord_Howe",
        "Africa/Casablanca",
    ],
)
@pytest.mark.parametrize("expression", ["0 0 * * *", "30 1 * * *", "30 2 * * *", "15 23 * * *"])
def test_a_daily_time_comes_on_each_day_of_a_year_once(name: str, expression: str) -> None:
    zone = ZoneInfo(name)
    after = datetime(2027, 1, 1, tzinfo=zone).astimezone(UTC) - timedelta(seconds=1)
    days = []
    for _ in range(365):
        due = next_cron(expression, zone, after)
        assert due is not None
        assert due > after
        days.append(due.astimezone(zone).date())
        after = due
    first = datetime(2027, 1, 1).date()
    assert days == [first + timedelta(days=n) for n in range(365)]


@settings(max_examples=examples(100), deadline=None)
@given(expression=expressions(), minutes=st.integers(-300, 300))
def test_the_next_time_lies_ahead_also_where_the_clocks_change(
    expression: tuple[Field, ...], minutes: int
) -> None:
    text = " ".join(field.text for field in expression)
    for change in (datetime(2027, 3, 28, 1, tzinfo=UTC), datetime(2027, 10, 31, 1, tzinfo=UTC)):
        after = change + timedelta(minutes=minutes)
        try:
            due = next_cron(text, BERLIN, after)
        except InvalidCondition:
            # Only a date that no month has.
            assert expression[2].values <= {30, 31}
            continue
        assert due is None or due > after


def times(expression: str, zone: ZoneInfo, after: datetime, count: int) -> list[str]:
    found = []
    for _ in range(count):
        due = next_cron(expression, zone, after)
        assert due is not None
        assert due.tzinfo is UTC
        found.append(due.astimezone(zone).isoformat())
        after = due
    return found


def test_midnight_comes_on_each_day_of_march_in_new_york() -> None:
    found = times("0 0 * * *", NEW_YORK, datetime(2027, 2, 28, 12, tzinfo=UTC), 31)
    assert [text[:16] for text in found] == [f"2027-03-{day:02}T00:00" for day in range(1, 32)]


def test_a_time_that_daylight_saving_skips_comes_right_after_the_gap() -> None:
    before = datetime(2026, 3, 28, 12, tzinfo=UTC)
    days = ["2026-03-29T03:00:00+02:00", "2026-03-30T02:30:00+02:00"]
    assert times("30 2 * * *", BERLIN, before, 2) == days
    assert times("0 2,3 * * *", BERLIN, before, 2) == [
        "2026-03-29T03:00:00+02:00",
        "2026-03-30T02:00:00+02:00",
    ]


def test_a_time_that_daylight_saving_repeats_comes_once() -> None:
    assert times("30 2 * * *", BERLIN, datetime(2026, 10, 24, 12, tzinfo=UTC), 2) == [
        "2026-10-25T02:30:00+02:00",
        "2026-10-26T02:30:00+01:00",
    ]
    # Asked in the second of the two hours, when it has come already.
    assert times("30 2 * * *", BERLIN, datetime(2026, 10, 25, 1, 10, tzinfo=UTC), 1) == [
        "2026-10-26T02:30:00+01:00"
    ]
    assert times("30 1 * * *", NEW_YORK, datetime(2026, 10, 31, 12, tzinfo=UTC), 2) == [
        "2026-11-01T01:30:00-04:00",
        "2026-11-02T01:30:00-05:00",
    ]


def test_an_hourly_time_goes_on_through_the_skipped_and_the_repeated_hour() -> None:
    assert times("0 * * * *", BERLIN, datetime(2026, 10, 24, 23, 30, tzinfo=UTC), 3) == [
        "2026-10-25T02:00:00+02:00",
        "2026-10-25T02:00:00+01:00",
        "2026-10-25T03:00:00+01:00",
    ]
    assert times("*/30 * * * *", BERLIN, datetime(2026, 3, 29, 0, 15, tzinfo=UTC), 3) == [
        "2026-03-29T01:30:00+01:00",
        "2026-03-29T03:00:00+02:00",
        "2026-03-29T03:30:00+02:00",
    ]


@pytest.mark.parametrize(
    ("expression", "first"),
    [
        ("0 9 * * MON-FRI", "2026-11-25T09:00:00+01:00"),
        ("0 9 * * 1", "2026-11-30T09:00:00+01:00"),
        ("0 9 * * 0", "2026-11-29T09:00:00+01:00"),
        ("0 9 * * 7", "2026-11-29T09:00:00+01:00"),
        ("0 9 * * 1-5", "2026-11-25T09:00:00+01:00"),
        ("0 9 * * sat-sun", "2026-11-28T09:00:00+01:00"),
        ("0 9 * * */2", "2026-11-26T09:00:00+01:00"),
        ("5-5/2 9 * * *", "2026-11-25T09:05:00+01:00"),
        ("0 9 1 * 5", "2026-11-27T09:00:00+01:00"),
        ("0 9 1 * *", "2026-12-01T09:00:00+01:00"),
        ("0 9 */2 * 5", "2026-11-27T09:00:00+01:00"),
        ("0 9 1 jan-feb *", "2027-01-01T09:00:00+01:00"),
        ("0 0 29 2 *", "2028-02-29T00:00:00+01:00"),
        ("*/15 * * * *", "2026-11-25T04:15:00+01:00"),
        ("@hourly", "2026-11-25T05:00:00+01:00"),
        ("@daily", "2026-11-26T00:00:00+01:00"),
        ("@Midnight", "2026-11-26T00:00:00+01:00"),
        ("@weekly", "2026-11-29T00:00:00+01:00"),
        ("@monthly", "2026-12-01T00:00:00+01:00"),
        ("@yearly", "2027-01-01T00:00:00+01:00"),
        ("@annually", "2027-01-01T00:00:00+01:00"),
    ],
)
def test_cron_means_what_crontab_means(expression: str, first: str) -> None:
    assert times(expression, BERLIN, NOW, 1) == [first]


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("", "wrong number of fields"),
        ("* * * *", "wrong number of fields"),
        ("* * * * * *", "wrong number of fields"),
        ("0 9 * * 1 launch", "wrong number of fields"),
        ("@never", "wrong number of fields"),
        ("@daily x", "wrong number of fields"),
        ("61 * * * *", "bad minute"),
        ("*/0 * * * *", "bad minute"),
        ("0 24 * * *", "bad hour"),
        ("0 0 0 * *", "bad day-of-month"),
        ("0 0 32 2 *", "bad day-of-month"),
        ("0 0 1 13 *", "bad month"),
        ("0 0 1 1 8", "bad day-of-week"),
        ("0 0 * * fri-mon", "bad day-of-week"),
        ("a b c d e", "bad minute"),
        ("0 " * 80, "wrong number of fields"),
    ],
)
def test_a_wrong_expression_is_refused_with_one_sentence(text: str, why: str) -> None:
    with pytest.raises(InvalidCondition) as refused:
        next_cron(text, BERLIN, NOW)
    sentence = str(refused.value)
    assert f"is no cron expression ({why}); write five fields" in sentence
    assert sentence.count(". ") == 0


@pytest.mark.parametrize("expression", ["0 0 30 2 *", "0 0 31 2 *", "0 0 31 4,6 *", "0 0 30-31 FEB *"])
def test_a_day_that_no_calendar_has_is_refused_at_once(expression: str) -> None:
    for refuse in (
        lambda: next_cron(expression, BERLIN, NOW),
        lambda: parse_condition(f"cron: {expression}", now=NOW),
    ):
        with pytest.raises(InvalidCondition, match="never comes: there is no such day"):
            refuse()


@pytest.mark.parametrize("expression", ["0 0 L * *", "0 0 LW * *", "0 0 * * MON#2", "0 0 * * FRIL"])
def test_what_only_the_library_knows_is_refused(expression: str) -> None:
    with pytest.raises(InvalidCondition, match="no cron expression"):
        parse_condition(f"cron: {expression}", now=NOW)


@pytest.mark.parametrize(
    ("expression", "days"), [("0 0 * * 0-SUN", {6}), ("0 0 * * SUN-SUN", {6}), ("0 0 * * SAT-SUN", {5, 6})]
)
def test_sunday_ends_a_range_and_begins_one(expression: str, days: set[int]) -> None:
    due, found = NOW, set()
    for _ in range(6):
        after = next_cron(expression, UTC, due)
        assert after
        due = after
        found.add(due.weekday())
    assert found == days


@pytest.mark.parametrize(
    ("expression", "after", "days"),
    [
        ("0 9 13 * fri", datetime(2026, 12, 10, 12, tzinfo=UTC), [11, 13, 18]),
        ("0 9 * * 0-7", datetime(2026, 12, 10, 12, tzinfo=UTC), [11, 12, 13]),
        ("0 9 * * */2", datetime(2026, 12, 10, 12, tzinfo=UTC), [12, 13, 15]),
    ],
)
def test_a_condition_has_the_meaning_of_a_schedule(expression: str, after: datetime, days: list[int]) -> None:
    found, moment = [], after
    for _ in days:
        condition = parse_condition(f"cron: {expression}", now=moment, zone="Europe/Berlin")
        assert isinstance(condition, Cron)
        moment = condition.due
        found.append(moment.day)
    assert found == days


@pytest.mark.parametrize("expression", ["0 9 * * MON tail", "0 9 * * MON launch", "0 9 * * * # daily"])
def test_a_condition_with_a_tail_is_refused(expression: str) -> None:
    with pytest.raises(InvalidCondition, match="no cron expression"):
        parse_condition(f"cron: {expression}", now=NOW)
