"""The commands that decide on a call, an unknown outcome or a failed sub-agent, each with its refusals."""

from __future__ import annotations

from datetime import timedelta

import pytest

from supervisor.core.commands.approvals import decide, decide_child, decide_outcome, edit, expect_digest
from supervisor.core.digest import call_digest
from supervisor.core.errors import AlreadyDecided, AlreadyEnded, IllegalEvent, InvalidInput, NotAllowed
from supervisor.core.events import (
    SYSTEM,
    Actor,
    ApprovalDecided,
    ApprovalRequested,
    CallEdited,
    Cancelled,
    ChildDecided,
    ChildFinished,
    ChildLaunched,
    Event,
    OutcomeDecided,
    OutcomeLost,
    ToolCall,
    ToolStarted,
)
from supervisor.core.messages import Json
from supervisor.core.persona import Approvers
from supervisor.core.reducer import fold
from supervisor.core.state import Session
from tests.core.build import (
    ALICE,
    AT,
    BOB,
    CAROL,
    DAN,
    SID,
    awaiting,
    by,
    launched,
    plan_call,
    responded,
    subtask,
    tool_call,
)

LATER = AT + timedelta(minutes=5)
TWO = Approvers(quorum=2)
OPS = Approvers(groups=("S-OPS",))
LONG = "x" * 20_001


def after(session: Session, events: list[Event]) -> Session:
    return fold(SID, events, session)


def rejudged(call: ToolCall, arguments: Json) -> ToolCall:
    """The same policy for other arguments; `forbidden` ones are refused, `sec` ones are for others to approve."""
    if arguments.get("command") == "forbidden":
        raise InvalidInput("That is forbidden.")
    approvers = Approvers(groups=("S-SEC",)) if arguments.get("command") == "sec" else call.approvers
    digest = call_digest(call.tool, arguments)
    return call.model_copy(update={"arguments": arguments, "digest": digest, "approvers": approvers})


def pair() -> Session:
    requested = ApprovalRequested(**by(), request_id="r2", call_ids=("1.1", "1.2"))
    second = tool_call("1.2", arguments={"command": "pwd"}, approvers=OPS)
    return fold(SID, [launched(), responded(tool_call(), second), requested])


# decide


@pytest.mark.parametrize(("verdict", "phase"), [("approve", "approved"), ("deny", "denied")])
def test_a_decision_is_bound_to_call_digest_person_and_time(verdict: str, phase: str) -> None:
    session = awaiting(OPS)
    events = decide(session, ["1.1"], verdict, CAROL, LATER, reason=" why ")  # type: ignore[arg-type]
    assert events == [
        ApprovalDecided.model_validate(
            {
                "at": LATER,
                "by": CAROL.id,
                "by_name": "Carol",
                "call_id": "1.1",
                "digest": session.call("1.1").call.digest,
                "verdict": verdict,
                "reason": "why",
                "via": "group:S-OPS",
            }
        )
    ]
    assert after(session, events).call("1.1").phase == phase


def test_several_calls_are_decided_in_the_order_named() -> None:
    events = decide(pair(), ["1.2", "1.1"], "approve", CAROL, AT)
    assert [(e.call_id, e.via) for e in events if isinstance(e, ApprovalDecided)] == [
        ("1.2", "group:S-OPS"),
        ("1.1", "anyone"),
    ]


def test_all_are_decided_or_none() -> None:
    with pytest.raises(NotAllowed):
        decide(pair(), ["1.1", "1.2"], "approve", BOB, AT)
    with pytest.raises(IllegalEvent, match="not part of this session"):
        decide(pair(), ["1.1", "1.3"], "approve", CAROL, AT)


@pytest.mark.parametrize("group", ["S-SEC", "S-OP", "S-OPSX", ""])
def test_another_group_gives_no_right(group: str) -> None:
    with pytest.raises(NotAllowed) as refused:
        decide(awaiting(OPS), ["1.1"], "approve", Actor(id="slack:U9", groups=(group,)), AT)
    assert refused.value.groups == ("S-OPS",)


@pytest.mark.parametrize("verdict", ["approve", "deny"])
def test_who_asked_for_the_session_decides_neither_way(verdict: str) -> None:
    with pytest.raises(NotAllowed, match="another person"):
        decide(awaiting(Approvers(exclude_requester=True)), ["1.1"], verdict, ALICE, AT)  # type: ignore[arg-type]


