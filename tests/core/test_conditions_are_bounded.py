"""A condition that the log could not hold, or that is too long to be one, is refused in a sentence."""

from __future__ import annotations

from contextlib import suppress
from datetime import UTC, datetime

import pytest

from supervisor.core.conditions import LONGEST, parse_condition
from supervisor.core.errors import InvalidCondition
from supervisor.core.text.visible import is_blank
from tests.linear import assert_linear

NOW = datetime(2026, 11, 25, 3, 0, tzinfo=UTC)
EVENT = "event: a where b == "


@pytest.mark.parametrize(
    "text",
    [
        EVENT + r'"\ud800"',
        EVENT + "1e999",
        EVENT + "NaN",
        EVENT + "[" * 1_900,
        EVENT + '[{"c": Infinity}]',
        "event: a where " + " and ".join(["b == 1"] * 4_000),
        "event: a where" + " " * 25_000 + "b == 1",
        "webhook: " + "a" * 3_000,
        "cron: " + "0 " * 3_000,
        "in: " + "1h " * 3_000,
    ],
)
def test_it_is_refused_in_linear_time(text: str) -> None:
    def read(part: str) -> None:
        with suppress(InvalidCondition):
            parse_condition(part, now=NOW)

    with pytest.raises(InvalidCondition):
        parse_condition(text, now=NOW)
    assert_linear(read, text)


def test_a_long_one_is_still_read() -> None:
    text = EVENT + '"' + "x" * (LONGEST - len(EVENT) - 2) + '"'
    assert str(parse_condition(text, now=NOW)) == text


@pytest.mark.parametrize(
    "text", ["", " \n\t", "\u200b\u2060", "  \n\u200b ", "\u3164", "\u0301\u0301", "\ufeff"]
)
def test_what_shows_nothing_is_blank(text: str) -> None:
    assert is_blank(text)


@pytest.mark.parametrize("text", [".", "\u200ba", "0", "日", "👍", "é"])
def test_what_shows_something_is_not(text: str) -> None:
    assert not is_blank(text)
