"""Sub-agents spend from what is left to the session that launched them, and together never more than that."""

from __future__ import annotations

from datetime import timedelta
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from supervisor.core.control import Pause, Wait, next_action
from supervisor.core.events import BudgetRaised, ChildFinished
from supervisor.core.messages import Json, Usage
from supervisor.core.persona import Budgets
from supervisor.core.records import Child
from tests.core.build import BOB, by, plan_call, subtask
from tests.core.plans import SRE, WRITER, Planned, launch_call
from tests.examples import examples

CENT, COIN = Decimal("0.01"), Decimal("0.0001")


def usd(child: Child) -> Decimal:
    assert child.budgets.max_cost_usd is not None
    return child.budgets.max_cost_usd


def shares(plan: Planned) -> dict[str, Decimal]:
    return {c.name: usd(c) for c in plan.session.running_children}


def personas(**budgets: Any) -> list[Any]:
    """`sre` with these limits, `writer` with none; both may launch others."""
    return [
        SRE.model_copy(update={"budgets": Budgets(**budgets), "agents": ("*",)}),
        WRITER.model_copy(update={"agents": ("*",)}),
    ]


def test_each_has_an_equal_share_of_what_is_left() -> None:
    plan = Planned(
        subtask("a"), subtask("b"), subtask("c", "a"), subtask("d", "a"),
        budgets=Budgets(max_cost_usd=Decimal(4), max_tokens=4000),
    )  # fmt: skip
    assert shares(plan) == {"a": 1, "b": 1}
    assert [c.budgets.max_tokens for c in plan.session.children] == [1000, 1000]


def test_what_one_does_not_use_is_left_to_those_that_begin_later() -> None:
    plan = Planned(
        subtask("a"), subtask("b"), subtask("c", "a"),
        budgets=Budgets(max_cost_usd=Decimal(3), max_tokens=3000),
    )  # fmt: skip
    plan.ends("a", cost_usd=Decimal("0.25"), usage=Usage(input_tokens=200, output_tokens=50))
    assert shares(plan) == {"b": 1, "c": Decimal("1.75")}
    assert plan.last("c").budgets.max_tokens == 3000 - 250 - 1000


def test_what_one_used_beyond_its_share_is_missing_to_the_others() -> None:
    plan = Planned(
        subtask("a"), subtask("b", "a"), subtask("c", "a"), budgets=Budgets(max_cost_usd=Decimal(3))
    )
    plan.ends("a", cost_usd=Decimal("2.5"))
    assert shares(plan) == {"b": Decimal("0.25"), "c": Decimal("0.25")}


def test_calls_of_one_turn_share_alike() -> None:
    plan = Planned(
        calls=[
            launch_call("1.1"),
            launch_call("1.2", "writer"),
            plan_call(subtask("a"), subtask("b", "a"), call_id="1.3"),
        ],
        budgets=Budgets(max_cost_usd=Decimal(4), max_tokens=400),
    )
    assert [usd(c) for c in plan.session.children] == [1, 1, 1]
    assert [c.budgets.max_tokens for c in plan.session.children] == [100, 100, 100]


def test_nobody_has_more_than_its_own_persona_gives() -> None:
    own = {"max_cost_usd": Decimal("0.50"), "max_tokens": 70, "max_minutes": 5, "max_steps": 7}
    plan = Planned(
        subtask("a"), subtask("b", persona="writer"),
        personas=personas(**own, max_children=3, max_depth=2),
        budgets=Budgets(max_cost_usd=Decimal(3), max_tokens=1000, max_minutes=60, max_depth=3, max_children=9),
    )  # fmt: skip
    first, second = (c.budgets for c in plan.session.children)
    assert first.model_dump(include={*own, "max_children", "max_depth"}) == {
        **own, "max_children": 3, "max_depth": 2
    }  # fmt: skip
    assert (second.max_cost_usd, second.max_tokens) == (Decimal("2.5"), 930)
    assert (second.max_depth, second.max_children) == (3, 9 - (1 + 3) - 1)


def test_a_session_without_limits_passes_on_those_of_the_persona() -> None:
    plan = Planned(subtask("a"), subtask("b", persona="writer"), personas=personas(max_cost_usd=CENT))
    first, second = (c.budgets for c in plan.session.children)
    assert (first.max_cost_usd, first.max_tokens, first.max_minutes) == (CENT, None, None)
    assert second.model_dump(exclude={"max_children"}) == Budgets().model_dump(exclude={"max_children"})


