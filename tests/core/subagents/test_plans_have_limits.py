"""A plan launches at most so many, so deep; one that cannot be carried out is refused when it is proposed."""

from __future__ import annotations

from typing import Any

import pytest

from supervisor.core.events import (
    Lineage,
    ToolCall,
)
from supervisor.core.messages import ModelReply, ProposedCall, Usage
from supervisor.core.persona import Budgets
from supervisor.core.tool_calls import record_reply
from supervisor.tools.builtin import builtin_tools
from tests.core.build import AT, plan_call, subtask
from tests.core.plans import COORDINATOR, Planned, launch_call

DIAMOND = (subtask("top"), subtask("left", "top"), subtask("right", "top"), subtask("end", "left", "right"))


# How many, and how deep


def test_at_most_so_many_sub_agents_in_all() -> None:
    plan = Planned(
        subtask("a"), subtask("b"), subtask("c"), subtask("d", "c"), budgets=Budgets(max_children=2)
    )
    assert plan.running == {"a", "b"}
    assert plan.skipped == {"c": "at most 2 sub-agents", "d": "it needs c, which was skipped"}
    plan.ends("a")
    plan.ends("b")
    assert plan.begun == ["a", "b"]
    assert plan.result.endswith("## d (sre): skipped\nit needs c, which was skipped")


def test_the_number_is_that_of_all_plans_and_of_what_was_done_again() -> None:
    calls = [plan_call(subtask("a"), on_failure="ask"), launch_call("1.2"), launch_call("1.3")]
    plan = Planned(calls=calls, budgets=Budgets(max_children=2))
    assert plan.begun == ["a", "sre"]
    assert plan.session.call("1.3").content == "sre skipped.\nat most 2 sub-agents"
    plan.ends("a", "failed")
    plan.says("a", "retry")
    assert plan.skipped["a"] == "at most 2 sub-agents"
    assert plan.joined


def test_a_session_that_may_launch_nobody_is_told_so() -> None:
    plan = Planned(subtask("a"), subtask("b", "a"), budgets=Budgets(max_children=0))
    assert not plan.begun
    assert plan.result.startswith("0 of 2 subtasks completed.\n\n## a (sre): skipped\nat most 0 sub-agents")


@pytest.mark.parametrize(("depth", "deep"), [(0, 0), (1, 1), (2, 1), (3, 3)])
def test_at_most_so_many_levels(depth: int, deep: int) -> None:
    above = Lineage(
        parent="a-a", call_id="1.1", name="x", root="r-r", depth=depth, requesters=(), folder="r-r/x"
    )
    plan = Planned(
        subtask("a"), subtask("b", "a"), lineage=above if depth else None, budgets=Budgets(max_depth=deep)
    )
    assert not plan.begun
    assert plan.skipped == {"a": f"at most {deep} levels of sub-agents", "b": "it needs a, which was skipped"}
    assert plan.joined


def test_the_last_level_may_be_used() -> None:
    above = Lineage(parent="a-a", call_id="1.1", name="x", root="r-r", depth=2, requesters=(), folder="r-r/x")
    plan = Planned(subtask("a"), lineage=above, budgets=Budgets(max_depth=3))
    first = plan.launch_of("a")
    assert first.lineage is not None
    assert (first.lineage.depth, first.budgets.max_depth) == (3, 3)


# What cannot be carried out is refused when it is proposed


def proposed(tool: str, arguments: Any, roster: tuple[str, ...] = ("sre", "writer")) -> ToolCall:
    reply = ModelReply(
        text="",
        calls=(ProposedCall(call_id="r", tool=tool, arguments=arguments),),
        usage=Usage(),
        cost_usd=None,
        model="test:model",
        duration_ms=1,
    )
    persona = COORDINATOR.model_copy(update={"name": "coordinator"})
    event = record_reply(
        reply, step=1, context_seen=0, persona=persona, tools=builtin_tools(), roster=roster, at=AT
    )
    return event.calls[0]


CIRCLE = (subtask("a", "c"), subtask("b", "a"), subtask("c", "b"), subtask("free"))


@pytest.mark.parametrize(
    ("subtasks", "sentence"),
    [
        (CIRCLE, "These subtasks wait for each other: a, b, c."),
        ((subtask("a", "a"),), "These subtasks wait for each other: a."),
        ((subtask("a"), subtask("b", "c", "a")), "`b` depends on `c`, which is no subtask of this plan."),
        (
            (subtask("a"), subtask("b"), subtask("a", "b")),
            "Each subtask needs a name of its own: a stands more than once.",
        ),
        ((subtask("a", persona="king"),), "You may not launch `king`. You may launch: sre, writer."),
    ],
)
def test_a_plan_that_cannot_be_carried_out_is_refused(subtasks: tuple[Any, ...], sentence: str) -> None:
    call = proposed("plan_tasks", {"subtasks": list(subtasks)})
    assert (call.mode, call.reason) == ("refuse", sentence)


@pytest.mark.parametrize(
    "arguments",
    [
        {"subtasks": []},
        {"subtasks": [subtask(f"n{n}") for n in range(51)]},
        {"subtasks": [subtask("Upper")]},
        {"subtasks": [subtask("")]},
        {"subtasks": [subtask("../up")]},
        {"subtasks": [subtask("a" * 41)]},
        {"subtasks": [subtask("a", task="")]},
        {"subtasks": [subtask("a", task="x" * 8001)]},
        {"subtasks": [subtask("a")], "on_failure": "shrug"},
        {"subtasks": [subtask("a", budget=7)]},
        {},
    ],
)
def test_a_plan_that_is_none_is_refused(arguments: Any) -> None:
    call = proposed("plan_tasks", arguments)
    assert call.mode == "refuse"
    assert call.reason.startswith("The arguments of `plan_tasks` do not fit.")


def test_one_that_may_not_be_launched_is_refused_by_name() -> None:
    given = {"persona": "king", "task": "Rule"}
    assert proposed("launch_agent", given).reason == "You may not launch `king`. You may launch: sre, writer."
    assert proposed("launch_agent", given, ()).reason.endswith("You may launch: nobody.")


@pytest.mark.parametrize("tool", ["plan_tasks", "launch_agent"])
def test_what_can_be_carried_out_is_asked_for(tool: str) -> None:
    arguments = {"plan_tasks": {"subtasks": list(DIAMOND)}, "launch_agent": {"persona": "sre", "task": "Go"}}
    call = proposed(tool, arguments[tool])
    assert (call.mode, call.control, call.reason) == ("ask", True, "")
