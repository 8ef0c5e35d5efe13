"""A launch may ask for limits within those of its persona and of its place, and the strictest of all holds."""

from __future__ import annotations

from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from supervisor.core.commands.limits import (
    LIMITS,
    LimitName,
    Limits,
    check_within,
    limit_text,
    limits_of,
    parse_limits,
    strictest,
    within,
)
from supervisor.core.errors import InvalidInput
from supervisor.core.persona import Budgets

SOME = st.builds(
    Limits,
    steps=st.none() | st.integers(1, 9),
    usd=st.none() | st.decimals("0.01", "9", places=2),
    minutes=st.none() | st.floats(0.5, 9),
)
WHOSE: dict[LimitName, str] = {"steps": "this channel", "usd": "the persona", "minutes": "an admin"}


@pytest.mark.parametrize(
    ("words", "found"),
    [
        ("", Limits()),
        ("steps=20", Limits(steps=20)),
        ("steps=20, usd=$2.5, minutes=0.5", Limits(steps=20, usd=Decimal("2.5"), minutes=0.5)),
        ("usd=2 minutes=30", Limits(usd=Decimal(2), minutes=30)),
    ],
)
def test_limits_are_read_as_they_are_written(words: str, found: Limits) -> None:
    assert parse_limits(words.split()) == found


@pytest.mark.parametrize(
    ("words", "said"),
    [
        ("hours=2", "“hours=2” is no limit; write"),
        (f"{'x' * 39}yz", f"“{'x' * 39}y” is no limit; write"),
        ("usd=2 steps=many", "“many” is no limit for `steps`; write"),
        ("steps", "“” is no limit for `steps`"),
        (f"steps={'9' * 39}87", f"“{'9' * 39}8” is no limit for `steps`"),
        *((f"{name}={value}", f"`{name}`") for name in LIMITS for value in ("0", "-1", "1000001")),
        *((f"{name}={value}", f"`{name}`") for name in ("usd", "minutes") for value in ("inf", "nan")),
    ],
)
def test_anything_else_is_refused_and_says_what_to_write(words: str, said: str) -> None:
    with pytest.raises(InvalidInput) as refused:
        parse_limits(words.split())
    assert said in str(refused.value)
    assert str(refused.value).endswith("write `steps=20`, `usd=2` or `minutes=30`, each more than 0.")


@given(st.lists(SOME, max_size=4))
def test_the_lowest_of_each_limit_holds(limits: list[Limits]) -> None:
    found = strictest(*limits)
    for name in LIMITS:
        given_ = [getattr(one, name) for one in limits if getattr(one, name) is not None]
        assert getattr(found, name) == (min(given_) if given_ else None)


@given(SOME, SOME)
def test_budgets_within_limits_exceed_none_and_keep_the_rest(own: Limits, limits: Limits) -> None:
    budgets = Budgets(
        max_steps=own.steps or 50, max_cost_usd=own.usd, max_minutes=own.minutes, max_tokens=7, max_depth=1
    )
    found = within(budgets, limits)
    assert limits_of(found) == strictest(limits_of(budgets), limits)
    rest = {"max_steps", "max_cost_usd", "max_minutes"}
    assert found.model_dump(exclude=rest) == budgets.model_dump(exclude=rest)


def test_a_persona_may_have_limits_above_those_that_a_launch_can_ask_for() -> None:
    large = Budgets(max_steps=5_000_000, max_cost_usd=Decimal("2e6"), max_minutes=2e6)
    assert within(large, Limits()) == large
    assert within(large, Limits(steps=3)) == large.model_copy(update={"max_steps": 3})


@given(SOME, SOME)
def test_a_launch_asks_for_no_more_than_is_allowed(asked: Limits, allowed: Limits) -> None:
    above = [n for n, most in allowed.given.items() if n in asked.given and asked.given[n] > most]
    if not above:
        return check_within(asked, allowed, WHOSE)
    with pytest.raises(InvalidInput, match=f"as set by {WHOSE[above[0]]}"):
        check_within(asked, allowed, WHOSE)
    return None


def test_a_refusal_says_the_most_who_set_it_and_what_was_asked_for() -> None:
    with pytest.raises(InvalidInput) as refused:
        check_within(Limits(usd=Decimal(5)), Limits(usd=Decimal("2.5")), WHOSE)
    assert str(refused.value) == (
        "At most $2.50 here, as set by the persona; ask for no more than that, not for $5.00."
    )


@pytest.mark.parametrize(
    ("name", "value", "text"),
    [
        ("steps", 1, "1 step"),
        ("steps", 2000, "2,000 steps"),
        ("usd", Decimal("2.5"), "$2.50"),
        ("minutes", 1, "1 minute"),
        ("minutes", 1.5, "1.5 minutes"),
        ("minutes", 30, "30 minutes"),
        ("minutes", 10**6, "1,000,000 minutes"),
    ],
)
def test_a_limit_has_its_unit(name: LimitName, value: int | Decimal | float, text: str) -> None:
    assert limit_text(name, value) == text