def test_one_person_counts_once_and_another_makes_the_quorum() -> None:
    once = after(awaiting(TWO), decide(awaiting(TWO), ["1.1"], "approve", BOB, AT))
    assert once.call("1.1").phase == "awaiting"
    with pytest.raises(AlreadyDecided):
        decide(once, ["1.1"], "approve", BOB, LATER)
    with pytest.raises(AlreadyDecided):
        decide(once, ["1.1"], "deny", BOB, LATER)
    assert after(once, decide(once, ["1.1"], "approve", CAROL, LATER)).call("1.1").phase == "approved"


def test_one_denial_is_enough_whatever_the_quorum() -> None:
    once = after(awaiting(TWO), decide(awaiting(TWO), ["1.1"], "approve", BOB, AT))
    assert after(once, decide(once, ["1.1"], "deny", CAROL, LATER)).call("1.1").phase == "denied"


def test_a_decided_call_says_who_decided_and_when() -> None:
    over = after(awaiting(), decide(awaiting(), ["1.1"], "deny", BOB, AT))
    with pytest.raises(AlreadyDecided) as refused:
        decide(over, ["1.1"], "approve", CAROL, LATER)
    assert (refused.value.by, refused.value.name, refused.value.at) == (BOB.id, "Bob", AT)
    assert refused.value.verdict == "denied"


def test_a_call_that_nobody_was_asked_about_is_not_decided() -> None:
    held = fold(SID, [launched(), responded(tool_call())])
    with pytest.raises(NotAllowed, match="not waiting for a decision"):
        decide(held, ["1.1"], "approve", BOB, AT)


def test_an_ended_session_takes_no_decision() -> None:
    with pytest.raises(AlreadyEnded, match="cancelled"):
        decide(after(awaiting(), [Cancelled(**by(BOB))]), ["1.1"], "approve", BOB, AT)


def test_the_reason_has_a_limit_and_may_be_empty() -> None:
    (event,) = decide(awaiting(), ["1.1"], "deny", BOB, AT, reason="x" * 20_000)
    assert isinstance(event, ApprovalDecided)
    assert len(event.reason) == 20_000
    with pytest.raises(InvalidInput, match="The reason is too long: 20,001 characters, at most 20,000"):
        decide(awaiting(), ["1.1"], "deny", BOB, AT, reason=LONG)


# What was shown


def test_the_digest_shown_or_its_beginning_must_be_the_calls() -> None:
    call = awaiting().call("1.1")
    for shown in ("", call.call.digest, call.call.digest[:8]):
        expect_digest(call, shown)
        assert decide(awaiting(), ["1.1"], "approve", BOB, AT, expected_digests={"1.1": shown})
    for wrong in ("0" * 64, call.call.digest[1:9], call.call.digest + "0"):
        with pytest.raises(IllegalEvent, match="shows another call"):
            expect_digest(call, wrong)
        with pytest.raises(IllegalEvent, match="shows another call"):
            decide(awaiting(), ["1.1"], "approve", BOB, AT, expected_digests={"1.1": wrong})
        with pytest.raises(IllegalEvent, match="shows another call"):
            edit(awaiting(), "1.1", {"command": "pwd"}, BOB, AT, rejudge=rejudged, expected_digest=wrong)


def test_each_call_has_a_digest_of_its_own() -> None:
    session = pair()
    first, second = session.call("1.1").call.digest, session.call("1.2").call.digest
    assert decide(
        session, ["1.1", "1.2"], "approve", CAROL, AT, expected_digests={"1.1": first, "1.2": second}
    )
    with pytest.raises(IllegalEvent):
        decide(session, ["1.1", "1.2"], "approve", CAROL, AT, expected_digests={"1.1": first, "1.2": first})


# edit


def test_the_editor_who_may_approve_approves_what_was_written() -> None:
    session = awaiting(OPS)
    events = edit(session, "1.1", {"command": "pwd"}, CAROL, LATER, rejudge=rejudged)
    changed, approved = events
    assert isinstance(changed, CallEdited)
    assert isinstance(approved, ApprovalDecided)
    assert (changed.before, changed.via) == (session.call("1.1").call.digest, "group:S-OPS")
    assert approved.digest == changed.call.digest == call_digest("shell", {"command": "pwd"})
    assert (changed.at, changed.by, approved.by) == (LATER, CAROL.id, CAROL.id)
    assert after(session, events).call("1.1").phase == "approved"


def test_unchanged_arguments_are_an_approval() -> None:
    (event,) = edit(awaiting(), "1.1", {"command": "ls"}, BOB, AT, rejudge=rejudged)
    assert isinstance(event, ApprovalDecided)
    assert event.verdict == "approve"


