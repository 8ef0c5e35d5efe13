"""A plan is carried out as it was proposed: in its order, as parallel as that allows, with what each part needs."""

from __future__ import annotations

import pytest

from supervisor.core.control import CallModel, Pause, RunTools, Wait
from supervisor.core.delegation import RESULT_SHOWN
from supervisor.core.errors import IllegalEvent
from supervisor.core.events import (
    ApprovalDecided,
    ApprovalRequested,
    BudgetRaised,
    ChildLaunched,
    ChildrenJoined,
    Lineage,
)
from supervisor.core.messages import Usage
from supervisor.core.persona import Budgets
from supervisor.core.reducer import apply
from tests.core.build import BOB, SID, by, plan_call, responded, subtask
from tests.core.plans import SRE, Planned, launch_call

DIAMOND = (subtask("top"), subtask("left", "top"), subtask("right", "top"), subtask("end", "left", "right"))


# In which order


def test_what_needs_nothing_begins_at_once_and_side_by_side() -> None:
    plan = Planned(*[subtask(f"part-{n}") for n in range(8)])
    assert plan.begun == [f"part-{n}" for n in range(8)]
    assert len(plan.unit.born) == 8
    assert isinstance(plan.action, Wait)
    assert plan.session.waiting_for == "children_running"


def test_a_subtask_begins_once_all_that_it_needs_have_completed() -> None:
    plan = Planned(*DIAMOND)
    assert plan.running == {"top"}
    plan.ends("top")
    assert plan.running == {"left", "right"}
    plan.ends("right")
    assert plan.running == {"left"}
    assert plan.states["end"] == "waiting"
    plan.ends("left")
    assert plan.running == {"end"}
    assert not plan.joined
    plan.ends("end")
    assert plan.begun == ["top", "left", "right", "end"]
    assert plan.joined
    assert plan.session.call("1.1").ok
    assert isinstance(plan.action, CallModel)


def test_the_order_of_the_plan_is_of_no_account() -> None:
    plan = Planned(*reversed(DIAMOND))
    for name in ("top", "left", "right", "end"):
        assert name in plan.running
        plan.ends(name)
    assert plan.joined


def test_one_that_ends_holds_up_nobody_who_does_not_need_it() -> None:
    plan = Planned(subtask("slow"), subtask("quick"), subtask("next", "quick"))
    plan.ends("quick")
    assert plan.running == {"slow", "next"}


def test_nothing_is_launched_before_the_plan_is_approved() -> None:
    asked = plan_call(subtask("look"), mode="ask")
    plan = Planned(calls=[asked])
    assert isinstance(plan.action, RunTools)
    assert not plan.begun
    plan.add(ApprovalRequested(**by(), request_id="r2", call_ids=("1.1",)))
    assert not plan.begun
    with pytest.raises(IllegalEvent, match="waiting for an approval"):
        plan.add(ChildLaunched(**by(), call_id="1.1", child_id="x-y", name="look", persona="sre", task="t"))
    plan.add(ApprovalDecided(**by(BOB), call_id="1.1", digest=asked.digest, verdict="approve"))
    assert plan.running == {"look"}


def test_a_plan_that_is_denied_launches_nobody() -> None:
    asked = plan_call(subtask("look"), mode="ask")
    plan = Planned(calls=[asked])
    plan.add(ApprovalRequested(**by(), request_id="r2", call_ids=("1.1",)))
    plan.add(ApprovalDecided(**by(BOB), call_id="1.1", digest=asked.digest, verdict="deny"))
    assert not plan.begun
    assert isinstance(plan.action, CallModel)


def test_the_model_is_not_asked_while_a_part_is_under_way() -> None:
    plan = Planned(subtask("look"), subtask("tell", "look"))
    with pytest.raises(IllegalEvent, match="every call of its last answer"):
        apply(SID, plan.session, responded(step=2))


def test_while_it_is_paused_ends_are_recorded_and_nothing_begins() -> None:
    plan = Planned(subtask("look"), subtask("tell", "look"))
    plan.pause()
    plan.ends("look")
    assert plan.states == {"look": "completed", "tell": "ready"}
    assert not plan.running
    plan.resume()
    assert plan.running == {"tell"}


def test_a_session_that_was_cancelled_launches_nobody_and_still_hears_of_the_end() -> None:
    plan = Planned(subtask("look"), subtask("tell", "look"))
    plan.cancel()
    plan.ends("look", "cancelled")
    assert plan.begun == ["look"]
    assert isinstance(plan.action, Wait)
    assert not plan.session.running_children
    for event in (
        ChildLaunched(**by(), call_id="1.1", child_id="x-y", name="tell", persona="sre", task="t"),
        ChildrenJoined(**by(), call_id="1.1", ok=True, content="x"),
    ):
        with pytest.raises(IllegalEvent, match="already cancelled"):
            plan.add(event)


def test_a_budget_that_is_used_up_launches_nobody_until_it_is_raised() -> None:
    plan = Planned(subtask("look"), subtask("tell", "look"), budgets=Budgets(max_tokens=100))
    plan.ends("look", usage=Usage(input_tokens=90, output_tokens=10))
    assert plan.action == Pause("budget_exceeded", "100 of 100 tokens are used.")
    assert not plan.running
    plan.unit.add(BudgetRaised(**by(BOB), budgets=Budgets(max_tokens=200)))
    assert plan.goes_on() == Wait()
    assert plan.running == {"tell"}


