"""Every event in every stage of a session and of a call: accepted exactly where the two tables say so."""

from __future__ import annotations

from typing import Any, get_args

import pytest

from supervisor.core.errors import IllegalEvent
from supervisor.core.events import Paused
from supervisor.core.persona import Budgets
from supervisor.core.records import Child, Grant, Timer
from supervisor.core.reducer import SESSION_MOVES, apply, fold
from supervisor.core.reducer.calls import CALL_MOVES
from supervisor.core.rules.patterns import exactly
from supervisor.core.state import SETTLED, Call, CallPhase, Lifecycle, Session, Step
from tests.core.build import (
    AT,
    BOB,
    EVENT_TYPES,
    LATER,
    SID,
    by,
    launched,
    one_of_each,
    plan_call,
    responded,
    subtask,
    tool_call,
)

TYPES = [t.model_fields["type"].default for t in EVENT_TYPES]
PHASES: tuple[CallPhase, ...] = get_args(CallPhase)
LIFECYCLES: tuple[Lifecycle, ...] = get_args(Lifecycle)


# A plan with a subtask in each state that an event about sub-agents may find.
PLAN_CALL = plan_call(
    subtask("first"),
    subtask("failed"),
    subtask("look"),
    subtask("tell", "first"),
    on_failure="ask",
    idempotent=True,
)
# Where an event needs more than the two tables say. SessionForked also needs that no sub-agent is running.
NEEDS: dict[str, frozenset[CallPhase]] = {
    "ModelResponded": SETTLED,
    "Compacted": SETTLED,
    "SessionForked": frozenset(),
    "ChildDecided": frozenset({"delegating"}),
    # Its server has to have asked for it.
    "InputGiven": frozenset(),
}


def child(name: str, **fields: Any) -> Child:
    given = {"id": f"p0-{name}", "name": name, "persona": "sre", "task": f"Do {name}", "budgets": Budgets()}
    return Child(**{"call_id": "1.1", "at": AT, **given, **fields})


def session_in(lifecycle: Lifecycle, phase: CallPhase, *, idempotent: bool = True) -> Session:
    """A session in that stage whose only call is in that phase; some of them only a forged log could reach."""
    asked = responded(PLAN_CALL.model_copy(update={"mode": "ask", "idempotent": idempotent}))
    whole = fold(SID, [launched(), asked])
    step: Step = whole.steps[0]
    call: Call = step.calls[0].model_copy(update={"phase": phase, "attempt": 1})
    timer = Timer(id="t1", due=AT, text="", about="", by=BOB.id, by_name="")
    grant = Grant(
        id="g1",
        session_id=SID,
        persona="helper",
        by=BOB.id,
        call_id="1.1",
        tool=call.call.tool,
        patterns=exactly(call.call.arguments) if isinstance(call.call.arguments, dict) else {},
        since=AT,
        until=LATER,
    )
    changes: dict[str, Any] = {
        "timers": (timer,),
        "grants": (grant,),
        "children": (child("first"), child("failed", state="failed")),
        "steps": (step.model_copy(update={"calls": (call,)}),),
        "lifecycle": lifecycle,
    }
    if lifecycle == "paused":
        changes["pause"] = Paused(**by(BOB), reason="manual")
    return whole.model_copy(update=changes)


def allowed(event_type: str, lifecycle: Lifecycle, phase: CallPhase) -> bool:
    if event_type not in SESSION_MOVES[lifecycle]:
        return False
    return phase in NEEDS.get(event_type, CALL_MOVES.get(event_type, PHASES))


@pytest.mark.parametrize("phase", PHASES)
@pytest.mark.parametrize("lifecycle", LIFECYCLES)
def test_an_event_is_accepted_exactly_where_the_tables_say_so(lifecycle: Lifecycle, phase: CallPhase) -> None:
    session = session_in(lifecycle, phase)
    as_it_was = session.model_dump_json()
    for event_type, event in one_of_each(call=PLAN_CALL).items():
        if allowed(event_type, lifecycle, phase):
            after = apply(SID, session, event)
            assert after.version == session.version + 1
            assert after.changed_at == event.at
        else:
            with pytest.raises(IllegalEvent) as refusal:
                apply(SID, session, event)
            assert_a_sentence(str(refusal.value))
        assert session.model_dump_json() == as_it_was


