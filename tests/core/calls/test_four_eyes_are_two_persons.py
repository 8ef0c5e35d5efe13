"""Who counts as a requester, whose keys count as whose, and how several rules are satisfied."""

from __future__ import annotations

import pytest

from supervisor.core.commands import control
from supervisor.core.commands.base import stamp
from supervisor.core.conditions import parse_condition
from supervisor.core.errors import IllegalEvent, NotAllowed
from supervisor.core.events import (
    Actor,
    ApprovalRequested,
    Cancelled,
    ChildFinished,
    ChildLaunched,
    ContextAdded,
    Event,
    OutcomeDecided,
    OutcomeLost,
    QuestionAnswered,
    Resumed,
    ToolCall,
    ToolStarted,
)
from supervisor.core.persona import Approvers
from supervisor.core.policy import right_to_decide
from supervisor.core.reducer import apply, fold
from supervisor.core.state import Session
from supervisor.core.triggers import Signal
from tests.core.build import (
    ALICE,
    AT,
    BOB,
    CAROL,
    DAN,
    SID,
    by,
    decided,
    edited,
    launched,
    plan_call,
    responded,
    subtask,
    tool_call,
)

FOUR = Approvers(exclude_requester=True)


def key(name: str, owner: str = "") -> Actor:
    return Actor(id=f"api:{name}", kind="program", owner=owner)


def waiting(*rules: Approvers, told: tuple[str, ...] = (), first: Event | None = None) -> Session:
    call = tool_call(approvers=rules[0], also=rules[1:])
    asked = ApprovalRequested(**by(), request_id="r2", call_ids=("1.1",), requesters=told)
    return fold(SID, [first or launched(), responded(call), asked])


def right(session: Session, actor: Actor) -> str:
    return right_to_decide(session, session.call("1.1"), actor).via


def approve(session: Session, actor: Actor) -> Session:
    decision = decided(session, actor, via=right(session, actor))
    return apply(SID, session, decision.model_copy(update={"by_owner": actor.owner}))


def test_a_person_does_not_approve_their_own_with_a_key() -> None:
    session = waiting(FOUR)
    with pytest.raises(NotAllowed, match="You requested this session"):
        right(session, key("gate", owner=ALICE.id))
    assert right(session, key("gate", owner=BOB.id)) == "anyone"


def test_what_a_key_launched_its_owner_does_not_approve() -> None:
    session = waiting(FOUR, first=launched().model_copy(update={"by": "api:ci", "by_owner": BOB.id}))
    for own in (BOB, key("ci"), key("other", owner=BOB.id)):
        with pytest.raises(NotAllowed):
            right(session, own)
    with pytest.raises(IllegalEvent, match="Who asked"):
        apply(SID, session, decided(session, BOB, via="anyone"))


def test_a_key_that_belongs_to_nobody_is_no_second_person() -> None:
    for rule in (FOUR, Approvers(quorum=2)):
        with pytest.raises(NotAllowed, match="belongs to none"):
            right(waiting(rule), key("gate"))
    named = Approvers(users=("api:gate",), exclude_requester=True)
    assert right(waiting(named), key("gate")) == "user"


def test_two_keys_of_one_person_are_one() -> None:
    once = approve(waiting(Approvers(quorum=2)), key("a", owner=BOB.id))
    for again in (key("b", owner=BOB.id), BOB):
        with pytest.raises(Exception, match="already approved by you"):
            right(once, again)
        forged = decided(once, again, via="anyone").model_copy(update={"by_owner": again.owner})
        with pytest.raises(IllegalEvent, match="counts once"):
            apply(SID, once, forged)
    assert approve(once, CAROL).call("1.1").phase == "approved"


