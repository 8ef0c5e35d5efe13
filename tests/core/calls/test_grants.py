"""Calls are allowed in advance by who may approve them, within that right, until a time, and never in silence."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

import pytest

from supervisor.core.commands.approvals import Seen, decide
from supervisor.core.commands.deadlines import pass_deadlines
from supervisor.core.commands.grants import Terms, allow, candidates, lasting_grants, revoke, use
from supervisor.core.errors import (
    AlreadyDecided,
    CallChanged,
    FlagmanError,
    IllegalEvent,
    InvalidInput,
    NotAllowed,
)
from supervisor.core.events import Actor, CallGranted, Event, GrantAdded, ToolCall, ToolFinished, ToolStarted
from supervisor.core.events.base import SYSTEM, Deed
from supervisor.core.messages import ToolDefinition
from supervisor.core.persona import ApprovalRule, Approvers, Persona
from supervisor.core.records import Grant
from supervisor.core.reducer import apply, fold
from supervisor.core.rules.hours import Hours
from supervisor.core.state import Call, Session
from tests.core.build import (
    ALICE,
    AT,
    BOB,
    CAROL,
    DAN,
    LATER,
    SID,
    awaiting,
    by,
    launched,
    one_of_each,
    responded,
    tool_call,
)

TERMS = Terms({"command": "ls *"}, LATER)
LS = {"command": "ls -l"}
UNTIMED = Persona(name="helper", description="x", instructions="y", tools=("*",))
OPS = Approvers(groups=("S-OPS",))


def seen(session: Session) -> Seen:
    return Seen.of(session.call("1.1"))


def granted(session: Session, actor: Actor = BOB, terms: Terms = TERMS) -> Session:
    return fold(SID, allow(session, "1.1", terms, actor, AT, seen=seen(session)), session)


def held_again(session: Session, **fields: Any) -> tuple[Session, Call]:
    """The session after its first call has run, with a second one that needs an approval."""
    call = session.call("1.1").call
    ran: list[Event] = [
        ToolStarted(**by(), call_id="1.1", attempt=1, idempotency_key="k", digest=call.digest),
        ToolFinished(**by(), call_id="1.1", attempt=1, ok=True, content="fine"),
        responded(
            tool_call("2.1", **{"arguments": {"command": "ls /tmp"}, "approvers": call.approvers, **fields})
        ),
    ]
    after = fold(SID, ran, session)
    return after, after.call("2.1")


def used(
    session: Session, call: Call, granter: Actor, at: datetime = AT, told_by: tuple[str, ...] = ()
) -> Any:
    found = [
        use(session, call, grant, granter, told_by, at)
        for grant in candidates(session, call, "", session.grants, at, UNTIMED)
    ]
    return found[0] if found else None


def test_a_grant_approves_its_call_and_those_that_match() -> None:
    session = granted(awaiting(arguments=LS))
    assert session.call("1.1").phase == "approved"
    after, call = held_again(session)
    event = used(after, call, BOB)
    assert (event.grant, event.granter, event.via) == ("g1", Deed(by=BOB.id, by_name="Bob"), "anyone")
    done = apply(SID, after, event)
    assert (done.call("2.1").phase, done.call("2.1").grant) == ("approved", "g1")
    assert done.call("2.1").granted_by == Deed(by=BOB.id, by_name="Bob")


@pytest.mark.parametrize(
    "fields",
    [
        {"arguments": {"command": "rm -rf /tmp"}},
        {"arguments": {"command": "ls /tmp; rm -rf /"}},
        {"arguments": {"command": "ls x", "cwd": "/"}},
        {"tool": "other"},
        {"definition": ToolDefinition(server="s", name="shell", schema_={})},
        {"control": True},
        {"approvers": Approvers(quorum=2)},
        {"approvers": Approvers(each_time=True)},
        {"also": (Approvers(users=("U9",), quorum=2),)},
    ],
)
def test_other_calls_are_asked_about(fields: dict[str, Any]) -> None:
    after, call = held_again(granted(awaiting(arguments=LS)), **fields)
    assert not list(candidates(after, call, "", after.grants, AT, UNTIMED))


def test_a_grant_lasts_until_its_time_and_not_before_it() -> None:
    after, call = held_again(granted(awaiting(arguments=LS)))
    assert used(after, call, BOB, LATER - timedelta(seconds=1))
    assert not used(after, call, BOB, LATER)
    assert not used(after, call, BOB, AT - timedelta(seconds=1))
    assert pass_deadlines(after, "g1", SYSTEM, LATER - timedelta(seconds=1)) == []
    over = fold(SID, pass_deadlines(after, "g1", Actor(id="clock"), LATER), after)
    assert lasting_grants(over, AT) == []
    assert pass_deadlines(over, "g1", SYSTEM, LATER) == []


def test_a_revoked_grant_allows_nothing_more() -> None:
    after, call = held_again(granted(awaiting(arguments=LS)))
    over = fold(SID, revoke(after, "g1", CAROL, AT), after)
    assert not used(over, call, BOB)
    assert (over.grant("g1").ended_by, over.grant("g1").ended_by_name) == (CAROL.id, "Carol")
    with pytest.raises(IllegalEvent, match="already ended"):
        revoke(over, "g1", CAROL, AT)
    with pytest.raises(IllegalEvent, match="no such grant"):
        revoke(over, "g7", CAROL, AT)


@pytest.mark.parametrize("granter", [BOB, CAROL.model_copy(update={"groups": ()}), DAN])
def test_the_right_of_who_granted_is_looked_at_again(granter: Actor) -> None:
    after, call = held_again(granted(awaiting(OPS, arguments=LS), CAROL))
    assert used(after, call, CAROL)
    assert used(after, call, granter) is None


def test_a_grant_is_never_wider_than_the_rules_of_the_later_call() -> None:
    after, call = held_again(
        granted(awaiting(OPS, arguments=LS), CAROL), approvers=Approvers(groups=("S-SEC",))
    )
    assert used(after, call, CAROL) is None
    both, call = held_again(
        granted(awaiting(OPS, arguments=LS), CAROL), approvers=OPS, also=(Approvers(groups=("S-SEC",)),)
    )
    assert used(both, call, CAROL) is None


def test_who_asked_for_a_call_does_not_allow_it_where_another_has_to() -> None:
    four_eyes = Approvers(exclude_requester=True)
    with pytest.raises(NotAllowed, match="someone else"):
        granted(awaiting(four_eyes, arguments=LS), ALICE)
    after, call = held_again(granted(awaiting(four_eyes, arguments=LS), BOB))
    assert used(after, call, BOB)
    # Bob told the agent what to do since.
    assert used(after, call, BOB, told_by=(BOB.id,)) is None


@pytest.mark.parametrize(
    ("otherwise", "allows"),
    [
        (ApprovalRule(tool="shell", mode="ask"), True),
        (ApprovalRule(tool="shell", mode="ask", approvers=OPS), False),
        (ApprovalRule(tool="shell", mode="deny"), False),
        (ApprovalRule(tool="shell", mode="allow"), True),
    ],
)
def test_the_rules_of_the_time_at_which_a_call_would_begin_hold(
    otherwise: ApprovalRule, allows: bool
) -> None:
    at_first = Hours.model_validate(
        {"from": "00:00", "to": f"{AT + timedelta(minutes=30):%H:%M}", "zone": "UTC"}
    )
    by_time = ApprovalRule(tool="shell", mode="ask", hours=at_first)
    timed = UNTIMED.model_copy(update={"approvals": (by_time, otherwise)})
    after, call = held_again(
        granted(awaiting(arguments=LS), terms=Terms(TERMS.patterns, AT + timedelta(hours=3)))
    )
    assert list(candidates(after, call, "", after.grants, AT, timed))
    later = AT + timedelta(minutes=45)
    assert bool(list(candidates(after, call, "", after.grants, later, timed))) is allows


def test_what_was_denied_before_is_asked_about() -> None:
    first, second = tool_call("1.1", arguments=LS), tool_call("1.2", arguments={"command": "ls /tmp"})
    asked = one_of_each()["ApprovalRequested"].model_copy(update={"call_ids": ("1.1", "1.2")})
    session = fold(SID, [launched(), responded(first, second), asked])
    session = fold(SID, decide(session, "1.2", "deny", BOB, AT, seen=Seen.of(session.call("1.2"))), session)
    after, call = held_again(granted(session))
    assert not used(after, call, BOB)
    assert used(*held_again(granted(session), arguments={"command": "ls /var"}), BOB)


@pytest.mark.parametrize(
    ("rule", "actor", "says"),
    [
        (Approvers(quorum=2), BOB, "more than one approval"),
        (Approvers(each_time=True), BOB, "by itself"),
        (OPS, BOB, "may not decide"),
        (OPS, BOB.model_copy(update={"admin": True, "overrides": (0,)}), "may not decide"),
        (OPS, BOB.model_copy(update={"stands_for": (CAROL,)}), "may not decide"),
    ],
)
def test_only_who_may_approve_alone_by_a_right_of_their_own_grants(
    rule: Approvers, actor: Actor, says: str
) -> None:
    with pytest.raises(NotAllowed, match=says):
        granted(awaiting(rule, arguments=LS), actor)


def test_one_of_several_rules_is_not_enough() -> None:
    with pytest.raises(NotAllowed, match="more than one approval"):
        granted(awaiting(OPS, also=(Approvers(groups=("S-SEC",)),), arguments=LS), CAROL)


@pytest.mark.parametrize(
    ("terms", "says"),
    [
        (Terms({"command": "ps *"}, LATER), "do not match this call"),
        (Terms({}, LATER), "do not match this call"),
        (Terms({"command": "*"}, LATER), "too much"),
        (Terms(TERMS.patterns, AT), "a minute at least"),
        (Terms(TERMS.patterns, AT + timedelta(hours=25)), "24 hours at most"),
    ],
)
def test_terms_that_cannot_be_are_refused(terms: Terms, says: str) -> None:
    with pytest.raises(InvalidInput, match=says):
        granted(awaiting(arguments=LS), BOB, terms)


def test_a_grant_is_bound_to_what_was_shown() -> None:
    session = awaiting(arguments=LS)
    with pytest.raises(CallChanged):
        allow(session, "1.1", TERMS, BOB, AT, seen=Seen("0" * 64))
    with pytest.raises(AlreadyDecided):
        allow(granted(session), "1.1", TERMS, BOB, AT, seen=seen(session))
    with pytest.raises(FlagmanError):
        allow(session, "7.1", TERMS, BOB, AT, seen=seen(session))


def test_a_session_has_so_many_grants() -> None:
    session = awaiting(arguments=LS)
    made = granted(session).grants[0]
    full = session.model_copy(
        update={"grants": tuple(made.model_copy(update={"id": f"g{n}"}) for n in range(1, 21))}
    )
    with pytest.raises(FlagmanError, match="20 grants"):
        granted(full)


def test_a_grant_for_a_place_counts_in_its_other_sessions_alone() -> None:
    session = granted(awaiting(arguments=LS), BOB, Terms(TERMS.patterns, LATER, place="C1"))
    elsewhere = session.grants[0].model_copy(update={"session_id": "p0-other"})
    after, call = held_again(session)
    assert list(candidates(after, call, "C1", [elsewhere], AT, UNTIMED)) == [elsewhere]
    assert use(after, call, elsewhere, BOB, (), AT).grant == "p0-other.g1"  # type: ignore[union-attr]
    for place, grant in (
        ("C2", elsewhere),
        ("", elsewhere),
        ("C1", elsewhere.model_copy(update={"place": ""})),
        ("C1", elsewhere.model_copy(update={"persona": "other"})),
        ("", elsewhere.model_copy(update={"place": ""})),
    ):
        assert not list(candidates(after, call, place, [grant], AT, UNTIMED))


def test_a_copy_and_a_restored_session_take_no_grants_along() -> None:
    after, _ = held_again(granted(awaiting(arguments=LS)), mode="refuse")
    assert fold(SID, [one_of_each()["SessionForked"]], after).grants == ()
    assert fold(SID, [one_of_each()["SessionRestored"]], after).grants == ()


def test_a_grant_for_a_session_ends_with_it_and_one_for_a_place_does_not() -> None:
    for place, lasts in (("", 0), ("C1", 1)):
        after, _ = held_again(
            granted(awaiting(arguments=LS), BOB, Terms(TERMS.patterns, LATER, place)), mode="refuse"
        )
        ended = fold(SID, [one_of_each()["Cancelled"]], after)
        assert len(lasting_grants(ended, AT)) == lasts


def forged(after: Session, call: ToolCall, **fields: Any) -> CallGranted:
    given = {
        "call_id": "2.1",
        "digest": call.digest,
        "grant": "g1",
        "granter": Deed(by=BOB.id),
        "via": "anyone",
    }
    return CallGranted(**by(), **{**given, **fields})


@pytest.mark.parametrize(
    ("rule", "fields"),
    [
        (Approvers(), {"digest": "0" * 64}),
        (Approvers(quorum=2), {}),
        (OPS, {}),
        (OPS, {"via": "group:S-SEC"}),
        (OPS, {"via": ""}),
        (Approvers(exclude_requester=True), {"granter": Deed(by=ALICE.id)}),
        (Approvers(exclude_requester=True), {"granter": Deed(by="api:k", by_owner=ALICE.id)}),
        (Approvers(exclude_requester=True), {"requesters": (BOB.id,)}),
    ],
)
def test_a_log_cannot_say_that_a_grant_allowed_what_it_could_not(
    rule: Approvers, fields: dict[str, Any]
) -> None:
    after, call = held_again(granted(awaiting(arguments=LS)), approvers=rule)
    with pytest.raises(IllegalEvent):
        apply(SID, after, forged(after, call.call, **fields))


@pytest.mark.parametrize(
    ("arguments", "fields"),
    [
        ({"command": "rm -r /tmp"}, {}),
        ({"command": "ls /tmp"}, {"grant": "g2"}),
        ({"command": "ls /tmp"}, {"at": LATER}),
        ({"command": "ls /tmp"}, {"granter": Deed(by=CAROL.id)}),
    ],
)
def test_a_log_cannot_say_that_a_grant_of_its_own_allowed_more_than_it_does(
    arguments: dict[str, Any], fields: dict[str, Any]
) -> None:
    after, call = held_again(granted(awaiting(arguments=LS)), arguments=arguments)
    event = CallGranted(**{**forged(after, call.call).model_dump(), **fields})
    with pytest.raises(IllegalEvent):
        apply(SID, after, event)


def test_a_log_cannot_say_that_a_revoked_grant_allowed_a_call() -> None:
    after, call = held_again(granted(awaiting(arguments=LS)))
    over = fold(SID, revoke(after, "g1", CAROL, AT), after)
    with pytest.raises(IllegalEvent):
        apply(SID, over, forged(over, call.call))
    assert apply(SID, after, forged(after, call.call)).call("2.1").phase == "approved"


def test_a_log_cannot_say_that_somebody_granted_without_the_right() -> None:
    session = awaiting(OPS, arguments=LS)
    (event, _) = allow(session, "1.1", TERMS, CAROL, AT, seen=seen(session))
    assert isinstance(event, GrantAdded)
    for fields in ({"via": "anyone"}, {"via": "user"}, {"tool": "other"}, {"until": AT}):
        with pytest.raises(IllegalEvent):
            apply(SID, session, event.model_copy(update=fields))
    assert isinstance(apply(SID, session, event).grants[0], Grant)
