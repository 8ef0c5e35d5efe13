"""Who changes a call changes its arguments and nothing else, and nobody has approved the changed one yet."""

from __future__ import annotations

from typing import Any

import pytest

from supervisor.core.control import RunTools, next_action
from supervisor.core.digest import call_digest
from supervisor.core.errors import (
    IllegalEvent,
    InvalidInput,
)
from supervisor.core.events import (
    Actor,
    OutcomeDecided,
    OutcomeLost,
    ToolCall,
    ToolFinished,
    ToolStarted,
)
from supervisor.core.messages import Json, ModelTurn, ToolTurn
from supervisor.core.persona import Approvers
from supervisor.core.prompt import conversation
from supervisor.core.reducer import apply, fold
from supervisor.core.state import Session
from supervisor.core.tool_calls import edit_call as ruled_anew
from tests.core.build import (
    ALICE,
    AT,
    BOB,
    CAROL,
    DAN,
    PIPELINE,
    SID,
    awaiting,
    by,
    decided,
    edited,
    launched,
    one_of_each,
    responded,
    subtask,
    tool_call,
)
from tests.core.edits import PAIR, PERSONA, TOOLS, proposed

OTHER: Json = {"command": "ls -l"}


def changed(session: Session, arguments: Json = OTHER, who: Actor = BOB, **fields: Any) -> Session:
    return apply(SID, session, edited(session.call("1.1").call, arguments, who, **fields))


def started(session: Session, digest: str | None = None) -> Session:
    call = session.call("1.1")
    return apply(
        SID,
        session,
        ToolStarted(
            **by(),
            call_id="1.1",
            attempt=call.attempt + 1,
            idempotency_key="k",
            digest=digest or call.call.digest,
        ),
    )


# Approvals before and after


def test_nobody_has_approved_what_was_changed() -> None:
    session = awaiting(PAIR)
    half = apply(SID, session, decided(session, BOB, via="user"))
    after = changed(half, who=CAROL, via="user")
    assert (after.call("1.1").phase, after.call("1.1").decisions) == ("awaiting", ())
    second = apply(SID, after, decided(after, CAROL, via="user"))
    assert second.call("1.1").phase == "awaiting", "what Bob approved was another call"
    third = apply(SID, second, decided(second, BOB, via="user"))
    assert third.call("1.1").phase == "approved"
    assert next_action(third, AT) == RunTools(run=(third.call("1.1"),))


def test_a_message_that_shows_the_old_call_approves_nothing() -> None:
    session = awaiting()
    old = decided(session, CAROL)
    after = changed(session)
    for verdict in ("approve", "deny"):
        with pytest.raises(IllegalEvent, match="for a different call"):
            apply(SID, after, old.model_copy(update={"verdict": verdict}))
    with pytest.raises(IllegalEvent, match="That change is for a different call"):
        apply(SID, after, edited(session.call("1.1").call, {"command": "pwd"}, CAROL))


def test_only_the_changed_call_runs() -> None:
    session = awaiting()
    old = session.call("1.1").call.digest
    after = changed(session)
    with pytest.raises(IllegalEvent, match="waiting for an approval"):
        started(after)
    approved = apply(SID, after, decided(after, CAROL))
    with pytest.raises(IllegalEvent, match="not the one that was approved"):
        started(approved, old)
    assert started(approved).call("1.1").call.arguments == OTHER


def test_it_runs_again_only_by_those_who_may_approve_what_it_is_now() -> None:
    ops = Approvers(groups=("S-OPS",))
    session = awaiting()
    other = session.call("1.1").call.model_copy(update={"approvers": ops})
    after = apply(SID, session, edited(other, OTHER, BOB))
    run = started(apply(SID, after, decided(after, CAROL, via="group:S-OPS")))
    lost = apply(SID, run, OutcomeLost(**by(), call_id="1.1", attempt=1))
    with pytest.raises(IllegalEvent, match="may not decide"):
        apply(SID, lost, OutcomeDecided(**by(BOB), call_id="1.1", verdict="run_again"))


def test_the_changed_call_may_be_denied_by_anybody_who_may_decide() -> None:
    after = changed(awaiting())
    denied = apply(SID, after, decided(after, CAROL, "deny", reason="Neither"))
    assert denied.call("1.1").phase == "denied"


# What the log takes for a change


@pytest.mark.parametrize(
    "fields",
    [{"tool": "rm"}, {"ref": "other"}, {"call_id": "1.2"}, {"control": True}, {"idempotent": True}],
    ids=str,
)
def test_a_change_touches_nothing_but_the_arguments(fields: dict[str, Any]) -> None:
    session = awaiting()
    call = session.call("1.1").call.model_copy(update=fields)
    forged = edited(call, OTHER, BOB, call_id="1.1")
    with pytest.raises(IllegalEvent, match="the arguments of a call, nothing else"):
        apply(SID, session, forged)


@pytest.mark.parametrize("mode", ["allow", "refuse"])
def test_a_changed_call_is_asked_for(mode: Any) -> None:
    session = awaiting()
    change = edited(session.call("1.1").call, OTHER, BOB)
    forged = change.model_copy(update={"call": change.call.model_copy(update={"mode": mode})})
    with pytest.raises(IllegalEvent, match="is asked for"):
        apply(SID, session, forged)


