"""Each event that decides something is a row with who, what, why and the time since the request that it answers."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest

from supervisor.core.audit.rows import AuditRow, LogReading
from supervisor.core.events import (
    ActionRefused,
    Actor,
    ApprovalDecided,
    ApprovalOverdue,
    ApprovalRequested,
    ApprovalWithdrawn,
    CallGranted,
    CallRuledAnew,
    ChildDecided,
    ChildFinished,
    Event,
    GrantAdded,
    GrantEnded,
    ModelResponded,
    OutcomeDecided,
    Paused,
    ToolRedefined,
)
from supervisor.core.events.base import Deed
from supervisor.core.persona import Approvers, Escalation
from tests.core.build import ALICE, AT, BOB, SID, by, edited, launched, redefined, responded, tool_call

RULE = Approvers(users=("U2",))
CALL = tool_call(approvers=RULE)
OTHER = tool_call("1.2", arguments={"command": "df"}, approvers=RULE)
ASKED: tuple[Event, ...] = (
    launched(),
    responded(CALL, OTHER),
    ApprovalRequested(**by(), request_id="r2", call_ids=("1.1", "1.2")),
)
NEVER = {"latency_seconds": None}
KEY = {"by": "api:deploy", "by_name": "Deploy", "by_owner": "slack:U2"}


def later(seconds: float, who: Actor = BOB) -> dict[str, Any]:
    return by(who, AT + timedelta(seconds=seconds))


def rows(*events: Event) -> list[AuditRow]:
    reading = LogReading(SID)
    for event in events:
        reading.read(event)
    return reading.rows


def test_a_row_has_who_decided_for_whom_by_which_right_and_why() -> None:
    decided = ApprovalDecided(
        **{**later(5), **KEY},
        call_id="1.1",
        digest="d1",
        verdict="deny",
        via="users",
        reason="Not today",
        for_person="slack:U9",
        for_name="Zoe",
    )
    (row,) = rows(*ASKED, decided)
    whole = {
        **{
            "at": AT + timedelta(seconds=5),
            "kind": "deny",
            **KEY,
            "for_person": "slack:U9",
            "for_name": "Zoe",
        },
        **{"session_id": SID, "version": 4, "persona": "helper", "call_id": "1.1", "tool": "shell"},
        **{"arguments": CALL.arguments, "digest": "d1", "rules": CALL.rules, "rights": ("users",)},
        **{"reason": "Not today", "latency_seconds": 5.0},
    }
    assert row == AuditRow(**whole)
    assert row.person == "slack:U2"
    assert row.key == (row.at, SID, 4000)


@pytest.mark.parametrize(
    ("event", "found"),
    [
        (
            ApprovalWithdrawn(**later(9), call_ids=("1.1", "1.2"), reason="Look first"),
            [
                {"kind": "withdraw", "call_id": "1.1", "reason": "Look first"},
                {"kind": "withdraw", "call_id": "1.2", "reason": "Look first", "part": 1},
            ],
        ),
        (
            ApprovalOverdue(**later(9), call_ids=("1.2",), step="expire"),
            [{"kind": "expire", "call_id": "1.2"}],
        ),
        (
            ActionRefused(**later(9), attempt="approve", about="1.2", problem="You may not."),
            [{"kind": "refused", "call_id": "1.2", "attempt": "approve", "reason": "You may not.", **NEVER}],
        ),
        (
            OutcomeDecided(**later(9), call_id="1.1", verdict="failed", via="users", result="It broke"),
            [{"kind": "failed", "call_id": "1.1", "reason": "It broke", "rights": ("users",)}],
        ),
        (ApprovalOverdue(**later(9), call_ids=("1.1",), step="remind"), []),
    ],
)
def test_events_about_calls(event: Event, found: list[dict[str, Any]]) -> None:
    whose = {"by": BOB.id, "by_name": "Bob", "session_id": SID, "version": 4, "persona": "helper"}
    call = {"tool": "shell", "rules": (RULE,), "latency_seconds": 9.0}
    known = {"1.1": (CALL.arguments, CALL.digest), "1.2": (OTHER.arguments, OTHER.digest)}
    expected = []
    for row in found:
        arguments, digest = known[row["call_id"]]
        about = {**whose, **call, "at": AT + timedelta(seconds=9), "arguments": arguments, "digest": digest}
        expected.append(AuditRow(**{**about, **row}))
    assert rows(*ASKED, event) == expected


def test_what_a_row_does_not_know_is_empty() -> None:
    refused = ActionRefused(**later(9), attempt="cancel", problem="You may not steer this session.")
    (row,) = rows(launched(), refused)
    assert row == AuditRow(
        at=AT + timedelta(seconds=9),
        kind="refused",
        by=BOB.id,
        by_name="Bob",
        session_id=SID,
        version=2,
        persona="helper",
        attempt="cancel",
        reason="You may not steer this session.",
    )
    (early,) = rows(refused)
    assert (early.persona, early.version) == ("", 1)


def test_rules_are_those_of_calls_that_need_approval() -> None:
    free = tool_call(mode="allow", approvers=RULE)
    done = OutcomeDecided(**later(9), call_id="1.1", verdict="done")
    (row,) = rows(launched(), responded(free), done)
    assert (row.tool, row.rules, row.latency_seconds) == ("shell", (), None)


def test_an_escalation_adds_its_people_to_the_rules_of_what_follows() -> None:
    rule = Approvers(users=("U2",), escalate=Escalation(after=timedelta(minutes=5), users=("U9",)))
    call = tool_call(approvers=rule)
    asked = ApprovalRequested(**by(), request_id="r2", call_ids=("1.1",))
    escalated = ApprovalOverdue(**later(300), call_ids=("1.1", "7.7"), step="escalate")
    approved = ApprovalDecided(**later(400), call_id="1.1", digest=call.digest, verdict="approve")
    first, unknown, last = rows(launched(), responded(call), asked, escalated, approved)
    assert [row.kind for row in (first, unknown, last)] == ["escalate", "escalate", "approve"]
    assert (first.call_id, first.part, unknown.call_id, unknown.part) == ("1.1", 0, "7.7", 1)
    assert [one.users for one in last.rules] == [("U2", "U9")]


def test_a_decision_on_a_sub_agent_counts_from_its_failure() -> None:
    ended = ChildFinished(**later(20), child_id="p0-first", ending="failed", result="Broken")
    other = ChildFinished(**later(25), child_id="p0-other", ending="failed", result="Broken")
    decided = ChildDecided(**later(50), child_id="p0-first", verdict="retry")
    (row,) = rows(*ASKED, ended, other, decided)
    assert (row.kind, row.latency_seconds, row.reason) == ("retry", 30.0, "sub-agent p0-first")


@pytest.mark.parametrize("change", [CallRuledAnew, ToolRedefined])
def test_a_call_that_is_asked_about_anew_has_new_rules_and_a_new_request(change: Any) -> None:
    new = redefined(CALL).model_copy(update={"approvers": Approvers(groups=("S1",))})
    asked = ApprovalRequested(**later(60), request_id="r5", call_ids=("1.1",))
    decided = ApprovalDecided(**later(62), call_id="1.1", digest=new.digest, verdict="approve")
    changed = change(**later(50), call_id="1.1", call=new)
    (row,) = rows(*ASKED, changed, asked, decided)
    assert (row.rules, row.latency_seconds, row.digest) == ((Approvers(groups=("S1",)),), 2.0, new.digest)
    (unasked,) = rows(*ASKED, changed, decided)
    assert unasked.latency_seconds is None


def test_a_change_has_its_right_and_what_was_asked_before_it_no_longer_counts() -> None:
    change = edited(CALL, {"command": "pwd"}, BOB, via="users").model_copy(
        update={"at": AT + timedelta(seconds=40)}
    )
    asked = ApprovalRequested(**later(40), request_id="r5", call_ids=("1.1",))
    decided = ApprovalDecided(**later(40), call_id="1.1", digest=change.call.digest, verdict="approve")
    first, second = rows(*ASKED, change, asked, decided)
    assert (first.kind, first.rights, second.latency_seconds) == ("edit", ("users",), 0)
    (unknown,) = rows(launched(), change)
    assert (unknown.latency_seconds, unknown.tool, unknown.arguments) == (None, "", {"command": "pwd"})


def pause(seconds: float, detail: str = "") -> Paused:
    return Paused(
        **later(seconds),
        reason="human_approval_required",
        detail=detail,
        conditions=[{"type": "approval"}],
        approvers=RULE,
        also=(Approvers(groups=("S1",)),),
    )


@pytest.mark.parametrize(("detail", "arguments"), [("Go live?", {"reason": "Go live?"}), ("", {})])
def test_a_pause_is_a_request_with_its_reason_and_lasts_longer_than_the_step(
    detail: str, arguments: dict[str, Any]
) -> None:
    decided = ApprovalDecided(**later(25), call_id="p1", digest="d", verdict="approve")
    (row,) = rows(*ASKED, pause(10, detail), responded(tool_call("2.1")), decided)
    assert (row.tool, row.arguments, row.latency_seconds) == ("approval", arguments, 15)
    assert row.rules == (RULE, Approvers(groups=("S1",)))
    withdrawn = ApprovalWithdrawn(**later(25), call_ids=("p1",), reason="")
    assert [row.digest for row in rows(*ASKED, pause(10), withdrawn)] == [""]


def test_calls_of_an_earlier_step_are_no_longer_known() -> None:
    decided = OutcomeDecided(**later(25), call_id="1.1", verdict="done")
    next_step: ModelResponded = responded(tool_call("2.1"))
    assert [row.tool for row in rows(*ASKED, next_step, decided)] == [""]


def grant(**fields: Any) -> GrantAdded:
    terms = {"grant_id": "g1", "call_id": "1.1", "tool": "shell", "patterns": {"command": "ls *"}}
    return GrantAdded(**{**later(7), **terms, "until": AT + timedelta(hours=2), "via": "users", **fields})


@pytest.mark.parametrize(("place", "where"), [("", "in this session"), ("slack:T1/C1", "in slack:T1/C1")])
def test_a_grant_and_its_revocation_say_its_terms(place: str, where: str) -> None:
    terms = f'g1: shell {{"command":"ls *"}} {where} until 2026-11-03 11:00 UTC'
    revoked = GrantEnded(**later(90, ALICE), grant_id="g1")
    first, last = rows(*ASKED, grant(place=place), revoked)
    assert (first.kind, first.call_id, first.tool, first.rights) == ("grant", "1.1", "shell", ("users",))
    assert (first.latency_seconds, first.reason, first.by) == (7, terms, BOB.id)
    assert (last.kind, last.call_id, last.reason, last.by) == ("revoke", "1.1", terms, ALICE.id)


def test_a_grant_that_ends_by_itself_is_no_decision() -> None:
    expired = GrantEnded(**later(90), grant_id="g1", expired=True)
    assert [row.kind for row in rows(*ASKED, grant(), expired)] == ["grant"]
    (unknown,) = rows(launched(), GrantEnded(**later(90), grant_id="g4"))
    assert (unknown.kind, unknown.call_id, unknown.reason) == ("revoke", "", "")


def test_a_call_allowed_by_a_grant_is_a_row_for_who_granted_it() -> None:
    allowed = CallGranted(
        **later(8, Actor(id="system")),
        call_id="1.2",
        digest=OTHER.digest,
        grant="g1",
        granter=Deed(by=BOB.id, by_name="Bob"),
        via="users\nadmin",
    )
    *_, row = rows(*ASKED, grant(), allowed)
    assert (row.kind, row.call_id, row.arguments, row.digest) == (
        *("granted", "1.2", OTHER.arguments, OTHER.digest),
    )
    assert (row.by, row.for_person, row.for_name, row.reason) == ("system", BOB.id, "Bob", "g1")
    assert (row.rights, row.override) == (("users", "admin"), True)
