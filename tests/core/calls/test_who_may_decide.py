"""Who may decide on a call, who is named as one who may, and who ends a pause that waits for an approval."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest

from supervisor.core.delegation import PLAN
from supervisor.core.events import Actor
from supervisor.core.persona import ApprovalRule, Approvers, Escalation, Persona
from supervisor.core.policy import approvers_of_pause, ask_first, evaluate, may_decide, names_approver
from tests.core.build import ALICE, BOB, CAROL, DAN, awaiting

OPS, SEC = Approvers(groups=("S-OPS",)), Approvers(groups=("S-SEC",))
OF_BOB = Approvers(users=("U2",))
FOUR_EYES = Approvers(groups=("S-OPS",), exclude_requester=True)


def persona(*rules: ApprovalRule, **fields: Any) -> Persona:
    return Persona(**{"name": "p", "description": "d", "instructions": "i", "approvals": rules, **fields})


def rule(tool: str, approvers: Approvers | None = None, **fields: Any) -> ApprovalRule:
    return ApprovalRule(**{"tool": tool, "mode": "ask", "approvers": approvers, **fields})


@pytest.mark.parametrize(
    ("rules", "actor", "may", "named"),
    [
        ((None,), BOB, True, False),
        ((None,), BOB.model_copy(update={"sees": False}), False, False),
        ((OF_BOB,), BOB, True, True),
        ((OF_BOB,), CAROL, False, False),
        ((OPS,), CAROL, True, True),
        ((OPS,), DAN, False, False),
        ((OPS, SEC), DAN, True, True),
        ((OPS, SEC), BOB, False, False),
        ((FOUR_EYES,), ALICE, False, False),
        ((FOUR_EYES,), CAROL, True, True),
        # By the right of another, or of an admin, one may decide; a rule does not name one for that.
        ((OPS,), BOB.model_copy(update={"stands_for": (CAROL,)}), True, False),
        ((OPS,), BOB.model_copy(update={"admin": True, "overrides": (0,)}), True, False),
        ((OF_BOB,), Actor(id="api:k", kind="program", owner=BOB.id), True, True),
    ],
)
def test_who_may_decide_and_who_is_named(
    rules: tuple[Approvers | None, ...], actor: Actor, may: bool, named: bool
) -> None:
    session = awaiting(rules[0], also=rules[1:])
    call = session.call("1.1")
    assert (may_decide(session, call, actor), names_approver(session, call, actor)) == (may, named)


def test_a_plan_that_is_to_be_asked_for_is_asked_for_whatever_the_rules_say() -> None:
    allowed = persona(rule(PLAN, mode="allow"), rule("shell", mode="allow"))
    asked = ask_first(allowed, PLAN)
    assert evaluate(allowed, PLAN, {}, changes=True).mode == "allow"
    assert evaluate(asked, PLAN, {}, changes=True).mode == "ask"
    assert evaluate(asked, "shell", {}, changes=True).mode == "allow"
    denied = ask_first(persona(rule(PLAN, mode="deny")), PLAN)
    assert evaluate(denied, PLAN, {}, changes=True).mode == "deny"
    ruled = ask_first(persona(rule(PLAN, OPS)), PLAN)
    assert evaluate(ruled, PLAN, {}, changes=True).rules == (OPS,)


def test_the_rule_for_a_pause_is_the_one_that_names_it() -> None:
    timed = Approvers(
        users=("U2",), remind=timedelta(hours=1), escalate=Escalation(after=timedelta(hours=2), users=("U3",))
    )
    named = persona(rule("shell", OPS), rule("approval", timed), rule("approval", SEC))
    assert approvers_of_pause(named) == (timed,)
    assert approvers_of_pause(persona(rule("shell", OPS), rule("approval"))) == (Approvers(),)


def test_without_one_it_is_all_that_rules_name_as_strictly_as_any() -> None:
    found = approvers_of_pause(
        persona(
            rule("shell", Approvers(users=("U2",), quorum=2, guests=True, teams=("T1", "T2"))),
            rule("read_file", mode="allow"),
            rule("deploy", Approvers(users=("U2", "U3"), groups=("S-OPS",), guests=True, teams=("T2",))),
        )
    )
    assert found == (Approvers(users=("U2", "U3"), groups=("S-OPS",), quorum=2, guests=True, teams=("T2",)),)
    strict = approvers_of_pause(persona(rule("shell", FOUR_EYES), rule("deploy", Approvers(guests=True))))
    assert strict == (Approvers(groups=("S-OPS",), exclude_requester=True),)
    assert approvers_of_pause(persona()) == (Approvers(),)


def test_those_of_the_place_and_of_the_launching_persona_hold_too() -> None:
    above = persona(rule("approval", SEC))
    below = persona(rule("approval", OPS), narrowed_to=OF_BOB, under=above)
    assert approvers_of_pause(below) == (OPS, OF_BOB, SEC)
    assert approvers_of_pause(persona(under=above)) == (SEC,)
