"""A session with its sub-agents as one looks at it: how each stands, and what waits for a person."""

from __future__ import annotations

from decimal import Decimal

import pytest

from supervisor.core.budgets import spending_of
from supervisor.core.events import (
    ApprovalRequested,
    Cancelled,
    ChildDecided,
    ChildFinished,
    ChildLaunched,
    ChildSkipped,
    Event,
    OutcomeLost,
    Paused,
    QuestionAsked,
    SessionRestored,
    ToolStarted,
)
from supervisor.core.messages import Json
from supervisor.core.persona import Budgets
from supervisor.core.reducer import fold
from supervisor.core.state import Session
from supervisor.core.subagents import children_of, is_reached, needs_of, total_cost
from tests.core.build import AT, BOB, SID, awaiting, by, launched, plan_call, responded, subtask, tool_call

TWO = (subtask("look"), subtask("tell", "look"))


def planned(*events: Event, subtasks: tuple[Json, ...] = TWO, on_failure: str = "continue") -> Session:
    plan = responded(plan_call(*subtasks, on_failure=on_failure))
    return fold(SID, [launched(), plan, *events])


def begun(name: str = "look", child_id: str = "p0-look", call_id: str = "1.1") -> ChildLaunched:
    return ChildLaunched(
        **by(), call_id=call_id, child_id=child_id, name=name, persona="sre", task=f"Do {name}"
    )


def ended(child_id: str = "p0-look", ending: str = "completed") -> ChildFinished:
    return ChildFinished.model_validate(
        {
            **by(),
            "child_id": child_id,
            "ending": ending,
            "result": "Seen",
            "cost_usd": Decimal(1),
            "artifacts": ("a.md",),
        }
    )


def working(child_id: str = "p0-look", *events: Event) -> dict[str, Session]:
    return {child_id: fold(child_id, [launched(), *events])}


ASKS = (
    responded(tool_call()),
    ApprovalRequested(**by(), request_id="r1", call_ids=("1.1",)),
)


def states(session: Session, family: dict[str, Session] | None = None) -> dict[str, str]:
    return {child.name: child.status for child in children_of(session, family or {})}


def test_subtasks_are_told_in_the_order_of_the_plan() -> None:
    assert states(planned()) == {"look": "waiting", "tell": "waiting"}
    assert states(planned(begun())) == {"look": "running", "tell": "waiting"}
    session = planned(begun(), ended())
    assert states(session) == {"look": "completed", "tell": "waiting"}
    look, tell = children_of(session, {})
    assert (look.id, look.result, look.cost_usd, look.artifacts) == ("p0-look", "Seen", Decimal(1), ("a.md",))
    assert (tell.id, tell.depends_on) == (None, ("look",))


def test_a_plan_that_nobody_let_run_has_no_sub_agents() -> None:
    for call in (plan_call(*TWO, mode="ask"), plan_call(*TWO, mode="refuse", reason="no")):
        assert children_of(fold(SID, [launched(), responded(call)]), {}) == []


def test_one_that_is_at_work_stands_as_its_own_log_says() -> None:
    (look, _) = children_of(planned(begun()), working("p0-look", *ASKS))
    assert (look.status, look.waiting_for) == ("paused", "human_approval_required")


def test_what_was_given_up_says_why() -> None:
    skipped = ChildSkipped(**by(), call_id="1.1", name="tell", reason="it needs look, which failed")
    session = planned(begun(), ended(ending="failed"), skipped)
    assert children_of(session, {})[1].reason == "it needs look, which failed"
    over = planned(begun(), Cancelled(**by(BOB)), ended(ending="cancelled"))
    assert states(over) == {"look": "cancelled", "tell": "skipped"}
    assert children_of(over, {})[1].reason == "the session was cancelled"


def test_a_need_leads_to_the_session_where_to_act() -> None:
    assert [n.session_id for n in needs_of(awaiting(), {})] == [SID]
    child = planned(begun("deep", "p0-deep"), subtasks=(subtask("deep"),))
    family = {"p0-look": child, **working("p0-deep", *ASKS)}
    (need,) = needs_of(planned(begun()), family)
    assert (need.session_id, need.name, need.waiting_for) == (
        "p0-deep",
        "look/deep",
        "human_approval_required",
    )


def test_what_comes_by_itself_needs_nobody() -> None:
    assert needs_of(planned(begun()), working()) == []
    waits = Paused(**by(), reason="external_dependency")
    assert needs_of(planned(begun()), working("p0-look", waits)) == []
    # A pause of the parent stops none of its sub-agents, nor what they need.
    paused = planned(begun(), Paused(**by(BOB), reason="scheduled"))
    assert len(needs_of(paused, working("p0-look", *ASKS))) == 1


@pytest.mark.parametrize("on_failure", ["continue", "ask"])
def test_a_failure_is_told_only_where_people_are_asked(on_failure: str) -> None:
    session = planned(begun(), ended(ending="failed"), on_failure=on_failure)
    needs = needs_of(session, {})
    assert [need.child_id for need in needs] == (["p0-look"] if on_failure == "ask" else [])
    assert session.waiting_for == ("human_input_required" if on_failure == "ask" else None)
    assert children_of(session, {})[0].undecided is (on_failure == "ask")