@pytest.mark.parametrize("phase", PHASES)
@pytest.mark.parametrize("lifecycle", LIFECYCLES)
def test_a_copy_is_marked_where_everything_has_ended(lifecycle: Lifecycle, phase: CallPhase) -> None:
    session = session_in(lifecycle, phase)
    ended = session.model_copy(update={"children": (child("first", state="cancelled"),)})
    forked = one_of_each()["SessionForked"]
    if phase in SETTLED and not session.ended:
        assert apply(SID, ended, forked).forked
    else:
        with pytest.raises(IllegalEvent):
            apply(SID, ended, forked)


def assert_a_sentence(text: str) -> None:
    assert text[0].isupper()
    assert text.endswith(".")
    assert not any(name in text for name in TYPES if name not in ("Failed", "Completed"))


def test_a_session_begins_with_its_launch_and_with_nothing_else() -> None:
    for event_type, event in one_of_each().items():
        if event_type == "SessionLaunched":
            assert apply(SID, None, event).version == 1
        else:
            with pytest.raises(IllegalEvent, match="begins with its launch"):
                apply(SID, None, event)
    with pytest.raises(IllegalEvent, match="begins with its launch"):
        fold(SID, [])


def test_the_tables_know_every_event_phase_and_stage() -> None:
    assert set(TYPES) == set(one_of_each())
    assert set(SESSION_MOVES) == set(LIFECYCLES)
    assert set().union(*SESSION_MOVES.values()) == set(TYPES) - {"SessionLaunched"}
    assert set().union(*CALL_MOVES.values()) == set(PHASES) - SETTLED
    about_a_call = {
        t.model_fields["type"].default for t in EVENT_TYPES if {"call_id", "call_ids"} & set(t.model_fields)
    }
    assert set(CALL_MOVES) == about_a_call


def test_nothing_begins_in_a_session_that_is_paused_or_at_its_end() -> None:
    begins = {"ToolStarted", "QuestionAsked", "ApprovalRequested", "CallGranted", "WaitBegun", "Completed"}
    plans = {"ChildLaunched", "ChildSkipped", "ChildrenJoined"}
    assert not SESSION_MOVES["paused"] & (begins | plans)
    assert SESSION_MOVES["completed"] == {"ChildFinished", "SessionRestored", "GrantEnded"}
    late = {"ToolFinished", "ToolNotBegun", "ChildFinished", "SessionRestored", "GrantEnded"}
    assert SESSION_MOVES["failed"] == SESSION_MOVES["cancelled"] == late


def test_a_call_starts_only_where_it_was_waved_through() -> None:
    assert CALL_MOVES["ToolStarted"] == {"ready", "approved", "started"}
    assert CALL_MOVES["ApprovalDecided"] == CALL_MOVES["CallEdited"] == {"awaiting"}
    assert CALL_MOVES["CallGranted"] == {"held"}
    assert CALL_MOVES["OutcomeDecided"] == {"unknown"}
    assert CALL_MOVES["ToolFinished"] == {"started", "unknown"}


def test_a_call_that_is_not_idempotent_does_not_start_while_it_may_be_running() -> None:
    session = session_in("running", "started", idempotent=False)
    with pytest.raises(IllegalEvent, match="does not start again by itself"):
        apply(SID, session, one_of_each(call=PLAN_CALL)["ToolStarted"])


@pytest.mark.parametrize("attempt", [0, 2, 7])
@pytest.mark.parametrize("event_type", ["ToolFinished", "ToolNotBegun", "OutcomeLost"])
def test_what_another_attempt_came_to_is_not_taken_for_this_one(event_type: str, attempt: int) -> None:
    session = session_in("running", "started")
    with pytest.raises(IllegalEvent, match=f"about attempt {attempt} of call 1.1; by now it is attempt 1"):
        apply(SID, session, one_of_each(attempt=attempt)[event_type])


@pytest.mark.parametrize("attempt", [0, 1, 3])
def test_attempts_are_counted_without_a_gap(attempt: int) -> None:
    session = session_in("running", "approved")
    with pytest.raises(IllegalEvent, match="cannot follow"):
        apply(SID, session, one_of_each(attempt=attempt - 1)["ToolStarted"])


def test_a_start_is_bound_to_the_arguments_that_were_waved_through() -> None:
    session = session_in("running", "approved")
    other = one_of_each(call=tool_call(arguments={"command": "rm -rf /"}))["ToolStarted"]
    with pytest.raises(IllegalEvent, match="not the one that was approved"):
        apply(SID, session, other)


