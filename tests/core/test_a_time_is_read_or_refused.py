"""A time at the beginning of a text is read or refused, and the words after it are kept."""

from __future__ import annotations

import contextlib
from datetime import UTC, datetime

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from supervisor.core.due import leading_due, parse_due
from supervisor.core.errors import InvalidCondition
from tests.linear import assert_linear

NOW = datetime(2026, 11, 25, 3, 0, tzinfo=UTC)
ZONE = "Europe/Berlin"
PARTS = (
    *(
        "in",
        "at",
        "on",
        "half",
        "an",
        "9",
        "09:00",
        "25:61",
        "-5",
        "s",
        "m",
        "h",
        "noon",
        "monday",
        "tomorrow",
    ),
    *(",", ".", "/", "0", "\u0663", "am", "ago", "utc"),
)


@pytest.mark.parametrize(
    ("text", "due", "words"),
    [
        ("in 3s look at the canary first", "2026-11-25T03:00:03+00:00", "look at the canary first"),
        ("in 1h and look", "2026-11-25T04:00:00+00:00", "and look"),
        ("in 2 hours and 5 min, go", "2026-11-25T05:05:00+00:00", "go"),
        ("in half an hour", "2026-11-25T03:30:00+00:00", ""),
        ("in two hours", "2026-11-25T05:00:00+00:00", ""),
        ("in an hour go", "2026-11-25T04:00:00+00:00", "go"),
        ("at noon", "2026-11-25T11:00:00+00:00", ""),
        ("at midnight stop", "2026-11-25T23:00:00+00:00", "stop"),
        ("9am check", "2026-11-25T08:00:00+00:00", "check"),
        ("12:30pm go", "2026-11-25T11:30:00+00:00", "go"),
        ("09:00 tomorrow look", "2026-11-26T08:00:00+00:00", "look"),
        ("on friday at 17:00 stop", "2026-11-27T16:00:00+00:00", "stop"),
        ("2026-12-01T09:00+01:00 go", "2026-12-01T08:00:00+00:00", "go"),
        ("2026-12-01 09:00", "2026-12-01T08:00:00+00:00", ""),
    ],
)
def test_a_time_is_read_and_the_words_are_kept(text: str, due: str, words: str) -> None:
    found = leading_due(text, NOW, ZONE)
    assert found
    assert (found[0].isoformat(), found[1]) == (due, words)


@pytest.mark.parametrize(
    "text",
    [
        *("in -5s", "in 0s", "in 3 moons", "in 5 months", "in 2hx", "in a moment", "in the morning", "-5s"),
        *("at 9", "at 9.30", "at half past nine", "at 23:60", "25:00", "13pm", "09:00-10:00", "09:00 UTC"),
        *(
            "tomorrow",
            "monday",
            "next monday",
            "tonight",
            "soon",
            "today 01:00",
            "24.12. 09:00",
            "dec 24 09:00",
        ),
        *("2026-12-01", "2020-01-01T00:00Z", "10 minutes ago", "in 99999999999999999w"),
    ],
)
def test_what_looks_like_a_time_and_cannot_be_read_is_refused(text: str) -> None:
    with pytest.raises(InvalidCondition):
        leading_due(text, NOW, ZONE)


@pytest.mark.parametrize(
    "text",
    [
        *("in production look", "in a nutshell", "in one go", "at once", "at the end", "a second look"),
        *(
            "2nd deploy only",
            "3 retries are enough",
            "monday's deploy",
            "next step",
            "soon we ship",
            "for lunch",
        ),
    ],
)
def test_words_are_no_time(text: str) -> None:
    assert leading_due(text, NOW, ZONE) is None
    with pytest.raises(InvalidCondition):
        parse_due(text, NOW, ZONE)


def test_a_time_alone_takes_no_words() -> None:
    with pytest.raises(InvalidCondition):
        parse_due("in 2h or later", NOW, ZONE)


@settings(max_examples=300, deadline=None)
@given(st.lists(st.sampled_from(PARTS), max_size=6))
def test_any_text_is_read_or_refused_or_is_words(parts: list[str]) -> None:
    for joined in (" ".join(parts), "".join(parts)):
        with contextlib.suppress(InvalidCondition):
            found = leading_due(joined, NOW, ZONE)
            assert found is None or found[0] > NOW


@pytest.mark.parametrize(
    "text", ["in " + " " * 50_000, "in\n" * 20_000, "at " * 20_000, "in 1h " + "and " * 20_000]
)
def test_long_texts_are_read_or_refused_in_linear_time(text: str) -> None:
    def read(part: str) -> None:
        with contextlib.suppress(InvalidCondition):
            leading_due(part, NOW, ZONE)

    assert_linear(read, text)


@pytest.mark.parametrize(
    "text",
    """in twenty minutes|in about 2 hours|in ~2h|in two and a half hours|in several hours|in a quarter of an hour
at nine thirty|half past nine|9 o'clock|at about 9|around 9am|0930|09\uff1a00|before 5pm|from 9am|@9am
later today|after lunch|midday|first thing tomorrow|day after tomorrow 9am|tmrw 9am|20261201T090000|two hours from now
in an hour and a half|in a day or two|in 2 hours or so|quarter to ten look|in fifteen mins please|at nine
within the hour|by tomorrow morning|thirty minutes|ten minutes from now|in a couple of days|an hour from now""".replace(
        "\n", "|"
    ).split("|"),
)
def test_a_time_in_words_that_are_not_read_is_refused(text: str) -> None:
    with pytest.raises(InvalidCondition):
        leading_due(text, NOW, ZONE)


@pytest.mark.parametrize(
    "text",
    """in order to save money|at the next step stop|from the logs it is clear|about 9 pods are failing
this time be careful|two pods only|first the canary, then the rest|by all means|next time ask|half of the pods
2026 is the year's budget file|after the deploy, check|before anything else, look|day shift approved it
one at a time|a minute detail is wrong""".replace("\n", "|").split("|"),
)
def test_words_that_mean_no_time_stay_words(text: str) -> None:
    assert leading_due(text, NOW, ZONE) is None


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("in   3 moons", "“in 3 moons” is no time that can be read. Write"),
        (f"in 3 {'x' * 60}", f"“in 3 {'x' * 35}” is no time that can be read. Write"),
        ("around (noon).", "“around (noon).” is no time that can be read. Write"),
    ],
)
def test_what_looks_like_a_time_is_repeated_in_the_refusal(text: str, said: str) -> None:
    with pytest.raises(InvalidCondition) as refused:
        leading_due(text, NOW, ZONE)
    assert str(refused.value).startswith(said)


def test_words_stay_as_they_are_but_for_blanks_and_the_signs_before_them() -> None:
    found = leading_due(" in  1h ;, \t Xylophone: go ", NOW, ZONE)
    assert found
    assert found[1] == "Xylophone: go"
