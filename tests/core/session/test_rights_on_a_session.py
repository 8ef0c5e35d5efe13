"""Who sees a session, who steers it and who raises its budget, as a table of who somebody is and what rules say."""

from __future__ import annotations

from typing import Any

import pytest

from supervisor.core import rights
from supervisor.core.errors import NotAllowed
from supervisor.core.events import (
    Actor,
    ChildDecided,
    ChildFinished,
    ChildLaunched,
    Event,
    OutcomeLost,
    Paused,
    QuestionAsked,
    ToolStarted,
)
from supervisor.core.persona import ApprovalRule, Approvers, Operators, Persona
from supervisor.core.reducer import fold
from supervisor.core.state import Session
from tests.core.build import ALICE, BOB, CAROL, SID, by, launched, plan_call, responded, subtask, tool_call

GUEST = Actor(id="slack:U5", kind="guest")
STRANGER = Actor(id="slack:U6", kind="external", teams=("T9",))
BOT = Actor(id="slack:B1", kind="bot")
GONE = Actor(id="slack:U7", kind="deactivated")
ADMIN = Actor(id="slack:U8", admin=True)
AUDITOR = Actor(id="api:eye", kind="program", reads_all=True)
OWNED = Actor(id="api:k", kind="program", owner=ALICE.id)
REQUESTERS = {ALICE.id}


def persona(*rules: Approvers, **fields: Any) -> Persona:
    approvals = tuple(ApprovalRule(tool="*", mode="ask", approvers=rule) for rule in rules)
    given = {"name": "sre", "description": "Looks", "instructions": "Look.", "approvals": approvals, **fields}
    return Persona(**given)


OPS = Approvers(groups=("S-OPS",))
OF_BOB = Approvers(users=("U2",))


def passes(check: Any, *arguments: Any, **named: Any) -> bool:
    try:
        check(*arguments, **named)
    except NotAllowed:
        return False
    return True


@pytest.mark.parametrize(
    ("actor", "guests", "teams", "stands"),
    [
        (BOB, False, (), True), (OWNED, False, (), True), (BOT, True, ("T9",), False), (GONE, True, ("T9",), False),
        (GUEST, False, ("T9",), False), (GUEST, True, (), True), (STRANGER, False, (), False),
        (STRANGER, True, (), False), (STRANGER, False, ("T9",), True), (STRANGER, False, ("T8",), False),
    ],
)  # fmt: skip
def test_who_has_rights_at_all(actor: Actor, guests: bool, teams: tuple[str, ...], stands: bool) -> None:
    assert passes(rights.check_standing, actor, guests=guests, teams=teams) is stands
    top = persona(guests=guests, teams=teams)
    assert passes(rights.check_admitted, top, actor) is stands
    # What the top persona says holds for those below it.
    assert passes(rights.check_admitted, persona(under=top), actor) is stands
    assert passes(rights.check_admitted, persona(guests=True, teams=("T9",), under=persona()), actor) is (
        actor in (BOB, OWNED)
    )


def test_without_a_persona_only_members_are_admitted() -> None:
    assert passes(rights.check_admitted, None, BOB)
    assert not passes(rights.check_admitted, None, GUEST)
    assert not passes(rights.check_active, GONE)
    assert passes(rights.check_active, GUEST)


@pytest.mark.parametrize(
    ("actor", "says"),
    [(GUEST, "Guests"), (STRANGER, "other workspaces"), (BOT, "Bots"), (GONE, "deactivated")],
)
def test_a_refusal_says_why(actor: Actor, says: str) -> None:
    with pytest.raises(NotAllowed, match=says):
        rights.check_standing(actor, guests=False, teams=())


@pytest.mark.parametrize(
    ("actor", "shown", "sees"),
    [
        (ALICE, False, True), (OWNED, False, True), (ADMIN, False, True), (AUDITOR, False, True),
        (BOB, True, True), (BOB, False, False), (BOB, None, True), (CAROL, None, False), (CAROL, True, True),
        (GUEST, True, False), (STRANGER, True, False), (BOT, True, False), (GONE, True, False),
    ],
)  # fmt: skip
def test_who_sees_a_session(actor: Actor, shown: bool | None, sees: bool) -> None:
    assert rights.may_see(REQUESTERS, persona(OF_BOB), actor, shown=shown) is sees


