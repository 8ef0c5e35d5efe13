"""All sub-agents below a session, on every level, count to its own `max_children`."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from supervisor.core.events import ChildFinished, ChildLaunched, decode, encode
from supervisor.core.persona import Budgets
from supervisor.runtime.subagents import _end_of
from tests.core.build import subtask
from tests.core.plans import COORDINATOR, SRE, WRITER, Planned

LEAD = COORDINATOR.model_copy(update={"name": "lead"})
TEAM = (LEAD, SRE, WRITER)


def leads(number: int) -> list[dict[str, object]]:
    return [subtask(f"part{n}", persona="lead") for n in range(number)]


def tree(plan: Planned, wide: int) -> Iterator[Planned]:
    """The plan and those of all sub-agents, each of which tries to launch as many again."""
    yield plan
    for name in plan.begun:
        yield from tree(plan.within(name, *leads(wide), personas=TEAM), wide)


def launched(plans: Iterator[Planned]) -> int:
    return sum(len(plan.begun) for plan in plans)


@settings(max_examples=40, deadline=None)
@given(most=st.integers(0, 25), wide=st.integers(1, 6), deep=st.integers(1, 4))
def test_however_a_tree_grows_it_has_no_more_sub_agents_than_its_root_may_have(
    most: int, wide: int, deep: int
) -> None:
    budgets = Budgets(max_children=most, max_depth=deep)
    root = Planned(*leads(wide), budgets=budgets, personas=TEAM)
    assert launched(tree(root, wide)) <= most
    # The nearest are not kept from beginning by what is set aside for those below them.
    assert len(root.begun) == min(most, wide)


def test_what_is_set_aside_and_not_used_can_be_used_later() -> None:
    plan = Planned(
        subtask("a", persona="lead"), subtask("b", "a", persona="lead"),
        budgets=Budgets(max_children=10), personas=TEAM,
    )  # fmt: skip
    # Two are the parts of this plan; the other eight are shared.
    assert plan.last("a").below == 4
    below = plan.within("a", subtask("one"), subtask("two"), personas=TEAM)
    for name in ("one", "two"):
        below.ends(name)
    plan.ends("a", below=_end_of(below.session)["below"])
    assert plan.last("a").below == 2
    assert plan.last("b").below == 10 - (1 + 2) - 1


def test_who_can_launch_nobody_takes_nothing() -> None:
    plan = Planned(
        subtask("leaf"), subtask("lead", persona="lead"), budgets=Budgets(max_children=9), personas=TEAM
    )
    assert (plan.last("leaf").below, plan.last("lead").below) == (0, 7)
    deepest = Planned(*leads(1), budgets=Budgets(max_children=9, max_depth=1), personas=TEAM)
    assert deepest.last("part0").below == 0


@pytest.mark.parametrize("known", [True, False])
def test_one_that_ended_counts_with_what_it_launched(known: bool) -> None:
    plan = Planned(*leads(2), budgets=Budgets(max_children=6), personas=TEAM)
    set_aside = plan.last("part0").below
    plan.ends("part0", "failed", **({"below": 1} if known else {}))
    assert plan.session.launched_below == 1 + (1 if known else set_aside) + 1 + plan.last("part1").below


def test_events_of_earlier_logs_set_nothing_aside() -> None:
    old = b'{"type":"ChildLaunched","v":1,"at":"2026-11-01T00:00:00Z","by":"system","call_id":"1.1","child_id":"a-b",'
    found = decode("s-s", 0, old + b'"name":"a","persona":"sre","task":"Look"}')
    assert isinstance(found, ChildLaunched)
    assert found.below == 0
    ended = ChildFinished(at=found.at, by="system", child_id="a-b", ending="completed", result="Seen")
    assert b"below" not in encode(ended)
