"""A grant allows a call by the own right of who made it, under the rules that hold when the call would begin."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest

from supervisor.core.commands.deadlines import pass_deadlines
from supervisor.core.commands.grants import Terms, candidates, lasting_grants
from supervisor.core.errors import IllegalEvent
from supervisor.core.events import Actor, CallGranted, Cancelled, GrantEnded
from supervisor.core.events.base import Deed
from supervisor.core.persona import ApprovalRule, Approvers
from supervisor.core.reducer import apply, fold
from supervisor.core.rules.hours import Hours
from supervisor.core.text.masking import MASK
from tests.core.build import AT, BOB, CAROL, DAN, LATER, SID, awaiting, by, tool_call
from tests.core.calls.test_grants import LS, OPS, TERMS, UNTIMED, granted, held_again, used

SEC = Approvers(groups=("S-SEC",))
KEY = Actor(id="api:k", name="Key", kind="program", owner=CAROL.id, groups=("S-OPS",))
BOTH = CAROL.model_copy(update={"groups": ("S-OPS", "S-SEC")})


def test_rights_of_others_do_not_count() -> None:
    """Neither of those for whom the person decides, nor of an admin in place of who is missing."""
    after, call = held_again(granted(awaiting(OPS, arguments=LS), CAROL), approvers=SEC)
    for more in ({"stands_for": (DAN,)}, {"admin": True, "overrides": (0,)}):
        assert used(after, call, CAROL.model_copy(update=more)) is None
    assert used(after, call, BOTH)


def test_the_event_says_who_granted_and_who_told_the_agent_what_to_do() -> None:
    after, call = held_again(granted(awaiting(OPS, arguments=LS), KEY), approvers=OPS)
    event = used(after, call, KEY, told_by=("slack:U9", "slack:U3"))
    assert event == CallGranted(
        **by(),
        call_id="2.1",
        digest=call.call.digest,
        grant="g1",
        granter=Deed(by="api:k", by_name="Key", by_owner=CAROL.id),
        via="group:S-OPS",
        requesters=("slack:U3", "slack:U9"),
    )
    done = apply(SID, after, event).call("2.1")
    assert (done.phase, done.requesters) == ("approved", frozenset({"slack:U3", "slack:U9"}))


FIRST_HALF = Hours.model_validate({"from": "00:00", "to": "09:30", "zone": "UTC"})


@pytest.mark.parametrize(
    ("first", "otherwise", "allows"),
    [
        # Without a rule a tool that changes something needs an approval, of nobody in particular.
        ((OPS,), (), False),
        ((), (), True),
        ((OPS,), (ApprovalRule(tool="shell", mode="ask", approvers=OPS),), True),
        ((OPS,), (ApprovalRule(tool="shell", mode="ask", when={"command": "ls*"}, approvers=OPS),), True),
        ((OPS,), (ApprovalRule(tool="shell", mode="ask", approvers=SEC),), False),
    ],
)
def test_rules_that_say_something_else_by_now_have_people_asked(
    first: tuple[Approvers, ...], otherwise: tuple[ApprovalRule, ...], allows: bool
) -> None:
    asks = ApprovalRule(tool="shell", mode="ask", hours=FIRST_HALF, approvers=next(iter(first), None))
    timed = UNTIMED.model_copy(update={"approvals": (asks, *otherwise)})
    terms = Terms(TERMS.patterns, AT + timedelta(hours=3))
    session = granted(awaiting(*first, arguments=LS), CAROL, terms)
    after, call = held_again(session)
    assert list(candidates(after, call, "", after.grants, AT, timed))
    found = list(candidates(after, call, "", after.grants, AT + timedelta(minutes=45), timed))
    assert bool(found) is allows


@pytest.mark.parametrize(("above", "allows"), [((OPS, SEC), True), ((SEC, OPS), False), ((OPS,), False)])
def test_every_rule_about_the_call_is_compared(above: tuple[Approvers, ...], allows: bool) -> None:
    def persona(rule: Approvers) -> Any:
        asks = ApprovalRule(tool="shell", mode="ask", hours=FIRST_HALF, approvers=rule)
        return UNTIMED.model_copy(
            update={"approvals": (asks, ApprovalRule(tool="shell", mode="ask", approvers=rule))}
        )

    lead, *others = above
    timed = persona(lead).model_copy(update={"under": persona(others[0]) if others else None})
    session = granted(awaiting(OPS, also=(SEC,), arguments=LS), BOTH)
    after, call = held_again(session, also=(SEC,))
    assert bool(list(candidates(after, call, "", after.grants, AT, timed))) is allows


def test_a_grant_ends_with_its_time_and_one_for_the_session_alone_with_that() -> None:
    here = granted(awaiting(arguments=LS))
    place = granted(awaiting(arguments=LS), BOB, Terms(TERMS.patterns, LATER, place="C1"))
    for session, lasts in ((here, False), (place, True)):
        last = LATER - timedelta(microseconds=1)
        assert (len(lasting_grants(session, last)), lasting_grants(session, LATER)) == (1, [])
        over = fold(SID, [Cancelled(**by(BOB))], session)
        assert bool(lasting_grants(over, AT)) is lasts
    clock = Actor(id="clock", name="Clock")
    assert pass_deadlines(here, "g1", clock, LATER) == [
        GrantEnded(**by(clock, LATER), grant_id="g1", expired=True)
    ]


@pytest.mark.parametrize(
    ("changes", "grant"),
    [
        ({"granter": Deed(by=BOB.id)}, {}),
        ({"at": LATER}, {}),
        ({}, {"patterns": {"command": "df *"}}),
        # A star alone is no pattern of a command.
        ({}, {"patterns": {"command": "*"}}),
        ({}, {"tool": "other"}),
        ({}, {"ended_at": AT}),
    ],
)
def test_a_log_in_which_a_grant_allows_another_call_is_refused(
    changes: dict[str, Any], grant: dict[str, Any]
) -> None:
    after, call = held_again(granted(awaiting(OPS, arguments=LS), CAROL), approvers=OPS)
    event = used(after, call, CAROL)
    assert apply(SID, after, event).call("2.1").phase == "approved"
    other = after.model_copy(update={"grants": (after.grants[0].model_copy(update=grant),)})
    with pytest.raises(IllegalEvent, match=r"^That grant does not allow this call\.$"):
        apply(SID, other, event.model_copy(update=changes))
    # One of another session is in that session's log, which is not here to be compared.
    elsewhere = event.model_copy(update={"grant": "ab12-cd34.g1", "granter": Deed(by=CAROL.id)})
    assert apply(SID, other, elsewhere).call("2.1").phase == "approved"


def test_a_masked_call_of_a_restored_log_fits_the_grant_that_allowed_it() -> None:
    masked = {"command": f"ls {MASK} ; x"}
    after, call = held_again(granted(awaiting(OPS, arguments=LS), CAROL), approvers=OPS, arguments=masked)
    open_call = tool_call("2.1", arguments=masked).digest
    event = CallGranted(
        **by(),
        call_id="2.1",
        digest=open_call,
        grant="g1",
        granter=Deed(by=CAROL.id, by_name="Carol"),
        via="group:S-OPS",
    )
    assert call.call.digest == open_call
    assert apply(SID, after, event).call("2.1").phase == "approved"