@pytest.mark.parametrize(
    "call_id", ["", "1", "1.2", "2.1", "0.1", "01.1", "².1", "١.1", "-1.1", "9" * 5000, "1.1 "]
)
def test_a_call_that_is_not_there_is_refused_whatever_it_is_called(call_id: str) -> None:
    session = session_in("running", "awaiting")
    for event_type in CALL_MOVES:
        with pytest.raises(IllegalEvent, match="not part of this session"):
            apply(SID, session, one_of_each(call_id, call=tool_call())[event_type])


@pytest.mark.parametrize("call_id", ["1.2", "2.1", "1.0", ""])
def test_calls_are_numbered_by_their_place(call_id: str) -> None:
    session = apply(SID, None, launched())
    with pytest.raises(IllegalEvent, match="not numbered"):
        apply(SID, session, responded(tool_call(call_id)))


def test_two_calls_of_one_answer_never_share_a_number() -> None:
    session = apply(SID, None, launched())
    with pytest.raises(IllegalEvent, match="not numbered"):
        apply(SID, session, responded(tool_call("1.1"), tool_call("1.1")))


def test_an_answer_for_an_earlier_step_is_not_taken_for_the_next() -> None:
    session = fold(SID, [launched(), responded(tool_call(mode="refuse"), step=1)])
    with pytest.raises(IllegalEvent, match="too late"):
        apply(SID, session, responded(step=1))
    assert len(apply(SID, session, responded(step=2)).steps) == 2


def test_the_model_has_not_seen_more_than_it_was_sent() -> None:
    session = fold(SID, [launched(), one_of_each()["ContextAdded"]])
    with pytest.raises(IllegalEvent, match="seen more than it was sent"):
        apply(SID, session, responded(context_seen=2))


def test_a_refused_call_is_settled_from_the_start_and_never_runs() -> None:
    for control in (False, True):
        call = tool_call(mode="refuse", control=control, reason="Policy forbids it.")
        session = fold(SID, [launched(), responded(call)])
        assert session.call("1.1").phase == "refused"
        assert not session.open_calls
        assert session.errors_in_a_row == 1
        for event_type in CALL_MOVES:
            with pytest.raises(IllegalEvent):
                apply(SID, session, one_of_each(attempt=0)[event_type])


def test_a_question_that_needs_approval_is_asked_once_it_is_approved() -> None:
    events = one_of_each(attempt=0)
    asked = fold(SID, [launched(), responded(tool_call(control=True)), events["ApprovalRequested"]])
    approved = apply(SID, asked, events["ApprovalDecided"])
    assert approved.call("1.1").phase == "open"
    with pytest.raises(IllegalEvent):
        apply(SID, approved, events["ToolStarted"])
    assert apply(SID, approved, events["QuestionAsked"]).waiting_for == "human_input_required"


def test_a_resume_ends_every_pause_that_is_open() -> None:
    events = one_of_each()
    session = fold(SID, [launched(), events["Paused"], events["Paused"], events["Resumed"]])
    assert [(h.number, h.resumed_by, h.resumed_at) for h in session.halts] == [
        (1, BOB.id, AT),
        (2, BOB.id, AT),
    ]


@pytest.mark.parametrize(
    ("phases", "reason"),
    [
        (("awaiting",), "human_approval_required"),
        (("asking",), "human_input_required"),
        (("unknown",), "outcome_unknown"),
        (("asking", "awaiting"), "human_approval_required"),
        (("awaiting", "unknown"), "outcome_unknown"),
        (("asking", "unknown"), "outcome_unknown"),
        (("awaiting", "started"), None),
        (("unknown", "ready"), None),
        (("delegating",), "children_running"),
        (("delegating", "asking"), "human_input_required"),
        (("delegating", "awaiting"), "human_approval_required"),
        (("delegating", "open"), None),
        (("finished", "denied"), None),
        ((), None),
    ],
)
def test_what_a_session_waits_for(phases: tuple[CallPhase, ...], reason: str | None) -> None:
    step = session_in("running", "ready").steps[0]
    calls = tuple(step.calls[0].model_copy(update={"phase": phase}) for phase in phases)
    steps = (step.model_copy(update={"calls": calls}),)
    for lifecycle in LIFECYCLES:
        session = session_in(lifecycle, "ready").model_copy(update={"steps": steps})
        expected = {"running": reason, "paused": "manual"}.get(lifecycle)
        assert session.waiting_for == expected
        assert session.status == ("paused" if expected else lifecycle)
