"""What becomes of a plan whose parts fail is what the plan, or a person, says."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import pytest

from supervisor.core.control import CallModel, Wait
from supervisor.core.errors import IllegalEvent
from supervisor.core.events import (
    ChildDecided,
    ChildFinished,
    ChildLaunched,
    ChildrenJoined,
    ChildSkipped,
    Completed,
    Resumed,
    SessionRestored,
)
from supervisor.core.prompt import conversation
from supervisor.core.state import Session
from tests.core.build import BOB, by, responded, subtask
from tests.core.plans import Planned


@pytest.mark.parametrize("ending", ["failed", "cancelled"])
def test_continue_gives_up_only_what_needs_the_one_that_failed(ending: Any) -> None:
    plan = Planned(subtask("a"), subtask("b", "a"), subtask("c", "b"), subtask("d"), subtask("e", "d"))
    plan.ends("a", ending)
    how = "failed" if ending == "failed" else "was cancelled"
    assert plan.skipped == {"b": f"it needs a, which {how}", "c": "it needs b, which was skipped"}
    assert plan.running == {"d"}
    plan.ends("d")
    plan.ends("e")
    assert plan.begun == ["a", "d", "e"]
    assert plan.result.startswith("2 of 5 subtasks completed.\n\n## a (sre): ")
    assert not plan.session.call("1.1").ok


def test_one_that_is_needed_by_a_later_part_is_given_up_even_if_another_is_still_awaited() -> None:
    plan = Planned(subtask("a"), subtask("b"), subtask("c", "a", "b"))
    plan.ends("b", "failed")
    assert set(plan.skipped) == {"c"}
    assert plan.running == {"a"}


def test_fail_fast_takes_one_that_was_cancelled_for_failed() -> None:
    plan = Planned(subtask("a"), subtask("b", "a"), subtask("c"), on_failure="fail_fast")
    plan.ends("c", "cancelled")
    assert plan.stopped == ["a"]
    assert plan.skipped == {"b": "c cancelled, so nothing more was begun"}
    assert plan.joined


def test_a_plan_that_was_lost_on_the_way_hears_of_its_sub_agents_all_the_same() -> None:
    """A SESSION_LOG keeps no secret: a restored plan that held one is refused while its sub-agents go on."""
    plan = Planned(subtask("a"), subtask("b", "a"))
    plan.add(SessionRestored(**by(BOB), chain="c" * 64, lost=("1.1",)))
    assert isinstance(plan.action, CallModel)
    plan.unit.add(responded(text="Done"))
    plan.unit.add(Completed(**by(), summary="Done"))
    plan.ends("a", "cancelled", cost_usd=Decimal(1))
    assert plan.begun == ["a"]
    assert not plan.session.running_children
    assert plan.session.total_cost_usd == 1


def test_fail_fast_stops_what_runs_and_begins_nothing_more() -> None:
    plan = Planned(
        subtask("a"),
        subtask("b"),
        subtask("done"),
        subtask("c", "b"),
        subtask("d", "a"),
        on_failure="fail_fast",
    )
    plan.ends("done")
    plan.ends("b", "failed", result="No disk")
    assert plan.stopped == ["a"]
    assert plan.states == {
        "a": "cancelled", "b": "failed", "done": "completed", "c": "skipped", "d": "skipped"
    }  # fmt: skip
    assert set(plan.skipped.values()) == {"b failed, so nothing more was begun"}
    assert plan.joined
    assert plan.result.startswith("1 of 5 subtasks completed.")


def test_the_results_are_told_in_the_order_of_the_plan() -> None:
    plan = Planned(subtask("a"), subtask("b", persona="writer"), subtask("c", "a"))
    plan.ends("b", result="Written")
    plan.ends("a", "failed", result="No disk")
    assert plan.result == (
        "1 of 3 subtasks completed.\n\n"
        "## a (sre): failed\nNo disk\n\n"
        "## b (writer): completed\nWritten\n\n"
        "## c (sre): skipped\nit needs a, which failed"
    )
    turn = conversation(plan.session, 0)[-1]
    assert turn.type == "tool"
    assert (turn.content, turn.failed) == (plan.result, True)


def asking(*more: Any) -> Planned:
    """A plan whose first part failed, and whose last one needs it."""
    plan = Planned(subtask("a"), *more, subtask("last", "a"), on_failure="ask")
    plan.ends("a", "failed")
    return plan


def test_ask_waits_for_a_person_and_lets_the_others_go_on() -> None:
    plan = asking(subtask("b"), subtask("c", "b"))
    assert plan.running == {"b"}
    plan.ends("b")
    assert plan.running == {"c"}
    plan.ends("c")
    assert plan.states == {"a": "failed", "b": "completed", "c": "completed", "last": "waiting"}
    assert not plan.joined
    assert isinstance(plan.action, Wait)
    assert plan.session.waiting_for == "human_input_required"


def test_retry_does_it_again_and_what_needs_it_reads_the_new_result() -> None:
    plan = asking()
    first = plan.last("a").id
    plan.says("a", "retry")
    assert plan.running == {"a"}
    assert plan.last("a").id != first
    assert plan.launch_of("a").task == "Do a"
    plan.ends("a", result="Now it works")
    assert plan.launch_of("last").task == "Do last\n\nResult of a:\nNow it works"
    plan.ends("last")
    assert plan.begun == ["a", "a", "last"]
    assert plan.session.call("1.1").ok
    assert "failed" not in plan.result


def test_one_that_fails_again_is_asked_about_again() -> None:
    plan = asking()
    for _ in range(3):
        plan.says("a", "retry")
        plan.ends("a", "cancelled")
        assert not plan.joined
        assert plan.session.waiting_for == "human_input_required"
    plan.says("a", "skip")
    assert plan.begun == ["a"] * 4
    assert plan.skipped == {"last": "it needs a, which was cancelled"}
    assert plan.joined


def test_skip_goes_on_without_it() -> None:
    plan = asking(subtask("b"))
    plan.says("a", "skip")
    assert plan.skipped == {"last": "it needs a, which failed"}
    assert plan.running == {"b"}
    plan.ends("b", "failed")
    plan.says("b", "skip")
    assert plan.joined
    assert plan.result.startswith("0 of 3 subtasks completed.")


def test_stop_ends_the_rest() -> None:
    plan = asking(subtask("b"), subtask("c", "b"), subtask("also-failed"))
    plan.ends("also-failed", "failed")
    plan.says("also-failed", "stop")
    assert plan.stopped == ["b"]
    assert plan.states == {
        "a": "failed", "b": "cancelled", "c": "skipped", "also-failed": "failed", "last": "skipped"
    }  # fmt: skip
    assert set(plan.skipped.values()) == {"also-failed failed, so nothing more was begun"}
    assert plan.joined


def test_a_verdict_counts_once_and_only_of_one_that_failed() -> None:
    plan = asking(subtask("b"))
    with pytest.raises(IllegalEvent, match="Nobody has to decide"):
        plan.says("b", "stop")
    plan.says("a", "skip")
    for verdict in ("retry", "skip", "stop"):
        with pytest.raises(IllegalEvent, match="Nobody has to decide"):
            plan.add(ChildDecided(**by(BOB), child_id=plan.last("a").id, verdict=verdict))
    plan.ends("b")
    assert plan.joined
    with pytest.raises(IllegalEvent, match="Nobody has to decide"):
        plan.says("a", "retry")
    with pytest.raises(IllegalEvent, match="not part of this session"):
        plan.add(ChildDecided(**by(BOB), child_id="zzzz-zzzz", verdict="skip"))


@pytest.mark.parametrize("on_failure", ["continue", "fail_fast"])
def test_nobody_is_asked_where_the_plan_says_what_to_do(on_failure: str) -> None:
    plan = Planned(subtask("a"), subtask("b"), on_failure=on_failure)
    plan.ends("a", "failed")
    with pytest.raises(IllegalEvent, match="Nobody has to decide"):
        plan.says("a", "retry")


# What the log refuses


@pytest.mark.parametrize("again", ["completed", "failed", "cancelled"])
@pytest.mark.parametrize("ending", ["completed", "failed", "cancelled"])
def test_an_end_counts_once(ending: Any, again: Any) -> None:
    plan = Planned(subtask("a"), subtask("b"))
    end = ChildFinished(**by(), child_id=plan.last("a").id, ending=ending, result="x")
    plan.add(end)
    with pytest.raises(IllegalEvent, match="already recorded"):
        plan.add(end.model_copy(update={"ending": again}))
    with pytest.raises(IllegalEvent, match="not part of this session"):
        plan.add(end.model_copy(update={"child_id": "zzzz-zzzz"}))


@pytest.mark.parametrize("name", ["a", "b", "done", "failed", "nobody", ""])
def test_only_what_is_due_begins(name: str) -> None:
    """Running, waiting, completed, failed, or not in the plan at all."""
    plan = Planned(subtask("a"), subtask("done"), subtask("failed"), subtask("b", "a"))
    plan.ends("done")
    plan.ends("failed", "failed")
    with pytest.raises(IllegalEvent, match="cannot begin or be given up"):
        plan.add(ChildLaunched(**by(), call_id="1.1", child_id="x-y", name=name, persona="sre", task="t"))
    if name != "b":
        with pytest.raises(IllegalEvent, match="cannot begin or be given up"):
            plan.add(ChildSkipped(**by(), call_id="1.1", name=name, reason="no"))


def test_two_sub_agents_never_share_an_id() -> None:
    plan = Planned(subtask("a"), subtask("b", "a"))
    plan.pause()
    plan.ends("a")
    plan.unit.add(Resumed(**by(BOB)))
    taken = {"child_id": plan.last("a").id, "name": "b", "persona": "sre", "task": "t"}
    with pytest.raises(IllegalEvent, match="already launched"):
        plan.unit.add(ChildLaunched(**by(), call_id="1.1", **taken))


def test_a_plan_is_joined_once() -> None:
    plan = Planned(subtask("a"))
    plan.ends("a")
    with pytest.raises(IllegalEvent, match="already finished"):
        plan.add(ChildrenJoined(**by(), call_id="1.1", ok=True, content="again"))


def test_a_session_with_sub_agents_survives_being_stored() -> None:
    plan = asking(subtask("b"))
    plan.says("a", "retry")
    assert Session.model_validate_json(plan.session.model_dump_json()) == plan.session
