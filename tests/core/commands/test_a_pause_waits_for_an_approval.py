"""A pause until `approval` is a request: only who may decide ends it, and the agent reads who decided and what."""

from __future__ import annotations

from collections.abc import Sequence

import pytest

from supervisor.core.commands.approvals import Seen, decide, edit
from supervisor.core.commands.control import cancel, pause, resume, resume_later, wake
from supervisor.core.conditions import Condition, Manual, Webhook
from supervisor.core.errors import (
    AlreadyDecided,
    CallChanged,
    DigestRequired,
    IllegalEvent,
    MissingScope,
    NotAllowed,
)
from supervisor.core.events import (
    ContextAdded,
    Event,
    Paused,
    Resumed,
    ToolStarted,
    WaitBegun,
    WaitEnded,
    decode,
    encode,
)
from supervisor.core.persona import ApprovalRule, Approvers, Persona
from supervisor.core.policy import approvers_of_pause
from supervisor.core.reducer import fold
from supervisor.core.state import Session
from supervisor.core.triggers import Signal
from tests.core.build import ALICE, AT, BOB, CAROL, DAN, PIPELINE, SID, by, launched, responded, tool_call

APPROVAL, GO = Manual(type="approval"), Webhook(type="webhook", name="go")
START = fold(SID, [launched()])
OPS = Approvers(groups=("S-OPS",), exclude_requester=True)


def after(session: Session, events: Sequence[Event]) -> Session:
    """The session after these events, each read back from how it is stored."""
    return fold(SID, [decode(SID, n, encode(event)) for n, event in enumerate(events)], session)


def paused(approvers: Approvers = OPS, *more: Condition, session: Session = START) -> Session:
    conditions = (APPROVAL, *more)
    return after(
        session, pause(session, BOB, AT, conditions=conditions, detail="the move", approvers=[approvers])
    )


def seen(session: Session) -> Seen:
    assert session.approval
    return Seen.of(session.approval)


def test_the_request_has_the_approvers_the_reason_and_a_number_of_its_own() -> None:
    session = paused()
    assert session.approval is not None
    assert session.approval == session.call("p1")
    call = session.approval.call
    assert (call.tool, call.arguments, call.approvers) == ("approval", {"reason": "the move"}, OPS)
    assert (session.approval.phase, session.waiting_for) == ("awaiting", "human_approval_required")
    again = paused(session=after(session, decide(session, "p1", "approve", CAROL, AT, seen=seen(session))))
    assert again.approval
    assert again.approval.call_id == "p2"
    with pytest.raises(AlreadyDecided):
        decide(again, "p1", "approve", CAROL, AT, seen=Seen.of(again.call("p1")))
    with pytest.raises(CallChanged):
        decide(again, "p2", "approve", CAROL, AT, seen=seen(session))


@pytest.mark.parametrize(
    ("verdict", "reason", "told"),
    [
        ("approve", "", "was given by Carol (slack:U3)."),
        ("deny", "not today", "was denied by Carol (slack:U3). Reason: not today"),
    ],
)
def test_a_decision_ends_it_and_the_agent_reads_it(verdict: str, reason: str, told: str) -> None:
    session = paused()
    events = decide(session, "p1", verdict, CAROL, AT, seen=seen(session), reason=reason)  # type: ignore[arg-type]
    done = after(session, events)
    assert (done.pause, done.approval, done.status) == (None, None, "running")
    assert done.halts[0].trigger == "approval"
    assert done.inbox[-1].text == f"The approval that this session waited for {told}"
    assert done.inbox[-1].by == CAROL.id


def test_an_agent_that_waits_for_it_reads_it_as_the_result() -> None:
    waits = tool_call(tool="wait_for", arguments={"condition": "approval"}, mode="allow", control=True)
    session = fold(SID, [responded(waits), WaitBegun(**by(), call_id="1.1")], START)
    session = paused(session=session)
    events = decide(session, "p1", "deny", CAROL, AT, seen=seen(session), reason="no")
    assert isinstance(events[-1], WaitEnded)
    assert "was denied by Carol (slack:U3). Reason: no" in after(session, events).call("1.1").content


def test_only_who_may_decide_ends_it_by_a_decision_or_by_hand() -> None:
    session = paused()
    for who in (BOB, DAN, ALICE, PIPELINE):
        for verdict in ("approve", "deny"):
            with pytest.raises(NotAllowed):
                decide(session, "p1", verdict, who, AT, seen=seen(session))
        for attempt in (resume, lambda s, a, at: pause(s, a, at, conditions=[GO])):
            with pytest.raises(NotAllowed):
                attempt(session, who, AT)
    for shown in (Seen(), Seen("", 1)):
        with pytest.raises(DigestRequired):
            decide(session, "p1", "approve", CAROL, AT, seen=shown)
    with pytest.raises(MissingScope):
        resume(session, CAROL, AT, may_decide=False)
    with pytest.raises(MissingScope):
        pause(session, CAROL, AT, conditions=[GO], may_decide=False)
    with pytest.raises(MissingScope):
        resume_later(session, AT, CAROL, AT, may_decide=False)
    with pytest.raises(NotAllowed, match="token"):
        resume(paused(Approvers()), PIPELINE, AT, trigger="token")
    by_hand = after(session, resume(session, CAROL, AT))
    assert (by_hand.pause, by_hand.call("p1").phase) == (None, "approved")


