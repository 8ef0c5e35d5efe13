"""A person decides for another with that one's right, and the two count as one."""

from __future__ import annotations

import pytest

from supervisor.core.commands import approvals
from supervisor.core.commands.approvals import Seen
from supervisor.core.errors import AlreadyDecided, IllegalEvent, NotAllowed
from supervisor.core.events import Actor, ApprovalDecided, ApprovalRequested, decode, encode
from supervisor.core.persona import Approvers
from supervisor.core.reducer import apply, fold
from supervisor.core.state import Session
from tests.core.build import ALICE, AT, BOB, CAROL, DAN, SID, by, decided, launched, responded, tool_call

BOBS = Approvers(users=("U2",))


def waiting(*rules: Approvers) -> Session:
    """A session of ALICE with a call that waits."""
    call = tool_call(approvers=rules[0], also=rules[1:])
    return fold(
        SID, [launched(), responded(call), ApprovalRequested(**by(), request_id="r2", call_ids=("1.1",))]
    )


def standing_for(actor: Actor, *others: Actor) -> Actor:
    return actor.model_copy(update={"stands_for": others, "joined": tuple(other.id for other in others)})


def approve(session: Session, actor: Actor) -> Session:
    seen = Seen.of(session.call("1.1"))
    for event in approvals.decide(session, "1.1", "approve", actor, AT, seen=seen):
        session = apply(SID, session, decode(SID, 0, encode(event)))
    return session


def test_it_is_recorded_for_whom() -> None:
    with pytest.raises(NotAllowed):
        approve(waiting(BOBS), CAROL)
    session = approve(waiting(BOBS), standing_for(CAROL, BOB))
    (decision,) = session.call("1.1").decisions
    assert (decision.by, decision.for_person, decision.for_name, decision.via) == (
        CAROL.id, BOB.id, BOB.name, "user"
    )  # fmt: skip
    assert session.call("1.1").phase == "approved"


def test_with_a_right_of_ones_own_nobody_elses_is_used() -> None:
    session = approve(waiting(Approvers(users=("U2", "U3"))), standing_for(CAROL, BOB))
    assert session.call("1.1").decisions[0].for_person == ""


def test_the_two_are_one_person() -> None:
    two = Approvers(users=("U2", "U4"), quorum=2)
    session = approve(waiting(two), standing_for(CAROL, BOB))
    with pytest.raises(AlreadyDecided, match=CAROL.name):
        approve(session, BOB)
    # Neither by another person to whom the same one has delegated.
    with pytest.raises(AlreadyDecided):
        approve(session, standing_for(Actor(id="slack:U9", name="Zoe"), BOB))
    assert approve(session, DAN).call("1.1").phase == "approved"
    with pytest.raises(AlreadyDecided):
        approve(approve(waiting(two), BOB), standing_for(CAROL, BOB))
    with pytest.raises(AlreadyDecided, match="you"):
        approve(session, standing_for(CAROL, DAN))


def test_they_are_one_person_also_where_each_has_the_right() -> None:
    """One decision by either counts, whichever of the two comes first, and the log knows it by itself."""
    two = Approvers(users=("U2", "U3", "U4"), quorum=2)
    bob = BOB.model_copy(update={"joined": (CAROL.id,)})
    first = approve(waiting(two), standing_for(CAROL, BOB))
    assert first.call("1.1").decisions[0].for_person == ""
    with pytest.raises(AlreadyDecided, match="one person with you"):
        approve(first, bob)
    with pytest.raises(AlreadyDecided, match="one person with you"):
        approve(approve(waiting(two), bob), standing_for(CAROL, BOB))
    with pytest.raises(IllegalEvent):
        apply(SID, first, decided(first, BOB, via="user"))
    assert approve(first, DAN).call("1.1").phase == "approved"


def test_neither_may_be_a_requester_where_these_are_excluded() -> None:
    rule = Approvers(users=("U1", "U2"), exclude_requester=True)
    # ALICE launched it: not for BOB, and BOB not for ALICE.
    with pytest.raises(NotAllowed):
        approve(waiting(rule), standing_for(ALICE, BOB))
    with pytest.raises(NotAllowed):
        approve(waiting(Approvers(users=("U1",), exclude_requester=True)), standing_for(CAROL, ALICE))


def test_the_right_is_that_which_the_other_has_now_and_is_not_passed_on() -> None:
    group = Approvers(groups=("S-SEC",))
    assert DAN.groups == ("S-SEC",)
    left = DAN.model_copy(update={"groups": ()})
    with pytest.raises(NotAllowed):
        approve(waiting(group), standing_for(CAROL, left))
    gone = BOB.model_copy(update={"kind": "deactivated"})
    with pytest.raises(NotAllowed):
        approve(waiting(BOBS), standing_for(CAROL, gone))
    with pytest.raises(NotAllowed):
        approve(waiting(group), standing_for(CAROL, standing_for(BOB, DAN)))
    session = approve(waiting(group), standing_for(CAROL, DAN))
    assert session.call("1.1").decisions[0].via == "group:S-SEC"


def test_of_several_rules_each_is_satisfied_by_one_of_the_two() -> None:
    both = waiting(Approvers(users=("U3",)), Approvers(users=("U2",)))
    session = approve(both, standing_for(CAROL, BOB))
    assert session.call("1.1").phase == "approved"
    assert session.call("1.1").decisions[0].via == "user\nuser"


def test_an_event_that_claims_more_is_refused() -> None:
    session = waiting(Approvers(users=("U2",), exclude_requester=True))
    forged = decided(session, CAROL, via="user")
    with pytest.raises(IllegalEvent):
        apply(SID, session, forged)
    for_alice = forged.model_copy(update={"for_person": ALICE.id})
    with pytest.raises(IllegalEvent):
        apply(SID, session, for_alice)
    by_alice = decided(session, ALICE, via="user").model_copy(update={"for_person": BOB.id})
    with pytest.raises(IllegalEvent):
        apply(SID, session, by_alice)
    assert apply(SID, session, forged.model_copy(update={"for_person": BOB.id})).call("1.1").decisions


def test_an_edit_for_another_makes_both_its_authors() -> None:
    rule = Approvers(users=("U2",), exclude_requester=True)
    session = waiting(rule)
    events = approvals.edit(
        session, "1.1", {"command": "pwd"}, standing_for(CAROL, BOB), AT,
        rejudge=lambda call, given: call.model_copy(update={"arguments": given, "digest": "d" * 64}),
        seen=Seen.of(session.call("1.1")),
    )  # fmt: skip
    assert not any(isinstance(event, ApprovalDecided) for event in events)
    after = apply(SID, session, events[0])
    with pytest.raises(NotAllowed):
        approve(after, BOB)
