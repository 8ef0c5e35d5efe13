"""The commands that decide on a call, an unknown outcome or a failed sub-agent, each with its refusals."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import get_args

import pytest

from supervisor.core.commands.approvals import (
    OutcomeVerdict,
    Seen,
    Verdict,
    decide,
    decide_child,
    decide_each,
    decide_outcome,
    edit,
    expect_seen,
)
from supervisor.core.digest import call_digest
from supervisor.core.errors import (
    AlreadyDecided,
    AlreadyEnded,
    CallChanged,
    DigestRequired,
    IllegalEvent,
    InvalidInput,
    NotAllowed,
)
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


def seen(session: Session, call_id: str = "1.1") -> Seen:
    return Seen.of(session.call(call_id))


def decided(session: Session, verdict: Verdict, actor: Actor, at: datetime, reason: str = "") -> list[Event]:
    """The decision of a person who was shown the call."""
    return decide(session, "1.1", verdict, actor, at, seen=seen(session), reason=reason)


def changed(session: Session, arguments: Json, actor: Actor, at: datetime) -> list[Event]:
    return edit(session, "1.1", arguments, actor, at, rejudge=rejudged, seen=seen(session))


def settled(
    session: Session, verdict: OutcomeVerdict, actor: Actor, at: datetime, result: str = ""
) -> list[Event]:
    return decide_outcome(session, "1.1", verdict, actor, at, seen=seen(session), result=result)


# decide


@pytest.mark.parametrize(("verdict", "phase"), [("approve", "approved"), ("deny", "denied")])
def test_a_decision_is_bound_to_call_digest_person_and_time(verdict: str, phase: str) -> None:
    session = awaiting(OPS)
    events = decided(session, verdict, CAROL, LATER, reason=" why ")  # type: ignore[arg-type]
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


def test_of_several_calls_each_is_decided_or_refused_by_itself() -> None:
    session = pair()
    both = {call_id: seen(session, call_id) for call_id in ("1.2", "1.1")}
    events, refused = decide_each(session, both, "approve", CAROL, AT)
    assert refused == {}
    assert [(e.call_id, e.via) for e in events if isinstance(e, ApprovalDecided)] == [
        ("1.2", "group:S-OPS"),
        ("1.1", "anyone"),
    ]
    shown = {**both, "1.1": Seen("0" * 64), "1.3": Seen("0" * 64)}
    events, refused = decide_each(session, shown, "approve", BOB, AT)
    assert events == []
    assert {call_id: type(error) for call_id, error in refused.items()} == {
        "1.2": NotAllowed,
        "1.1": CallChanged,
        "1.3": IllegalEvent,
    }
    once = after(session, decided(session, "deny", BOB, AT))
    events, refused = decide_each(once, both, "approve", CAROL, AT)
    assert [e.call_id for e in events if isinstance(e, ApprovalDecided)] == ["1.2"]
    assert isinstance(refused["1.1"], AlreadyDecided)


@pytest.mark.parametrize("group", ["S-SEC", "S-OP", "S-OPSX", ""])
def test_another_group_gives_no_right(group: str) -> None:
    with pytest.raises(NotAllowed) as refused:
        decided(awaiting(OPS), "approve", Actor(id="slack:U9", groups=(group,)), AT)
    assert refused.value.groups == ("S-OPS",)


@pytest.mark.parametrize("verdict", ["approve", "deny"])
def test_who_asked_for_the_session_decides_neither_way(verdict: str) -> None:
    with pytest.raises(NotAllowed, match="someone else"):
        decided(awaiting(Approvers(exclude_requester=True)), verdict, ALICE, AT)  # type: ignore[arg-type]


def test_one_person_counts_once_and_another_makes_the_quorum() -> None:
    once = after(awaiting(TWO), decided(awaiting(TWO), "approve", BOB, AT))
    assert once.call("1.1").phase == "awaiting"
    with pytest.raises(AlreadyDecided):
        decided(once, "approve", BOB, LATER)
    with pytest.raises(AlreadyDecided):
        decided(once, "deny", BOB, LATER)
    assert after(once, decided(once, "approve", CAROL, LATER)).call("1.1").phase == "approved"


def test_one_denial_is_enough_whatever_the_quorum() -> None:
    once = after(awaiting(TWO), decided(awaiting(TWO), "approve", BOB, AT))
    assert after(once, decided(once, "deny", CAROL, LATER)).call("1.1").phase == "denied"


def test_a_decided_call_says_who_decided_and_when() -> None:
    over = after(awaiting(), decided(awaiting(), "deny", BOB, AT))
    with pytest.raises(AlreadyDecided) as refused:
        decided(over, "approve", CAROL, LATER)
    assert (refused.value.by, refused.value.name, refused.value.at) == (BOB.id, "Bob", AT)
    assert refused.value.verdict == "denied"


def test_a_call_that_nobody_was_asked_about_is_not_decided() -> None:
    held = fold(SID, [launched(), responded(tool_call())])
    with pytest.raises(NotAllowed, match="not waiting for a decision"):
        decided(held, "approve", BOB, AT)


def test_an_ended_session_takes_no_decision() -> None:
    with pytest.raises(AlreadyEnded, match="cancelled"):
        decided(after(awaiting(), [Cancelled(**by(BOB))]), "approve", BOB, AT)


def test_the_reason_has_a_limit_and_may_be_empty() -> None:
    (event,) = decided(awaiting(), "deny", BOB, AT, reason="x" * 20_000)
    assert isinstance(event, ApprovalDecided)
    assert len(event.reason) == 20_000
    with pytest.raises(InvalidInput, match="The reason is too long: 20,001 characters, at most 20,000"):
        decided(awaiting(), "deny", BOB, AT, reason=LONG)


# What was shown


def test_the_digest_shown_or_its_beginning_must_be_the_calls() -> None:
    session = awaiting()
    call = session.call("1.1")
    for shown in (call.call.digest, call.call.digest[:20]):
        for request in (None, 1):
            expect_seen(call, Seen(shown, request))
            assert decide(session, "1.1", "approve", BOB, AT, seen=Seen(shown, request))
    for wrong in ("0" * 64, call.call.digest[1:22], call.call.digest + "0"):
        refused_as(CallChanged, session, Seen(wrong))


def refused_as(error: type[Exception], session: Session, shown: Seen) -> None:
    for verdict in get_args(Verdict):
        with pytest.raises(error):
            decide(session, "1.1", verdict, BOB, AT, seen=shown, reason="Why not")
    for command in ("pwd", "ls"):
        with pytest.raises(error):
            edit(session, "1.1", {"command": command}, BOB, AT, rejudge=rejudged, seen=shown)


def test_without_what_was_shown_nothing_is_decided() -> None:
    digest = awaiting().call("1.1").call.digest
    for shown in (Seen(), Seen("", 1), Seen(digest[:8]), Seen(digest[:19], 1)):
        refused_as(DigestRequired, awaiting(), shown)


def test_a_call_changed_and_changed_back_is_another_request() -> None:
    """The arguments are those of the first request again, and yet who saw only that one was not shown this one."""
    session = awaiting()
    first = seen(session)
    there = CallEdited(**by(CAROL), call_id="1.1", before=first.digest, call=rejudged_call("pwd"))
    back = CallEdited(**by(CAROL), call_id="1.1", before=there.call.digest, call=rejudged_call("ls"))
    session = after(session, [there, back])
    assert seen(session) == Seen(first.digest, 3)
    refused_as(CallChanged, session, first)
    refused_as(CallChanged, session, Seen(first.digest, 2))
    assert decided(session, "approve", BOB, AT)


def rejudged_call(command: str) -> ToolCall:
    return rejudged(awaiting().call("1.1").call, {"command": command})


# edit


def test_the_editor_who_may_approve_approves_what_was_written() -> None:
    session = awaiting(OPS)
    events = changed(session, {"command": "pwd"}, CAROL, LATER)
    edited, approved = events
    assert isinstance(edited, CallEdited)
    assert isinstance(approved, ApprovalDecided)
    assert (edited.before, edited.via) == (session.call("1.1").call.digest, "group:S-OPS")
    assert approved.digest == edited.call.digest == call_digest("shell", {"command": "pwd"})
    assert (edited.at, edited.by, approved.by) == (LATER, CAROL.id, CAROL.id)
    assert after(session, events).call("1.1").phase == "approved"


def test_unchanged_arguments_are_an_approval() -> None:
    (event,) = changed(awaiting(), {"command": "ls"}, BOB, AT)
    assert isinstance(event, ApprovalDecided)
    assert event.verdict == "approve"


def test_what_is_for_others_to_approve_waits_for_them() -> None:
    session = awaiting(OPS)
    (event,) = changed(session, {"command": "sec"}, CAROL, AT)
    assert isinstance(event, CallEdited)
    waits = after(session, [event])
    assert waits.call("1.1").phase == "awaiting"
    with pytest.raises(NotAllowed):
        decided(waits, "approve", CAROL, AT)
    assert after(waits, decided(waits, "approve", DAN, AT)).call("1.1").phase == "approved"


def test_a_change_takes_the_right_to_approve_what_was_there() -> None:
    with pytest.raises(NotAllowed):
        changed(awaiting(OPS), {"command": "pwd"}, BOB, AT)
    with pytest.raises(InvalidInput, match="forbidden"):
        changed(awaiting(), {"command": "forbidden"}, BOB, AT)


# decide_outcome


def lost(approvers: Approvers | None = None) -> Session:
    session = awaiting(approvers)
    session = after(session, decided(session, "approve", CAROL, AT))
    digest = session.call("1.1").call.digest
    start = ToolStarted(**by(), call_id="1.1", attempt=1, idempotency_key="k", digest=digest)
    return after(session, [start, OutcomeLost(**by(), call_id="1.1", attempt=1)])


@pytest.mark.parametrize(
    ("verdict", "phase", "ok"),
    [("run_again", "approved", True), ("done", "finished", True), ("failed", "finished", False)],
)
def test_an_unknown_outcome_is_settled(verdict: str, phase: str, ok: bool) -> None:
    events = settled(lost(), verdict, BOB, LATER, result=" seen ")  # type: ignore[arg-type]
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
    (event,) = settled(lost(OPS), "run_again", CAROL, AT)
    assert isinstance(event, OutcomeDecided)
    assert event.via == "group:S-OPS"
    with pytest.raises(NotAllowed):
        settled(lost(OPS), "run_again", BOB, AT)
    assert settled(lost(OPS), "done", BOB, AT)
    assert settled(lost(OPS), "failed", BOB, AT)


def test_an_outcome_is_that_of_the_attempt_that_was_shown() -> None:
    first = lost()
    again = after(first, settled(first, "run_again", BOB, AT))
    digest = again.call("1.1").call.digest
    start = ToolStarted(**by(), call_id="1.1", attempt=2, idempotency_key="k", digest=digest)
    second = after(again, [start, OutcomeLost(**by(), call_id="1.1", attempt=2)])
    for verdict in get_args(OutcomeVerdict):
        for shown, error in (
            (seen(first), CallChanged),
            (Seen("0" * 64, seen(second).request), CallChanged),
            (Seen(digest), DigestRequired),
            (Seen(), DigestRequired),
        ):
            with pytest.raises(error):
                decide_outcome(second, "1.1", verdict, BOB, AT, seen=shown)
        assert settled(second, verdict, BOB, AT)


def test_only_an_unknown_outcome_is_decided() -> None:
    for session in (awaiting(), after(lost(), settled(lost(), "done", BOB, AT))):
        with pytest.raises(IllegalEvent, match="no longer needs a decision"):
            settled(session, "done", BOB, AT)
    with pytest.raises(InvalidInput, match="The result is too long"):
        settled(lost(), "done", BOB, AT, result=LONG)


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
    (event,) = decided(awaiting(), "deny", SYSTEM, AT)
    assert (event.by, event.by_name) == ("system", "")
