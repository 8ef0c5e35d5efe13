"""A decision carries its words, its right and what was known of approvers; a refused one says why in a sentence."""

from __future__ import annotations

from typing import Any

import pytest

from supervisor.core.commands.approvals import Seen, decide, decide_each, decide_outcome, edit, withdraw
from supervisor.core.commands.control import pause, resume, resume_later
from supervisor.core.conditions import Manual
from supervisor.core.digest import call_digest
from supervisor.core.errors import (
    DigestRequired,
    FlagmanError,
    IllegalEvent,
    MissingScope,
    NotAllowed,
)
from supervisor.core.events import (
    Actor,
    ApprovalDecided,
    ApprovalOverdue,
    ApprovalRequested,
    ApprovalWithdrawn,
    CallEdited,
    Event,
    Resumed,
    ToolCall,
)
from supervisor.core.messages import Json
from supervisor.core.persona import Approvers
from supervisor.core.reducer import fold
from supervisor.core.reducer.calls import ONLY_APPROVED
from supervisor.core.state import Session
from tests.core.build import AT, BOB, CAROL, DAN, PIPELINE, SID, awaiting, by, launched, responded, tool_call
from tests.core.commands.test_control import LATER, START, after, orphaned

OPS = Approvers(groups=("S-OPS",))
NAMELESS = Actor(id="slack:U9", groups=("S-OPS",))
TWO = Approvers(quorum=2)


def several() -> Session:
    calls = (tool_call("1.1"), tool_call("1.2", approvers=OPS), tool_call("1.3"))
    asked = ApprovalRequested(**by(), request_id="r2", call_ids=("1.1", "1.2", "1.3"))
    return fold(SID, [launched(), responded(*calls), asked])


def test_each_of_several_has_the_reason_or_the_error() -> None:
    session = several()
    seen = {call.call_id: Seen.of(call) for call in session.calls_in("awaiting")}
    events, refused = decide_each(session, seen, "deny", BOB, AT, reason=" Not today ")
    decided = [event for event in events if isinstance(event, ApprovalDecided)]
    assert [(event.call_id, event.reason) for event in decided] == [
        ("1.1", "Not today"),
        ("1.3", "Not today"),
    ]
    assert list(refused) == ["1.2"]
    plain, _ = decide_each(session, seen, "approve", BOB, AT)
    assert {event.reason for event in plain if isinstance(event, ApprovalDecided)} == {""}


def rejudged(call: ToolCall, arguments: Json) -> ToolCall:
    changes = {"arguments": arguments, "digest": call_digest(call.tool, arguments), "approvers": TWO}
    return call.model_copy(update=changes)


@pytest.mark.parametrize("too_few", [{}, {"too_few": True}])
def test_a_change_says_whether_too_few_people_can_approve_it(too_few: dict[str, bool]) -> None:
    session = awaiting(TWO)
    seen = Seen.of(session.call("1.1"))
    events = edit(session, "1.1", {"command": "pwd"}, BOB, AT, rejudge=rejudged, seen=seen, **too_few)
    assert isinstance(events[0], CallEdited)
    assert events[0].too_few is bool(too_few)
    assert after(session, events).call("1.1").too_few is bool(too_few)


WITHDRAWALS: list[tuple[Session, list[str], str, str]] = [
    (several(), ["1.1", "1.3"], "", "What to do instead is empty; please write what you want."),
    (several(), ["1.1", "9.9"], "Look", "That tool call is not part of this session."),
    (
        fold(SID, [launched(), responded(tool_call(mode="allow"))]),
        ["1.1"],
        "Look",
        "Withdrawing a request is not possible: call 1.1 is about to run.",
    ),
    (START, [], "Look", "Nothing was withdrawn: no call waits for an approval."),
]


@pytest.mark.parametrize(("session", "call_ids", "reason", "said"), WITHDRAWALS)
def test_a_withdrawal_that_is_refused_says_why(
    session: Session, call_ids: list[str], reason: str, said: str
) -> None:
    with pytest.raises(FlagmanError) as refused:
        withdraw(session, call_ids, reason, BOB, AT)
    assert str(refused.value).startswith(said)


def test_a_withdrawal_is_of_those_that_are_named_or_of_all() -> None:
    for named, found in ((["1.3", "1.1"], ("1.1", "1.3")), ([], ("1.1", "1.2", "1.3"))):
        events = withdraw(several(), named, " Look first ", BOB, AT)
        assert events == [ApprovalWithdrawn(**by(BOB), call_ids=found, reason="Look first")]