def test_a_budget_that_is_used_up_does_not_keep_a_plan_from_ending() -> None:
    plan = Planned(subtask("look"), subtask("tell", "look"), budgets=Budgets(max_tokens=100))
    plan.ends("look", "failed", usage=Usage(input_tokens=100))
    assert plan.joined
    assert isinstance(plan.action, Pause)


# What a sub-agent is told


def test_a_subtask_reads_its_own_words_and_the_results_it_needs() -> None:
    plan = Planned(
        subtask("first"), subtask("other"), subtask("second", "first"), subtask("last", "second", "first")
    )
    plan.ends("other", result="Not for you")
    plan.ends("first", result="It is full ☂")
    plan.ends("second", result="")
    assert plan.launch_of("first").task == "Do first"
    assert plan.launch_of("second").task == "Do second\n\nResult of first:\nIt is full ☂"
    task = plan.launch_of("last").task
    assert task == "Do last\n\nResult of first:\nIt is full ☂\n\nResult of second:\nNo output."


def test_a_long_result_is_cut_and_says_so() -> None:
    plan = Planned(subtask("exact"), subtask("long"), subtask("last", "exact", "long"))
    plan.ends("exact", result="e" * RESULT_SHOWN)
    plan.ends("long", result="l" * RESULT_SHOWN + "m" * 1234)
    plan.ends("last")
    note = "[… 1,234 characters are left out here …]"
    for text in (plan.launch_of("last").task, plan.result):
        assert "e" * RESULT_SHOWN in text
        assert "l" * RESULT_SHOWN + f"\n{note}" in text
        assert "lm" not in text
        assert text.count("left out") == 1


def test_files_are_named_where_whoever_reads_it_finds_them() -> None:
    plan = Planned(subtask("look"), subtask("tell", "look"))
    plan.ends("look", result="Seen", artifacts=("a.txt", "out/b.txt"))
    inputs = plan.launch_of("tell").lineage
    folder = f"agents/look-{plan.last('look').id}"
    assert inputs is not None
    assert [(i.into, i.folder, i.paths) for i in inputs.inputs] == [
        ("inputs/look", f"{SID}/{folder}", ("a.txt", "out/b.txt"))
    ]
    assert plan.launch_of("tell").task.endswith("inputs/look/a.txt, inputs/look/out/b.txt")
    plan.ends("tell")
    assert f"{folder}/a.txt, {folder}/out/b.txt" in plan.result


def test_a_sub_agent_knows_where_it_comes_from() -> None:
    above = Lineage(
        parent="aaaa-aaaa",
        call_id="2.1",
        name="part",
        root="rrrr-rrrr",
        depth=2,
        requesters=("slack:U7", "agent:rrrr-rrrr"),
        folder="rrrr-rrrr/agents/part-p0-test",
        person="slack:U7",
    )
    plan = Planned(subtask("look"), lineage=above, origin={"channel": "C1"})
    child, first = plan.last("look"), plan.launch_of("look")
    assert (first.by, first.persona, first.origin) == (f"agent:{SID}", "sre", {"channel": "C1"})
    assert first.budgets == child.budgets
    assert first.lineage is not None
    assert first.lineage.model_dump(exclude={"requesters", "inputs"}) == {
        "parent": SID,
        "call_id": "1.1",
        "name": "look",
        "root": "rrrr-rrrr",
        "depth": 3,
        "person": "slack:U7",
        "folder": f"rrrr-rrrr/agents/part-p0-test/agents/look-{child.id}",
    }
    assert set(first.lineage.requesters) == {"slack:U1", "slack:U7", "agent:rrrr-rrrr"}


# One sub-agent


def test_launch_agent_is_a_plan_of_one() -> None:
    plan = Planned(calls=[launch_call(task="Look at web-2")])
    assert plan.launch_of("sre").task == "Look at web-2"
    plan.ends("sre", result="All is well")
    assert plan.result == "sre completed.\nAll is well"
    assert plan.session.call("1.1").ok


def test_several_in_one_turn_run_side_by_side_and_end_on_their_own() -> None:
    plan = Planned(calls=[launch_call("1.1"), launch_call("1.2", "writer"), launch_call("1.3")])
    assert plan.begun == ["sre", "writer", "sre"]
    plan.ends("writer", "failed", result="No pen")
    assert plan.session.call("1.2").content == "writer failed.\nNo pen"
    assert not plan.session.call("1.2").ok
    assert len(plan.session.running_children) == 2
    assert isinstance(plan.action, Wait)


def test_a_persona_that_is_gone_is_said_so_and_the_rest_goes_on() -> None:
    plan = Planned(subtask("a", persona="writer"), subtask("b"), subtask("c", "a"), personas=[SRE])
    assert plan.running == {"b"}
    assert plan.skipped == {
        "a": "There is no persona `writer`. Choose one of: sre.",
        "c": "it needs a, which was skipped",
    }
