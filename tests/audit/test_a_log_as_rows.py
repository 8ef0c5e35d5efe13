"""Which rows a log gives: one for each decision, with the time since the request that it answers."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest

from bot.audit_formats import as_csv
from supervisor.core.audit.rows import AuditRow, LogReading
from supervisor.core.events import (
    ApprovalDecided,
    ApprovalRequested,
    BudgetRaised,
    Event,
    OutcomeDecided,
    OutcomeLost,
    Paused,
    Resumed,
    SessionForked,
)
from supervisor.core.persona import Approvers
from tests.core.build import ALICE, AT, BOB, SID, by, edited, launched, responded, tool_call

CALL = tool_call(approvers=Approvers(users=("U2",)), also=(Approvers(groups=("S1",)),))
ASKED: tuple[Event, ...] = (
    launched(),
    responded(CALL),
    ApprovalRequested(**by(), request_id="r2", call_ids=("1.1",)),
)


def later(seconds: float, who: Any = BOB) -> dict[str, Any]:
    return by(who, AT + timedelta(seconds=seconds))


def approved(seconds: float, digest: str = CALL.digest, **fields: Any) -> ApprovalDecided:
    return ApprovalDecided(**later(seconds), call_id="1.1", digest=digest, verdict="approve", **fields)


def rows(*events: Event) -> list[AuditRow]:
    reading = LogReading(SID)
    for event in events:
        reading.read(event)
    return reading.rows


def test_each_rule_has_its_right_and_an_override_is_one() -> None:
    (row,) = rows(*ASKED, approved(5, via="\nadmin"))
    assert (row.rules, row.rights, row.override) == (CALL.rules, ("", "admin"), True)
    assert (row.latency_seconds, row.version, row.persona) == (5, 4, "helper")


def test_who_changes_a_call_and_approves_it_answers_the_request_before() -> None:
    change = edited(CALL, {"command": "pwd"}, BOB).model_copy(update={"at": AT + timedelta(seconds=40)})
    one, two = rows(*ASKED, change, approved(40, change.call.digest))
    assert (one.kind, one.arguments, one.digest) == ("edit", {"command": "pwd"}, change.call.digest)
    assert (one.latency_seconds, two.latency_seconds) == (40, 40)
    another = approved(70, change.call.digest).model_copy(update={"by": ALICE.id})
    assert rows(*ASKED, change, another)[1].latency_seconds == 30


def test_a_pause_an_outcome_and_a_budget_count_from_when_they_began() -> None:
    pause = Paused(
        **later(10),
        reason="human_approval_required",
        conditions=[{"type": "approval"}],
        approvers=Approvers(users=("U2",)),
    )
    decided = ApprovalDecided(**later(25), call_id="p1", digest="d", verdict="approve")
    spent = Paused(**later(30), reason="budget_exceeded")
    raised = BudgetRaised(**later(90), budgets={"max_steps": 9})
    lost = OutcomeLost(**later(100), call_id="1.1", attempt=1)
    done = OutcomeDecided(**later(104), call_id="1.1", verdict="done")
    found = rows(*ASKED, pause, decided, Resumed(**later(25)), spent, raised, lost, done)
    assert [(row.kind, row.tool, row.latency_seconds) for row in found] == [
        ("approve", "approval", 15),
        ("raise_budget", "", 60),
        ("done", "shell", 4),
    ]


def test_a_copy_does_not_repeat_the_decisions_of_its_source() -> None:
    copied = SessionForked(**later(60), source="abcd-efgh", step=1, version=4)
    assert rows(*ASKED, approved(5), copied) == []


@pytest.mark.parametrize("before", ["", " ", "\u00a0", "\u3000", "\u200b", "\ufeff", "\t", "\u0000 "])
def test_no_cell_is_a_formula_whatever_stands_before_it(before: str) -> None:
    for sign in "=+-@＝":
        assert as_csv([{"reason": f"{before}{sign}1"}], header=False).count("'") == 1
    assert "'" not in as_csv([{"reason": "fine = 1"}], header=False)