def test_an_outcome_is_settled_once_and_for_what_was_shown() -> None:
    session = orphaned()
    seen = Seen.of(session.call("1.1"))
    (settled,) = decide_outcome(session, "1.1", "done", BOB, AT, seen=seen)
    assert settled.model_dump()["result"] == ""
    with pytest.raises(DigestRequired, match="send its `digest` and `request`"):
        decide_outcome(session, "1.1", "done", BOB, AT, seen=Seen(seen.digest))
    with pytest.raises(IllegalEvent, match=r"^That call no longer needs a decision\.$"):
        decide_outcome(after(session, [settled]), "1.1", "failed", BOB, AT, seen=seen)


def waiting(*rules: Approvers) -> Session:
    return after(START, pause(START, BOB, AT, conditions=[Manual(type="approval")], approvers=rules))


@pytest.mark.parametrize(
    ("actors", "verdict", "told"),
    [
        ([CAROL], "approve", "was given by Carol (slack:U3)."),
        ([NAMELESS], "approve", "was given by slack:U9."),
        ([CAROL, NAMELESS], "approve", "was given by Carol (slack:U3), slack:U9. Reason: fine"),
        ([CAROL], "deny", "was denied by Carol (slack:U3). Reason: fine"),
        ([NAMELESS], "deny", "was denied by slack:U9."),
    ],
)
def test_the_agent_reads_who_ended_a_pause(actors: list[Actor], verdict: Any, told: str) -> None:
    session = waiting(OPS.model_copy(update={"quorum": len(actors)}))
    reason = "fine" if "Reason" in told else ""
    for actor in actors:
        assert session.approval
        events = decide(session, "p1", verdict, actor, LATER, seen=Seen.of(session.approval), reason=reason)
        session = after(session, events)
    resumed = events[-1]
    assert isinstance(resumed, Resumed)
    assert resumed.context == f"The approval that this session waited for {told}"
    assert (resumed.trigger, resumed.condition, resumed.at) == ("approval", "approval", LATER)
    assert (resumed.by, resumed.by_name) == (actors[-1].id, actors[-1].name)


def test_resuming_a_pause_that_waits_for_an_approval_is_one() -> None:
    session = waiting(OPS)
    approved, *_ = resume(session, CAROL, LATER)
    assert approved == ApprovalDecided(
        **by(CAROL, LATER),
        call_id="p1",
        digest=session.approval.call.digest if session.approval else "",
        verdict="approve",
        via="group:S-OPS",
    )
    tries: list[tuple[dict[str, Any], type[FlagmanError], str]] = [
        (
            {"trigger": "token"},
            NotAllowed,
            "This session waits for an approval, which a resume token does not give.",
        ),
        (
            {"may_decide": False},
            MissingScope,
            "This key lacks the scope `approve`; `flagman keys create NAME --scope ",
        ),
    ]
    for more, kind, said in tries:
        with pytest.raises(kind) as refused:
            resume(session, CAROL, LATER, **more)
        assert str(refused.value).startswith(said)
    assert resume_later(session, LATER, CAROL, AT)
    with pytest.raises(MissingScope):
        resume_later(session, LATER, CAROL, AT, may_decide=False)
    both = waiting(OPS, Approvers(groups=("S-SEC",)))
    with pytest.raises(NotAllowed) as alone:
        resume(both, CAROL, LATER)
    assert str(alone.value) == (
        "This session waits for more than one approval; approve it instead of resuming it."
    )
    given = decide(both, "p1", "approve", CAROL, AT, seen=Seen.of(both.call("p1")))
    assert resume(after(both, given), DAN.model_copy(update={"name": "Dan"}), LATER)


@pytest.mark.parametrize(
    "event",
    [
        ApprovalDecided(**by(BOB), call_id="p1", digest="", verdict="respond", via="anyone"),
        ApprovalOverdue(**by(PIPELINE), call_ids=("p1",), step="expire"),
        ApprovalWithdrawn(**by(BOB), call_ids=("p1",), reason="x"),
    ],
)
def test_a_pause_is_approved_or_denied_and_nothing_else(event: Event) -> None:
    session = waiting()
    assert session.approval
    if isinstance(event, ApprovalDecided):
        event = event.model_copy(update={"digest": session.approval.call.digest})
    with pytest.raises(IllegalEvent) as refused:
        after(session, [event])
    assert str(refused.value) == ONLY_APPROVED


def test_a_decision_is_that_of_its_own_pause() -> None:
    first = waiting(OPS)
    ended = after(first, resume(first, CAROL, LATER))
    second = after(ended, pause(ended, BOB, LATER, conditions=[Manual(type="approval")], approvers=[TWO]))
    given = decide(second, "p2", "approve", CAROL, LATER, seen=Seen.of(second.call("p2")))
    halts = after(second, given).halts
    assert halts[0] == ended.halts[0]
    assert halts[1].approval
    assert [one.by for one in halts[1].approval.decisions] == [CAROL.id]