def test_operators_see_a_direct_conversation_and_guests_where_they_are_admitted() -> None:
    steered = persona(operators=Operators(groups=("S-OPS",)))
    assert rights.may_see(REQUESTERS, steered, CAROL, shown=None)
    assert not rights.may_see(REQUESTERS, steered, BOB, shown=None)
    assert rights.may_see(REQUESTERS, persona(guests=True), GUEST, shown=True)
    assert rights.may_see(REQUESTERS, persona(teams=("T9",)), STRANGER, shown=True)
    assert not rights.may_see(REQUESTERS, None, BOB, shown=None)
    assert rights.may_see(REQUESTERS, None, BOB, shown=True)


STEERS = [
    (persona(), {"alice": True, "bob": True, "carol": True, "guest": False, "admin": True}),
    (persona(OF_BOB), {"alice": True, "bob": True, "carol": False, "guest": False, "admin": True}),
    (persona(OPS, OF_BOB), {"alice": True, "bob": True, "carol": True, "guest": False, "admin": True}),
    (persona(Approvers(quorum=2)), {"alice": True, "bob": True, "carol": True, "guest": False, "admin": True}),
    (
        persona(OF_BOB, operators=Operators(groups=("S-OPS",))),
        {"alice": True, "bob": False, "carol": True, "admin": True},
    ),
    (persona(operators=Operators(users=("U2",))), {"alice": False, "bob": True, "carol": False, "admin": True}),
    (persona(guests=True), {"guest": True, "bob": True}),
    (None, {"alice": True, "bob": False, "guest": False, "admin": True}),
]  # fmt: skip
WHO = {"alice": ALICE, "bob": BOB, "carol": CAROL, "guest": GUEST, "admin": ADMIN}


@pytest.mark.parametrize(("given", "steers"), STEERS, ids=range(len(STEERS)))
def test_who_steers_a_session(given: Persona | None, steers: dict[str, bool]) -> None:
    found = {who: passes(rights.check_operator, REQUESTERS, given, WHO[who]) for who in steers}
    assert found == steers
    # The top persona decides for those below it.
    if given:
        below = persona(operators=Operators(users=("U9",)), under=given)
        for who, may in steers.items():
            if given.operators or not given.approvers:
                assert passes(rights.check_operator, REQUESTERS, below, WHO[who]) is may


def test_a_refusal_names_whom_to_ask() -> None:
    with pytest.raises(NotAllowed, match="Ask U2 or a member of S-OPS") as refusal:
        rights.check_operator(REQUESTERS, persona(OPS, OF_BOB), Actor(id="slack:U9"))
    assert (refusal.value.users, refusal.value.groups) == (("U2",), ("S-OPS",))
    assert refusal.value.what == "steer this session"
    with pytest.raises(NotAllowed, match="Ask an admin"):
        rights.check_operator(REQUESTERS, None, BOB)


def test_who_is_named_as_approver_or_operator() -> None:
    approving = persona(OPS)
    assert rights.is_approver(approving, CAROL)
    assert not rights.is_approver(approving, BOB)
    assert not rights.is_approver(None, CAROL)
    assert rights.is_approver(persona(under=approving), CAROL)
    assert not rights.is_approver(approving, CAROL.model_copy(update={"kind": "guest"}))
    assert rights.is_approver(
        persona(Approvers(groups=("S-OPS",), guests=True)), CAROL.model_copy(update={"kind": "guest"})
    )
    assert rights.names_operator(approving, CAROL)
    steered = persona(OPS, operators=Operators(users=("U2",)))
    assert rights.names_operator(steered, BOB)
    assert not rights.names_operator(steered, CAROL)
    assert not rights.is_operator(approving, CAROL)
    assert not rights.names_operator(None, CAROL)
    # An id counts whatever its bearer is; a group only for members.
    assert rights.is_operator(persona(operators=Operators(users=("U5",))), GUEST)
    guest_of_ops = GUEST.model_copy(update={"groups": ("S-OPS",)})
    assert not rights.is_operator(persona(operators=Operators(groups=("S-OPS",))), guest_of_ops)