def test_time_is_the_same_for_all() -> None:
    plan = Planned(subtask("a"), subtask("b", "a"), budgets=Budgets(max_minutes=10))
    assert plan.last("a").budgets.max_minutes == 10
    plan.house.now += timedelta(minutes=9)
    plan.ends("a")
    assert plan.last("b").budgets.max_minutes == pytest.approx(1, abs=0.02)


def test_what_a_sub_agent_used_counts_as_used() -> None:
    plan = Planned(subtask("a"), subtask("b", "a"), budgets=Budgets(max_cost_usd=Decimal(1)))
    plan.ends("a", cost_usd=Decimal(1), steps=9)
    assert plan.session.total_cost_usd == 1
    assert plan.action == Pause("budget_exceeded", "$1.00 of $1.00 are spent.")
    plan.unit.add(BudgetRaised(**by(BOB), budgets=Budgets(max_cost_usd=Decimal(3))))
    assert plan.goes_on() == Wait()
    assert shares(plan) == {"b": 2}


def test_who_is_done_again_has_a_share_of_what_is_left_then() -> None:
    plan = Planned(
        subtask("a"), subtask("b", "a"), on_failure="ask", budgets=Budgets(max_cost_usd=Decimal(2))
    )
    plan.ends("a", "failed", cost_usd=Decimal(1))
    plan.says("a", "retry")
    assert shares(plan) == {"a": Decimal("0.5")}


# Any plans, any order: together never more than there is

AMOUNT = st.integers(1, 40_000).map(lambda n: COIN * n)


@st.composite
def subtasks(draw: st.DrawFn) -> list[Json]:
    found: list[Json] = []
    for n in range(draw(st.integers(1, 6))):
        needs = draw(st.lists(st.sampled_from([s["id"] for s in found]), unique=True)) if found else []
        found.append(subtask(f"n{n}", *needs, persona=draw(st.sampled_from(("sre", "writer")))))
    return found


@settings(max_examples=examples(60), deadline=None, database=None)
@given(
    first=subtasks(),
    others=st.lists(st.sampled_from(("sre", "writer")), max_size=3),
    limit=AMOUNT,
    tokens=st.integers(1, 3000),
    own=st.none() | AMOUNT,
    own_tokens=st.none() | st.integers(1, 2000),
    data=st.data(),
)
def test_together_they_never_have_more_than_is_left(
    first: list[Json],
    others: list[str],
    limit: Decimal,
    tokens: int,
    own: Decimal | None,
    own_tokens: int | None,
    data: st.DataObject,
) -> None:
    calls = [plan_call(*first), *(launch_call(f"1.{n}", name) for n, name in enumerate(others, start=2))]
    plan = Planned(
        calls=calls,
        budgets=Budgets(max_cost_usd=limit, max_tokens=tokens),
        personas=personas(max_cost_usd=own, max_tokens=own_tokens),
    )
    while plan.session.running_children:
        assert_within(plan, limit, tokens)
        for child in plan.session.running_children:
            if child.persona == "sre":
                assert usd(child) <= (own or limit)
                assert (child.budgets.max_tokens or 0) <= (own_tokens or tokens)
        child = data.draw(st.sampled_from(plan.session.running_children))
        # At most its share: what goes beyond is a question of one model call.
        spent = usd(child) * data.draw(st.integers(0, 4)) / 4
        used = (child.budgets.max_tokens or 0) * data.draw(st.integers(0, 4)) // 4
        ending = data.draw(st.sampled_from(("completed", "completed", "failed")))
        usage = Usage(input_tokens=used // 2, output_tokens=used - used // 2)
        end = {"child_id": child.id, "ending": ending, "result": "", "cost_usd": spent, "usage": usage}
        plan.add(ChildFinished(**plan.by(), **end))
        if isinstance(next_action(plan.session, plan.house.now), Pause):
            break


def assert_within(plan: Planned, limit: Decimal, tokens: int) -> None:
    """But for the smallest share there is, which everybody has who begins at all."""
    running = plan.session.running_children
    usage = plan.session.total_usage
    left, rest = limit - plan.session.total_cost_usd, tokens - usage.input_tokens - usage.output_tokens
    assert sum(map(usd, running)) <= max(left, COIN * len(running))
    assert sum(c.budgets.max_tokens or 0 for c in running) <= max(rest, len(running))