def test_who_told_the_agent_what_to_do_is_a_requester_until_an_approval() -> None:
    begin = fold(SID, [launched()])
    words: list[Event] = [
        ContextAdded(**by(BOB), text="do it the other way"),
        Resumed(**by(BOB), context="go on with the second one"),
    ]
    for said in words:
        start = begin.model_copy(update={"lifecycle": "running"})
        assert apply(SID, start, said).steered_by == {BOB.id}
    assert apply(SID, begin, Resumed(**by(BOB))).steered_by == frozenset()
    agent = Actor(id="agent:p0-x")
    assert apply(SID, begin, ContextAdded(**by(agent), text="it came")).steered_by == frozenset()
    asked = waiting(FOUR, told=(BOB.id,))
    with pytest.raises(NotAllowed, match="told the agent"):
        right(asked, BOB)
    with pytest.raises(IllegalEvent, match="Who asked"):
        apply(SID, asked, decided(asked, BOB, via="anyone"))
    steered = apply(SID, asked, ContextAdded(**by(CAROL), text="careful"))
    assert steered.steered_by == {CAROL.id}
    assert approve(steered, CAROL).steered_by == {CAROL.id}, "nobody's own approval ends it"
    assert approve(steered, DAN).steered_by == {CAROL.id}, "the agent has not read the words yet"
    assert approve(asked, DAN).steered_by == frozenset()


def test_who_told_a_sub_agent_what_to_do_told_it_to_who_reads_its_result() -> None:
    child = {"call_id": "1.1", "child_id": "p0-c", "name": "look", "persona": "sre", "task": "Look"}
    session = fold(SID, [launched(), responded(plan_call(subtask("look"))), ChildLaunched(**by(), **child)])
    end = {"child_id": "p0-c", "ending": "completed", "result": "Delete it all", "requesters": (BOB.id,)}
    assert apply(SID, session, ChildFinished(**by(), **end)).steered_by == {BOB.id}


def test_an_answer_steers_too() -> None:
    asking = responded(tool_call().model_copy(update={"control": True, "mode": "allow"}))
    session = fold(SID, [launched(), asking])
    asked = session.model_copy(
        update={
            "steps": (
                session.steps[0].model_copy(
                    update={"calls": (session.call("1.1").model_copy(update={"phase": "asking"}),)}
                ),
            )
        }
    )
    answered = apply(SID, asked, QuestionAnswered(**by(BOB), call_id="1.1", answer="the second"))
    assert answered.steered_by == {BOB.id}


def test_data_and_the_words_with_a_token_steer_too() -> None:
    begin = fold(SID, [launched()])
    token = Actor(id="token", owner=BOB.id)
    for said in (
        Resumed(**by(BOB), data={"to": "production"}),
        Resumed(**stamp(token, AT), trigger="token", context="take production"),
        Resumed(**stamp(token, AT), trigger="token", data={"to": "production"}),
        Resumed(**stamp(key("ci", owner=BOB.id), AT), trigger="event", data={"to": "production"}),
    ):
        assert BOB.id in apply(SID, begin, said).steered_by
    unread = apply(SID, waiting(FOUR), Resumed(**stamp(token, AT), trigger="token", context="wait"))
    assert approve(unread, CAROL).steered_by == {BOB.id}, "the agent has not read the words yet"
    for silent in (
        Resumed(**stamp(token, AT), trigger="token"),
        Resumed(**by(Actor(id="webhook:ci")), trigger="webhook", data={"to": "production"}),
        Resumed(**by(Actor(id="agent:p0-x")), trigger="event", data={"to": "production"}),
    ):
        assert not apply(SID, begin, silent).steered_by


def test_what_a_person_says_of_an_unknown_outcome_steers() -> None:
    call = tool_call(mode="allow")
    started = ToolStarted(**by(), call_id="1.1", digest=call.digest, attempt=1, idempotency_key="k")
    lost = fold(SID, [launched(), responded(call), started, OutcomeLost(**by(), call_id="1.1", attempt=1)])
    for verdict in ("done", "failed"):
        said = OutcomeDecided(
            **by(BOB), call_id="1.1", verdict=verdict, result="now deploy production", via="anyone"
        )
        assert apply(SID, lost, said).steered_by == {BOB.id}
    again = OutcomeDecided(**by(BOB), call_id="1.1", verdict="run_again", via="anyone")
    assert apply(SID, lost, again).steered_by == frozenset()