def test_each_needed_approval_is_another_persons() -> None:
    session = paused(Approvers(quorum=2))
    with pytest.raises(NotAllowed, match="more than one approval"):
        resume(session, BOB, AT)
    once = after(session, decide(session, "p1", "approve", BOB, AT, seen=seen(session)))
    assert (once.status, len(once.call("p1").decisions)) == ("paused", 1)
    with pytest.raises(AlreadyDecided):
        resume(once, BOB, AT)
    twice = after(once, decide(once, "p1", "approve", CAROL, AT, seen=seen(once)))
    assert "given by Bob (slack:U2), Carol (slack:U3)" in twice.inbox[-1].text


def test_another_condition_ends_it_too_and_nothing_is_decided_afterwards() -> None:
    session = paused(OPS, GO)
    assert session.waiting_for == "human_approval_required"
    woken = after(session, wake(session, Signal("webhook", "go"), PIPELINE, AT))
    assert woken.pause is None
    with pytest.raises(NotAllowed, match="not waiting for a decision"):
        decide(woken, "p1", "approve", CAROL, AT, seen=seen(session))
    ended = after(session, cancel(session, BOB, AT))
    assert ended.approval is None


def test_it_is_never_changed_and_never_runs() -> None:
    session = paused()
    with pytest.raises(IllegalEvent, match="nothing else"):
        edit(session, "p1", {}, CAROL, AT, rejudge=lambda call, _: call, seen=seen(session))
    approved = after(session, resume(session, CAROL, AT))
    start = ToolStarted(
        **by(), call_id="p1", attempt=1, idempotency_key="k", digest=approved.call("p1").call.digest
    )
    with pytest.raises(IllegalEvent):
        after(approved, [start])


def test_the_log_itself_refuses_a_resume_without_the_approval() -> None:
    for trigger in ("manual", "token", "approval"):
        with pytest.raises(IllegalEvent, match="was not given"):
            after(paused(), [Resumed(**by(CAROL), trigger=trigger)])


def test_a_log_from_before_there_were_requests_is_read_as_it_was() -> None:
    old: list[Event] = [
        Paused(**by(BOB), reason="human_approval_required", conditions=(APPROVAL,)),
        Resumed(**by(CAROL)),
    ]
    assert after(START, old).pause is None
    open_ = after(START, old[:1])
    assert after(open_, decide(open_, "p1", "approve", DAN, AT, seen=seen(open_))).pause is None


def persona(*rules: ApprovalRule, under: Persona | None = None) -> Persona:
    return Persona(name="p", description="p", instructions="p", approvals=rules, under=under)


def test_its_approvers_are_those_of_the_rule_else_all_that_are_named() -> None:
    named = ApprovalRule(tool="approval", mode="ask", approvers=Approvers(users=("U7",)))
    shell = ApprovalRule(tool="shell", mode="ask", approvers=Approvers(users=("U1",), quorum=2))
    other = ApprovalRule(tool="*", mode="ask", approvers=OPS)
    free = ApprovalRule(tool="read", mode="allow")
    assert approvers_of_pause(persona(shell, named, other)) == (Approvers(users=("U7",)),)
    everyone = Approvers(users=("U1",), groups=("S-OPS",), quorum=2, exclude_requester=True)
    assert approvers_of_pause(persona(free, shell, other)) == (everyone,)
    assert approvers_of_pause(persona(free)) == (Approvers(),)
    below = approvers_of_pause(persona(named, under=persona(shell, other)))
    assert below == (Approvers(users=("U7",)), everyone)


def test_who_paused_it_or_told_the_agent_what_to_do_does_not_approve_it() -> None:
    told = after(START, [ContextAdded(**by(CAROL), text="the other way")])
    session = paused(Approvers(exclude_requester=True), session=told)
    for who in (ALICE, BOB, CAROL):
        with pytest.raises(NotAllowed):
            decide(session, "p1", "approve", who, AT, seen=seen(session))
    done = after(session, decide(session, "p1", "approve", DAN, AT, seen=seen(session)))
    assert done.pause is None
    assert DAN.id not in done.steered_by, "who approves a pause has told the agent nothing"
