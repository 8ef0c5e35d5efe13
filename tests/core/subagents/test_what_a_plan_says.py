"""What a plan says: who does what, why it cannot be carried out, what is begun or given up, and its result."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import pytest

from supervisor.core.delegation import (
    FILES_SHOWN,
    LAUNCH,
    PLAN,
    RESULT_SHOWN,
    consolidation,
    delegate,
    inputs,
    plan_of,
    problem,
    share,
)
from supervisor.core.events import ChildDecided, ChildFinished, ChildLaunched, ChildSkipped, Event
from supervisor.core.events.subagents import child_folder, is_child_folder
from supervisor.core.messages import Json
from supervisor.core.persona import Budgets
from supervisor.core.reducer import fold
from supervisor.core.state import Call, Session
from tests.core.build import AT, BOB, SID, by, launched, plan_call, responded, subtask, tool_call


def planned(*subtasks: Json, events: tuple[Event, ...] = (), **fields: Any) -> Session:
    return fold(SID, [launched(), responded(plan_call(*subtasks, **fields)), *events])


def one(arguments: Json, *events: Event) -> Session:
    call = tool_call(tool=LAUNCH, mode="allow", control=True, arguments=arguments)
    return fold(SID, [launched(), responded(call), *events])


def begun(name: str) -> ChildLaunched:
    return ChildLaunched(
        **by(), call_id="1.1", child_id=f"p0-{name}", name=name, persona="sre", task=f"Do {name}"
    )


def ended(name: str, ending: Any = "completed", **fields: Any) -> ChildFinished:
    return ChildFinished(**by(), child_id=f"p0-{name}", ending=ending, **{"result": "Seen", **fields})


def call_of(session: Session) -> Call:
    return session.call("1.1")


@pytest.mark.parametrize(
    ("arguments", "persona", "task"),
    [
        ({"persona": "sre", "task": "Look"}, "sre", "Look"),
        ({}, "", ""),
        ({"persona": 3, "task": 4}, "3", "4"),
    ],
)
def test_a_single_launch_is_a_plan_of_one_named_like_its_persona(
    arguments: Json, persona: str, task: str
) -> None:
    (only,) = plan_of(call_of(one(arguments))).subtasks
    assert (only.id, only.persona, only.task, only.depends_on) == (persona, persona, task, ())


def test_a_call_whose_arguments_are_no_object_is_a_plan_of_nothing() -> None:
    unreadable = tool_call(tool=LAUNCH, mode="refuse").model_copy(update={"arguments": "{"})
    (only,) = plan_of(Call(call=unreadable, phase="refused", request=0)).subtasks
    assert (only.persona, only.task) == ("", "")


@pytest.mark.parametrize(
    ("tool", "arguments", "said"),
    [
        (LAUNCH, {"persona": "sre"}, ""),
        (LAUNCH, {}, "You may not launch ``. You may launch: sre, writer."),
        (
            PLAN,
            {"subtasks": [subtask(name) for name in ("b", "a", "b", "a", "c")]},
            "Each subtask needs a name of its own: a, b stands more than once.",
        ),
        (
            PLAN,
            {"subtasks": [subtask("a"), subtask("b", "a"), subtask("c", "a", "b")]},
            "",
        ),
        (
            PLAN,
            {"subtasks": [subtask("a"), subtask("b", "a", "d"), subtask("d", "b")]},
            "These subtasks wait for each other: b, d.",
        ),
    ],
)
def test_a_plan_says_why_it_cannot_be_carried_out(tool: str, arguments: Json, said: str) -> None:
    assert problem(tool, arguments, {"writer", "sre"}) == said


def test_all_that_need_what_failed_are_given_up() -> None:
    plan = (subtask("a"), subtask("b", "a"), subtask("c", "a"), subtask("d"))
    session = planned(*plan, events=(begun("a"), ended("a", "failed")))
    found = delegate(session, call_of(session))
    why = "it needs a, which failed"
    assert found.skips == (("b", why), ("c", why))
    assert [task.id for task in found.starts] == ["d"]


def test_a_plan_that_stops_at_a_failure_is_over_when_nothing_runs_and_nothing_is_left() -> None:
    plan = (subtask("a"), subtask("b"), subtask("c", "b"))
    failed = (begun("a"), begun("b"), ended("a", "failed"))
    why = "a failed, so nothing more was begun"
    session = planned(*plan, events=failed, on_failure="fail_fast")
    found = delegate(session, call_of(session))
    assert (found.stops, found.skips, found.joined) == (("p0-b",), (("c", why),), False)
    stopped = fold(SID, [ended("b", "cancelled")], session)
    found = delegate(stopped, call_of(stopped))
    assert (found.stops, found.skips, found.joined) == ((), (("c", why),), False)
    skipped = fold(SID, [ChildSkipped(**by(), call_id="1.1", name="c", reason=why)], stopped)
    assert delegate(skipped, call_of(skipped)).joined


def test_the_result_of_a_plan_tells_what_each_subtask_gave() -> None:
    plan = (subtask("a"), subtask("b"), subtask("c", "b"))
    long = "x" * (RESULT_SHOWN + 1000)
    files = tuple(f"f{n}" for n in range(FILES_SHOWN + 2))
    events = (
        *(begun("a"), begun("b")),
        *(ended("a", result=long, artifacts=files), ended("b", "failed", result="")),
        ChildSkipped(**by(), call_id="1.1", name="c", reason="it needs b, which failed"),
    )
    session = planned(*plan, events=events)
    done, told = consolidation(session, call_of(session))
    assert not done
    head, a, b, c = told.split("\n\n")
    shown = ", ".join(f"agents/a-p0-a/{name}" for name in files[:FILES_SHOWN])
    assert (head, c) == ("1 of 3 subtasks completed.", "## c (sre): skipped\nit needs b, which failed")
    assert a.split("\n") == [
        *("## a (sre): completed", "x" * RESULT_SHOWN),
        "[… 1,000 characters are left out here …]",
        f"Its files, in your folder: {shown} and 2 more",
    ]
    assert b == "## b (sre): failed\nNo output."


def test_what_did_not_run_says_so() -> None:
    session = planned(subtask("a"), subtask("b"), events=(begun("a"), ended("a", artifacts=("f",))))
    assert consolidation(session, call_of(session))[1].endswith("## b (sre): ready\nIt did not run.")


def test_one_that_was_to_be_launched_again_and_is_given_up_tells_why_and_not_what_it_said_before() -> None:
    events = (
        *(begun("a"), ended("a", "failed", result="Broken")),
        ChildDecided(**by(BOB), child_id="p0-a", verdict="retry"),
        ChildSkipped(**by(), call_id="1.1", name="a", reason="at most 1 sub-agents"),
    )
    session = planned(subtask("a"), subtask("b"), events=events, on_failure="ask")
    assert "## a (sre): skipped\nat most 1 sub-agents" in consolidation(session, call_of(session))[1]


def test_the_result_of_a_single_launch_has_the_paths_of_its_files() -> None:
    arguments = {"persona": "sre", "task": "Look"}
    session = one(arguments, begun("sre"), ended("sre", artifacts=("a.md",)))
    assert consolidation(session, call_of(session)) == (
        True,
        "sre completed.\nSeen\nIts files, in your folder: agents/sre-p0-sre/a.md",
    )


def test_only_files_are_passed_on() -> None:
    plan = (subtask("a"), subtask("b"), subtask("c", "a", "b"))
    events = (begun("a"), begun("b"), ended("a"), ended("b", artifacts=("b.md",)))
    session = planned(*plan, events=events)
    (found,) = inputs(session, call_of(session), plan_of(call_of(session)).subtasks[2])
    assert (found.into, found.paths) == ("inputs/b", ("b.md",))
    assert found.folder.endswith("/agents/b-p0-b")


def test_a_share_is_what_is_left_without_what_runs_for_each_that_has_yet_to_begin() -> None:
    limits = Budgets(max_cost_usd=Decimal(10), max_tokens=1000, max_children=9, max_depth=2)
    plan = responded(plan_call(subtask("a"), subtask("b")), cost_usd=Decimal(0))
    session = fold(SID, [launched(budgets=limits), plan])
    found = share(session, Budgets(max_depth=5), AT)
    assert (found.max_cost_usd, found.max_tokens, found.max_depth) == (Decimal(5), 500, 2)
    assert found.max_children == 3
    running = begun("a").model_copy(update={"budgets": Budgets()})
    rest = share(fold(SID, [running], session), Budgets(), AT)
    assert (rest.max_cost_usd, rest.max_tokens) == (Decimal(10), 1000)


@pytest.mark.parametrize(
    ("folder", "is_one"),
    [
        (child_folder("look", "ab12-cd34"), True),
        (child_folder("look-twice", "ab12-cd34-2"), True),
        ("agents", False),
        ("agents/look", False),
        ("docs/agents/look-ab12-cd34", False),
        ("agents/look-ab12-cd34/inputs", False),
    ],
)
def test_the_folder_of_a_sub_agent_is_known_by_its_name(folder: str, is_one: bool) -> None:
    assert is_child_folder(folder) is is_one