def begun() -> Session:
    return fold(SID, [launched()])


@pytest.mark.parametrize(
    ("given", "actor", "may"),
    [
        (None, GUEST, True),
        (persona(), BOB, True),
        (persona(OPS), ADMIN, True),
        (persona(OPS), CAROL, True),
        (persona(OPS), BOB, False),
        (persona(OPS), ALICE.model_copy(update={"groups": ()}), False),
        (persona(OPS), ALICE, True),
        (persona(OPS.model_copy(update={"exclude_requester": True})), ALICE, False),
        (persona(OPS.model_copy(update={"exclude_requester": True})), CAROL, True),
        # The rule that excludes requesters is one that does not name her.
        (persona(OPS, OF_BOB.model_copy(update={"exclude_requester": True})), ALICE, True),
        (persona(narrowed_to=OPS), BOB, False),
        (persona(narrowed_to=OPS), CAROL, True),
        (persona(under=persona(narrowed_to=OPS)), BOB, False),
        (persona(OF_BOB, narrowed_to=OPS), CAROL, False),
    ],
)
def test_who_raises_a_budget(given: Persona | None, actor: Actor, may: bool) -> None:
    assert passes(rights.check_budget, begun(), given, actor) is may


def test_what_waits_for_an_operator() -> None:
    session = begun()
    assert not rights.needs_operator(session)
    paused = fold(SID, [Paused(**by(BOB), reason="manual")], session)
    assert rights.is_stopped(paused)
    assert rights.needs_operator(paused)
    asking = fold(
        SID,
        [
            responded(tool_call(tool="ask_human", mode="allow", control=True)),
            QuestionAsked(**by(), call_id="1.1", question="Which?"),
        ],
        session,
    )
    assert rights.needs_operator(asking)
    assert not rights.is_stopped(asking)
    call = tool_call(mode="allow")
    unknown = fold(
        SID,
        [
            responded(call),
            ToolStarted(**by(), call_id="1.1", attempt=1, idempotency_key="k", digest=call.digest),
            OutcomeLost(**by(), call_id="1.1", attempt=1),
        ],
        session,
    )
    assert rights.needs_operator(unknown)
    ended = unknown.model_copy(update={"lifecycle": "cancelled"})
    assert not rights.needs_operator(ended)


def test_a_failed_sub_agent_waits_for_an_operator() -> None:
    plan = responded(plan_call(subtask("look"), on_failure="ask"))
    begun_ = ChildLaunched(
        **by(), call_id="1.1", child_id="p0-look", name="look", persona="sre", task="Do look"
    )
    failed = ChildFinished(**by(), child_id="p0-look", ending="failed", result="no")
    decided = ChildDecided(**by(BOB), child_id="p0-look", verdict="skip")
    events: list[Event] = [plan, begun_, failed, decided]
    waits = [rights.needs_operator(fold(SID, events[:n], begun())) for n in range(1, 5)]
    assert waits == [False, False, True, False]


def test_members_of_a_group_from_another_workspace_approve_where_a_rule_names_it() -> None:
    visitor = STRANGER.model_copy(update={"groups": ("S-OPS",)})
    for team, may in (("T9", True), ("T8", False)):
        assert rights.is_approver(persona(OPS.model_copy(update={"teams": (team,)})), visitor) is may
    assert not rights.is_operator(persona(operators=Operators(groups=("S-OPS",))), visitor)
    with pytest.raises(
        NotAllowed, match=r"^You requested this session; someone else must raise its budget\.$"
    ):
        rights.check_budget(begun(), persona(OPS.model_copy(update={"exclude_requester": True})), ALICE)