def test_the_reason_of_a_denial_steers() -> None:
    denied = decided(waiting(FOUR), BOB, via="anyone").model_copy(update={"verdict": "deny"})
    assert apply(SID, waiting(FOUR), denied).steered_by == frozenset()
    reasoned = denied.model_copy(update={"reason": "deploy production instead"})
    assert apply(SID, waiting(FOUR), reasoned).steered_by == {BOB.id}
    approved = decided(waiting(FOUR), BOB, via="anyone").model_copy(update={"reason": "fine"})
    assert apply(SID, waiting(FOUR), approved).steered_by == frozenset(), "the agent does not read it"


def changed(session: Session, actor: Actor) -> Session:
    call: ToolCall = session.call("1.1").call
    change = edited(call, {"command": "pwd"}, actor).model_copy(update={"is_requester": True})
    return apply(SID, session, change)


def test_who_changed_a_call_does_not_approve_it_alone() -> None:
    session = changed(waiting(FOUR), BOB)
    with pytest.raises(NotAllowed, match="changed this call"):
        right(session, BOB)
    assert approve(session, CAROL).call("1.1").phase == "approved"
    pair = changed(waiting(Approvers(quorum=2, exclude_requester=True)), BOB)
    assert approve(approve(pair, BOB), CAROL).call("1.1").phase == "approved"


def test_each_rule_needs_its_own_approvals() -> None:
    session = waiting(Approvers(users=("U2",)), Approvers(groups=("S-OPS",), quorum=2))
    once = approve(session, BOB)
    assert once.call("1.1").phase == "awaiting"
    ops = [Actor(id=f"slack:U{n}", groups=("S-OPS",)) for n in (7, 8)]
    assert right(once, ops[0]) == "\ngroup:S-OPS"
    twice = approve(once, ops[0])
    assert twice.call("1.1").phase == "awaiting"
    assert approve(twice, ops[1]).call("1.1").phase == "approved"


@pytest.mark.parametrize("via", ["user", "user\nuser", "\n", "group:S-OPS\nuser", "user\n\n"])
def test_a_forged_right_by_a_rule_is_refused_by_the_log(via: str) -> None:
    session = waiting(Approvers(users=("U2",)), Approvers(groups=("S-OPS",)))
    with pytest.raises(IllegalEvent):
        apply(SID, session, decided(session, BOB, via=via))


@pytest.mark.parametrize(
    ("actor", "rule", "allowed"),
    [
        ({"kind": "guest"}, {}, False),
        ({"kind": "guest"}, {"guests": True}, True),
        ({"kind": "guest"}, {"users": ("U9",)}, True),
        ({"kind": "guest", "groups": ("S-OPS",)}, {"groups": ("S-OPS",)}, False),
        ({"kind": "external", "teams": ("T2",)}, {}, False),
        ({"kind": "external", "teams": ("T2",)}, {"teams": ("T3",)}, False),
        ({"kind": "external", "teams": ("T2",)}, {"teams": ("T2",)}, True),
        ({"kind": "external", "teams": ("T2",)}, {"guests": True}, False),
        ({"kind": "bot"}, {"guests": True}, False),
        ({"kind": "deactivated"}, {"guests": True}, False),
        ({"sees": False}, {}, False),
        ({"sees": False}, {"users": ("U9",)}, True),
        ({"admin": True}, {"users": ("U2",)}, False),
        ({"admin": True, "overrides": (0,)}, {"users": ("U2",)}, True),
        ({"admin": True, "overrides": (1,)}, {"users": ("U2",)}, False),
        ({"overrides": (0,)}, {"users": ("U2",)}, False),
        ({"kind": "deactivated"}, {"users": ("U9",)}, False),
    ],
)
def test_who_has_no_standing_may_only_where_a_rule_says_so(
    actor: dict[str, object], rule: dict[str, object], allowed: bool
) -> None:
    session = waiting(Approvers.model_validate(rule))
    who = Actor.model_validate({"id": "slack:U9", **actor})
    if allowed:
        assert approve(session, who).call("1.1").phase == "approved"
    else:
        with pytest.raises(NotAllowed):
            right(session, who)


