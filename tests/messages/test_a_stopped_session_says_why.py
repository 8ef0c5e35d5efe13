"""A session that its budgets or errors have stopped: what it used of what, and what each button gives it."""

from __future__ import annotations

from datetime import timedelta
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bot.playground.block_kit.blocks import check_message_blocks, check_view
from handlers.messages.pauses import spent, ways_on
from handlers.messages.thread import thread
from handlers.modals.resume import resume_modal
from supervisor.core.events import Paused, PauseReason
from supervisor.core.messages import Usage
from supervisor.core.persona import Budgets
from supervisor.core.reducer import fold
from supervisor.core.state import Session
from supervisor.core.text.format import money
from tests.core.build import AT, SID, by, launched, responded


def stopped(
    reason: PauseReason,
    *,
    steps: int = 2,
    tokens: int = 50,
    cost: str = "0.5",
    minutes: float = 5,
    **limits: Any,
) -> Session:
    usage = {"usage": Usage(input_tokens=tokens), "cost_usd": Decimal(cost)}
    pause = Paused(**by(at=AT + timedelta(minutes=minutes)), reason=reason)
    begun = launched(budgets=Budgets(**limits))
    return fold(SID, [begun, *(responded(text="x", **usage) for _ in range(steps)), pause])


def labels(session: Session) -> list[str]:
    """The labels of the buttons, then of the options of the menu without those it always has."""
    *pressed, menu = ways_on(session)
    options = [option["text"]["text"] for option in menu["options"]]
    assert options[-2:] == ["View log", "Cancel session…"]
    return [*(button["text"]["text"] for button in pressed), *options[:-2]]


@pytest.mark.parametrize(
    ("session", "expected"),
    [
        (
            stopped("budget_exceeded", max_cost_usd=Decimal(1)),
            ["Raise to $2.00 and resume", "Resume with a message", "Compact and raise to $2.00"],
        ),
        (
            stopped("budget_exceeded", max_steps=2),
            ["Raise to 4 steps and resume", "Resume with a message"],
        ),
        (
            stopped("budget_exceeded", max_minutes=5),
            ["Give it 5 more minutes", "Resume with a message"],
        ),
        (
            stopped("budget_exceeded", max_minutes=2.5, max_steps=1),
            ["Raise to 3 steps, 2.5 more minutes and resume", "Resume with a message"],
        ),
        (
            stopped("context_budget_exceeded", max_context_tokens=50),
            [
                "Raise to 100 tokens of context and resume",
                "Resume with a message",
                "Compact and resume",
            ],
        ),
        (stopped("error_threshold_exceeded", max_steps=2), ["Retry", "Add context"]),
        (stopped("manual", max_steps=2), ["Resume", "Resume with a message"]),
    ],
)
def test_each_button_says_what_it_gives(session: Session, expected: list[str]) -> None:
    assert labels(session) == expected


def test_where_not_all_limits_can_be_named_they_stand_in_the_form() -> None:
    limits: dict[str, Any] = {"max_tokens": 10**11, "max_cost_usd": Decimal(10**6), "max_minutes": 10**6}
    session = stopped("budget_exceeded", tokens=10**11, cost="1000000", minutes=10**6, **limits)
    assert labels(session)[::2] == ["Raise limits and resume", "Compact and raise limits"]
    assert "It may then use up to 300,000,000,000 tokens, $3,000,000.00" in str(resume_modal(session))


def test_every_figure_stands_with_its_limit_and_what_is_used_up_is_bold() -> None:
    session = stopped("budget_exceeded", max_cost_usd=Decimal(1), max_minutes=30, max_context_tokens=4000)
    (line,) = spent(session)
    assert line["elements"][0]["text"] == (
        ":moneybag: Used so far: 2 of 50 steps · 100 tokens · *$1.00 of $1.00* · 5 of 30 minutes"
        " · 50 of 4,000 tokens of context"
    )
    assert spent(stopped("manual", max_cost_usd=Decimal(1))) == []


@pytest.mark.parametrize(
    ("amount", "shown"),
    [
        ("10", "$10.00"),
        ("2.5", "$2.50"),
        ("0.0125", "$0.0125"),
        ("0", "$0.00"),
        ("1234567.891", "$1,234,567.891"),
    ],
)
def test_money_as_people_write_it(amount: str, shown: str) -> None:
    assert money(Decimal(amount)) == shown


@settings(max_examples=100, deadline=None)
@given(
    st.sampled_from(["budget_exceeded", "context_budget_exceeded", "error_threshold_exceeded"]),
    st.integers(0, 4),
    st.integers(0, 10**12),
    st.decimals("0", "1000000", places=4),
    st.floats(0, 10**7),
    st.integers(1, 10**12),
    st.decimals("0.0001", "1000000", places=4),
    st.floats(0.01, 10**7),
)
def test_slack_takes_it_whatever_the_figures(
    reason: Any,
    steps: int,
    tokens: int,
    cost: Decimal,
    minutes: float,
    limit: int,
    dollars: Decimal,
    most: float,
) -> None:
    limits = {"max_tokens": limit, "max_context_tokens": limit, "max_cost_usd": dollars, "max_minutes": most}
    session = stopped(reason, steps=steps, tokens=tokens, cost=str(cost), minutes=minutes, **limits)
    for message in thread(session):
        check_message_blocks(list(message.blocks))
    check_view(resume_modal(session), "modal")