def test_what_is_for_others_to_approve_waits_for_them() -> None:
    session = awaiting(OPS)
    (event,) = edit(session, "1.1", {"command": "sec"}, CAROL, AT, rejudge=rejudged)
    assert isinstance(event, CallEdited)
    waits = after(session, [event])
    assert waits.call("1.1").phase == "awaiting"
    with pytest.raises(NotAllowed):
        decide(waits, ["1.1"], "approve", CAROL, AT)
    assert after(waits, decide(waits, ["1.1"], "approve", DAN, AT)).call("1.1").phase == "approved"


def test_a_change_takes_the_right_to_approve_what_was_there() -> None:
    with pytest.raises(NotAllowed):
        edit(awaiting(OPS), "1.1", {"command": "pwd"}, BOB, AT, rejudge=rejudged)
    with pytest.raises(InvalidInput, match="forbidden"):
        edit(awaiting(), "1.1", {"command": "forbidden"}, BOB, AT, rejudge=rejudged)


# decide_outcome


def lost(approvers: Approvers | None = None) -> Session:
    session = awaiting(approvers)
    session = after(session, decide(session, ["1.1"], "approve", CAROL, AT))
    digest = session.call("1.1").call.digest
    start = ToolStarted(**by(), call_id="1.1", attempt=1, idempotency_key="k", digest=digest)
    return after(session, [start, OutcomeLost(**by(), call_id="1.1", attempt=1)])


@pytest.mark.parametrize(
    ("verdict", "phase", "ok"),
    [("run_again", "approved", True), ("done", "finished", True), ("failed", "finished", False)],
)
def test_an_unknown_outcome_is_settled(verdict: str, phase: str, ok: bool) -> None:
    events = decide_outcome(lost(), "1.1", verdict, BOB, LATER, result=" seen ")  # type: ignore[arg-type]
    (event,) = events
    assert isinstance(event, OutcomeDecided)
    assert (event.verdict, event.result, event.via, event.by, event.at) == (
        verdict,
        "seen",
        "anyone",
        BOB.id,
        LATER,
    )
    call = after(lost(), events).call("1.1")
    assert (call.phase, call.ok) == (phase, ok)


def test_to_run_it_again_takes_the_right_to_approve_it() -> None:
    (event,) = decide_outcome(lost(OPS), "1.1", "run_again", CAROL, AT)
    assert isinstance(event, OutcomeDecided)
    assert event.via == "group:S-OPS"
    with pytest.raises(NotAllowed):
        decide_outcome(lost(OPS), "1.1", "run_again", BOB, AT)
    assert decide_outcome(lost(OPS), "1.1", "done", BOB, AT)
    assert decide_outcome(lost(OPS), "1.1", "failed", BOB, AT)


def test_only_an_unknown_outcome_is_decided() -> None:
    for session in (awaiting(), after(lost(), decide_outcome(lost(), "1.1", "done", BOB, AT))):
        with pytest.raises(IllegalEvent, match="no longer needs a decision"):
            decide_outcome(session, "1.1", "done", BOB, AT)
    with pytest.raises(InvalidInput, match="The result is too long"):
        decide_outcome(lost(), "1.1", "done", BOB, AT, result=LONG)


# decide_child


def failed() -> Session:
    plan = responded(plan_call(subtask("look"), on_failure="ask"))
    begun = ChildLaunched(
        **by(), call_id="1.1", child_id="p0-look", name="look", persona="sre", task="Do look"
    )
    return fold(
        SID,
        [launched(), plan, begun, ChildFinished(**by(), child_id="p0-look", ending="failed", result="no")],
    )


@pytest.mark.parametrize(
    ("verdict", "words"),
    [("retry", "“Retry”"), ("skip", "“Go on without”"), ("stop", "“Stop the rest”")],
)
def test_a_failed_sub_agent_is_decided_on_once(verdict: str, words: str) -> None:
    events = decide_child(failed(), "p0-look", verdict, BOB, LATER)  # type: ignore[arg-type]
    (event,) = events
    assert isinstance(event, ChildDecided)
    assert (event.child_id, event.verdict, event.by, event.at) == ("p0-look", verdict, BOB.id, LATER)
    with pytest.raises(AlreadyDecided, match=words) as refused:
        decide_child(after(failed(), events), "p0-look", "skip", CAROL, LATER)
    assert (refused.value.by, refused.value.name, refused.value.at) == (BOB.id, "Bob", LATER)
    assert str(refused.value).startswith("That failure")


def test_a_sub_agent_of_another_session_is_refused() -> None:
    with pytest.raises(IllegalEvent, match="not part of this session"):
        decide_child(failed(), "p0-other", "skip", BOB, AT)


def test_flagman_itself_has_no_name() -> None:
    (event,) = decide(awaiting(), ["1.1"], "deny", SYSTEM, AT)
    assert (event.by, event.by_name) == ("system", "")