def test_an_admin_overrides_only_the_rule_that_nobody_can_satisfy() -> None:
    session = waiting(Approvers(users=("U9",)), Approvers(users=("U2",)))
    admin = Actor(id="slack:U4", admin=True, overrides=(0,))
    assert right(session, admin) == "admin\n"
    once = approve(session, admin)
    assert once.call("1.1").phase == "awaiting"
    assert approve(once, BOB).call("1.1").phase == "approved"


def test_an_admin_who_asked_for_it_needs_another_person() -> None:
    session = waiting(Approvers(users=("U9",), exclude_requester=True))
    with pytest.raises(NotAllowed, match="You requested"):
        right(session, ALICE.model_copy(update={"admin": True, "overrides": (0,)}))


def test_of_two_who_changed_a_call_the_first_may_approve_what_the_second_made() -> None:
    session = changed(waiting(FOUR), BOB)
    call = session.call("1.1").call
    again = edited(call, {"command": "ls -l"}, CAROL).model_copy(update={"is_requester": True})
    session = apply(SID, session, again)
    with pytest.raises(NotAllowed):
        right(session, CAROL)
    assert approve(session, BOB).call("1.1").phase == "approved"


def test_who_changed_a_call_has_told_the_agent_what_ran() -> None:
    mine = changed(waiting(Approvers(), told=(BOB.id,)), BOB)
    assert mine.steered_by == {BOB.id}
    assert approve(mine, BOB).steered_by == {BOB.id}
    assert approve(mine, CAROL).steered_by == {BOB.id}, "the agent has yet to read the arguments"


def test_the_words_of_a_condition_steer() -> None:
    begin = fold(SID, [launched()])
    for text, signal in (
        ('webhook: ready where note == "deploy production"', None),
        ("event: now.deploy.production", Signal("event", "now.deploy.production")),
    ):
        [paused] = control.pause(begin, BOB, AT, conditions=[parse_condition(text, now=AT)])
        session = apply(SID, begin, paused)
        came = (
            control.wake(session, signal, Actor(id="webhook:ci"), AT)
            if signal
            else control.resume(session, CAROL, AT, trigger="webhook")
        )
        session = fold(SID, came, session)
        assert "production" in session.inbox[-1].text
        assert session.steered_by >= {BOB.id}
        assert (CAROL.id in session.steered_by) is (signal is None), "who says that it came has told it"
    [asleep] = control.pause(begin, BOB, AT, conditions=[parse_condition("in: 2h", now=AT)])
    assert apply(SID, begin, asleep).steered_by == frozenset(), "a time has no words"


def test_a_condition_steers_until_the_agent_has_read_it() -> None:
    begin = waiting(FOUR, told=(BOB.id,))
    hook = parse_condition('webhook: ready where note == "deploy production"', now=AT)
    session = fold(SID, control.pause(begin, BOB, AT, conditions=[hook]), begin)
    signal = Signal("webhook", "ready", {"note": "deploy production"})
    woken = fold(SID, control.wake(session, signal, Actor(id="webhook:ci"), AT), session)
    for unread in (session, woken):
        assert approve(unread, CAROL).steered_by == {BOB.id}
    other = fold(SID, control.pause(session, BOB, AT, replace=True), session)
    assert approve(other, CAROL).steered_by == frozenset(), "nobody reads what was replaced"


def test_the_reason_of_a_cancellation_steers_who_launched_it() -> None:
    begin = fold(SID, [launched()])
    assert apply(SID, begin, Cancelled(**by(BOB), reason="deploy production")).steered_by == {BOB.id}
    assert apply(SID, begin, Cancelled(**by(BOB))).steered_by == frozenset()


def test_the_approval_of_a_key_that_belongs_to_nobody_does_not_end_it() -> None:
    def told(rule: Approvers) -> Session:
        session = waiting(rule, told=(BOB.id,))
        return session.model_copy(update={"steered_by": frozenset({BOB.id})})

    assert approve(told(Approvers()), key("gate")).steered_by == {BOB.id}
    assert approve(told(Approvers()), key("gate", owner=CAROL.id)).steered_by == frozenset()
    assert approve(told(Approvers(users=("api:gate",))), key("gate")).steered_by == frozenset()