WITH_PARENT = Paused(**by(), reason="parent_paused", conditions=[{"type": "parent", "pause": 1}])
LOST = tool_call(mode="allow")
BEGUN = ToolStarted(**by(), call_id="1.1", attempt=1, idempotency_key="k", digest=LOST.digest)
ASKED = responded(tool_call(tool="ask_user", mode="allow", control=True, arguments={}))


@pytest.mark.parametrize(
    ("events", "reason"),
    [
        ((), None),
        (ASKS, "human_approval_required"),
        ((ASKED, QuestionAsked(**by(), call_id="1.1", question="Which?")), "human_input_required"),
        ((responded(LOST), BEGUN, OutcomeLost(**by(), call_id="1.1", attempt=1)), "outcome_unknown"),
    ],
)
def test_one_that_is_paused_with_its_parent_still_needs_what_it_asked_people(
    events: tuple[Event, ...], reason: str | None
) -> None:
    for restored, else_ in ((), None), ((SessionRestored(**by(BOB), chain="c" * 64),), "parent_paused"):
        needs = needs_of(planned(begun()), working("p0-look", *events, WITH_PARENT, *restored))
        found = [(need.session_id, need.name, need.persona, need.waiting_for) for need in needs]
        wanted = reason or else_
        assert found == ([("p0-look", "look", "helper", wanted)] if wanted else [])


def test_what_a_sub_agent_used_is_told_while_it_is_at_work_and_after() -> None:
    spent = responded(text="x", cost_usd=Decimal("0.5"))
    (look, _) = children_of(planned(begun()), working("p0-look", spent))
    assert (look.id, look.steps, look.cost_usd, look.unpriced) == ("p0-look", 1, Decimal("0.5"), False)
    used = ended().model_copy(update={"steps": 4, "unpriced": True})
    (look, _) = children_of(planned(begun(), used), {})
    assert (look.id, look.steps, look.cost_usd, look.unpriced) == ("p0-look", 4, Decimal(1), True)
    below = planned(begun("deep", "p0-deep"), subtasks=(subtask("deep"),))
    family = {"p0-look": below, **working("p0-deep", spent)}
    assert children_of(planned(begun()), family)[0].cost_usd == Decimal("0.5")


def test_one_that_is_to_be_launched_again_waits_under_its_last_session() -> None:
    retried = ChildDecided(**by(BOB), child_id="p0-look", verdict="retry")
    again = planned(begun(), ended(ending="failed"), retried, on_failure="ask")
    look, tell = children_of(again, {})
    assert (look.id, look.status, look.reason, look.undecided) == ("p0-look", "waiting", "", False)
    assert (tell.id, tell.status) == (None, "waiting")
    skipped = fold(SID, [ChildSkipped(**by(), call_id="1.1", name="look", reason="")], again)
    (look, _) = children_of(skipped, {})
    assert (look.id, look.status) == ("p0-look", "skipped")


def test_between_two_subtasks_nobody_is_waited_for() -> None:
    for session in (
        planned(begun(), ended()),
        planned(
            begun(),
            ended(ending="failed"),
            ChildDecided(**by(BOB), child_id="p0-look", verdict="retry"),
            on_failure="ask",
        ),
    ):
        assert (session.waiting_for, session.status, needs_of(session, {})) == (None, "running", [])


def test_how_far_a_session_is() -> None:
    alone, parent = awaiting(), planned(begun())
    for until, far in (("person", True), ("paused", True), ("ended", False)):
        assert is_reached(alone, needs_of(alone, {}), until) is far  # type: ignore[arg-type]
        # Its sub-agents at work are no pause.
        assert not is_reached(parent, needs_of(parent, working()), until)  # type: ignore[arg-type]
    asked = needs_of(parent, working("p0-look", *ASKS))
    assert is_reached(parent, asked, "person")
    assert is_reached(parent, asked, "paused")
    outside = fold(SID, [launched(), Paused(**by(), reason="external_dependency")])
    assert [is_reached(outside, [], until) for until in ("person", "paused")] == [False, True]
    over = fold(SID, [launched(), Cancelled(**by(BOB))])
    assert is_reached(over, [], "ended")


def test_costs_are_counted_once() -> None:
    spent = responded(text="x", cost_usd=Decimal("0.5"))
    session = fold(SID, [launched(), responded(plan_call(*TWO), cost_usd=Decimal(2)), begun()])
    assert total_cost(session, working("p0-look", spent)) == Decimal("2.5")
    after = fold(SID, [ended()], session)
    assert total_cost(after, working("p0-look", spent)) == Decimal(3)


def test_what_is_used_of_what_may_be() -> None:
    budgets = Budgets(max_steps=4, max_cost_usd=Decimal(2), max_minutes=9)
    session = fold(SID, [launched(budgets=budgets), responded(text="x", cost_usd=Decimal("0.5"))])
    spending = spending_of(session, AT.replace(minute=3))
    assert (spending.steps.used, spending.steps.limit) == (1, 4)
    assert (spending.cost_usd.used, spending.cost_usd.limit) == (Decimal("0.5"), Decimal(2))
    assert (spending.minutes.used, spending.minutes.limit) == (3, 9)
    assert (spending.tokens.limit, spending.context_tokens.limit) == (None, None)
    over = fold(SID, [Cancelled(**by(BOB))], session)
    assert spending_of(over, AT.replace(hour=23)).minutes.used == 0