def test_the_same_arguments_are_no_change() -> None:
    session = awaiting()
    with pytest.raises(IllegalEvent, match="has other arguments"):
        changed(session, {"command": "ls"})


@pytest.mark.parametrize(
    ("who", "via", "sentence"),
    [
        (ALICE, "group:S-SEC", "Who asked for the session"),
        (PIPELINE, "anyone", "may not decide"),
        (DAN, "user", "may not decide"),
        (BOB, "group:S-OPS", "may not decide"),
    ],
)
def test_who_may_not_approve_it_may_not_change_it(who: Actor, via: str, sentence: str) -> None:
    with pytest.raises(IllegalEvent, match=sentence):
        changed(awaiting(PAIR), who=who, via=via)


def test_it_can_be_changed_only_while_it_waits() -> None:
    events = one_of_each(attempt=0)
    held = fold(SID, [launched(), responded(tool_call())])
    approved = fold(SID, [events["ApprovalRequested"], events["ApprovalDecided"]], held)
    running = started(approved)
    done = apply(SID, running, ToolFinished(**by(), call_id="1.1", attempt=1, ok=True, content="x"))
    for session in (held, approved, running, done):
        with pytest.raises(IllegalEvent):
            changed(session)
    cancelled = apply(SID, awaiting(), events["Cancelled"])
    with pytest.raises(IllegalEvent, match="already cancelled"):
        changed(cancelled)


def test_changed_twice_and_back() -> None:
    session = awaiting()
    first = session.call("1.1").call
    twice = changed(changed(session), {"command": "pwd"}, CAROL)
    call = twice.call("1.1")
    assert (call.proposed, call.call.arguments, call.edited_by) == (first, {"command": "pwd"}, CAROL.id)
    back = changed(twice, {"command": "ls"}, CAROL)
    assert (back.call("1.1").proposed, back.call("1.1").call.digest) == (None, first.digest)
    assert not back.call("1.1").decisions


# What the model reads


def told(session: Session) -> tuple[ModelTurn, ToolTurn]:
    said, result = conversation(session, 0)[-2:]
    assert isinstance(said, ModelTurn)
    assert isinstance(result, ToolTurn)
    return said, result


def test_the_model_reads_what_was_changed_and_by_whom() -> None:
    after = changed(awaiting(), {"command": "ls -l", "a": [1]})
    ran = started(apply(SID, after, decided(after, CAROL)))
    done = apply(SID, ran, ToolFinished(**by(), call_id="1.1", attempt=1, ok=True, content="total 0"))
    said, result = told(done)
    assert said.calls[0].arguments == {"command": "ls"}, "its own words stay as they were"
    assert result.content == (
        'Bob changed the arguments and it ran with these instead: {"a":[1],"command":"ls -l"}. '
        "Do not repeat the first ones.\ntotal 0"
    )
    assert not result.failed


def test_changed_back_is_not_changed_to_the_model() -> None:
    after = changed(changed(awaiting()), {"command": "ls"}, CAROL)
    ran = started(apply(SID, after, decided(after, DAN)))
    done = apply(SID, ran, ToolFinished(**by(), call_id="1.1", attempt=1, ok=True, content="a b"))
    assert told(done)[1].content == "a b"


# Other arguments are screened and ruled like those of the model


def anew(call: ToolCall, arguments: Any) -> ToolCall:
    return ruled_anew(call, arguments, PERSONA, TOOLS, ("sre",))


def test_other_arguments_are_ruled_by_the_policy_for_them() -> None:
    call = proposed()
    new = anew(call, {"command": "reboot"})
    assert (new.mode, new.approvers, new.reason) == ("ask", PAIR, "Careful")
    assert (new.call_id, new.ref, new.tool) == (call.call_id, call.ref, call.tool)
    assert new.digest == call_digest("shell", {"command": "reboot"})


def test_what_policy_would_allow_is_asked_of_those_who_might_have_approved_before() -> None:
    new = anew(proposed(), {"command": "df -h"})
    assert (new.mode, new.approvers) == ("ask", Approvers(users=("U2",)))


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        ({"command": "rm -rf /"}, "Policy forbids this call. Use the bin."),
        ({"cmd": "ls"}, "`command`: is missing."),
        ({}, "`command`: is missing."),
        ("ls", "The arguments of `shell` must be one valid JSON object."),
        ({"command": float("nan")}, "The arguments cannot be kept."),
    ],
)
def test_arguments_that_do_not_fit_or_are_forbidden_change_nothing(arguments: Any, sentence: str) -> None:
    with pytest.raises(InvalidInput) as refusal:
        ruled_anew(proposed(), arguments, PERSONA, TOOLS, ())
    assert str(refusal.value).startswith(sentence)


def test_a_changed_plan_has_to_be_one_that_can_be_carried_out() -> None:
    call = proposed("plan_tasks", subtasks=[subtask("a")])
    assert call.mode == "ask"
    fine = anew(call, {"subtasks": [subtask("a"), subtask("b", "a")]})
    assert (fine.mode, fine.control) == ("ask", True)
    for subtasks, sentence in (
        ([subtask("a", "a")], "wait for each other"),
        ([subtask("a", persona="king")], "may not launch"),
        ([], "do not fit"),
    ):
        with pytest.raises(InvalidInput, match=sentence):
            anew(call, {"subtasks": subtasks})
