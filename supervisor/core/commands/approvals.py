"""Deciding: approve, deny or edit a proposed call; settle one with an unknown outcome, or a failed sub-agent."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from datetime import datetime
from typing import Literal

from supervisor.core.commands.base import check_text, stamp
from supervisor.core.errors import AlreadyDecided, IllegalEvent, NotAllowed
from supervisor.core.events import (
    Actor,
    ApprovalDecided,
    CallEdited,
    ChildDecided,
    Event,
    OutcomeDecided,
    ToolCall,
)
from supervisor.core.messages import Json
from supervisor.core.policy import permission, right_to_decide
from supervisor.core.reducer import apply
from supervisor.core.state import Call, Session

Verdict = Literal["approve", "deny"]
OutcomeVerdict = Literal["run_again", "done", "failed"]
ChildVerdict = Literal["retry", "skip", "stop"]
# Validates a call with other arguments and evaluates policy for it. Raises InvalidInput.
Rejudge = Callable[[ToolCall, Json], ToolCall]

_CHILD_VERDICTS: Mapping[str, str] = {
    "retry": "answered with “Retry”",
    "skip": "answered with “Go on without”",
    "stop": "answered with “Stop the rest”",
}


def decide(
    session: Session,
    call_ids: Sequence[str],
    verdict: Verdict,
    actor: Actor,
    at: datetime,
    *,
    reason: str = "",
    expected_digests: Mapping[str, str] | None = None,
) -> list[Event]:
    """Approve or deny calls, all or none.

    `expected_digests` holds, by call, the digest (or its beginning) that the person saw. Raises IllegalEvent where it
    differs, and NotAllowed, AlreadyDecided or AlreadyEnded.
    """
    reason = check_text(reason, "The reason", optional=True)
    calls = [session.call(call_id) for call_id in call_ids]
    for call in calls:
        expect_digest(call, (expected_digests or {}).get(call.call_id, ""))
    return [_decision(session, call, verdict, actor, at, reason) for call in calls]


def edit(
    session: Session,
    call_id: str,
    arguments: Json,
    actor: Actor,
    at: datetime,
    *,
    rejudge: Rejudge,
    expected_digest: str = "",
) -> list[Event]:
    """Approve a call with other arguments than the model proposed.

    Who changed it counts as its requester: where policy wants another person, or names other approvers for the new
    arguments, the call is changed and waits for them. Raises
    InvalidInput where the arguments do not fit or policy forbids them, and as `decide`.
    """
    call = session.call(call_id)
    expect_digest(call, expected_digest)
    via = right_to_decide(session, call, actor)
    new = rejudge(call.call, arguments)
    if new.digest == call.call.digest:
        return [_decision(session, call, "approve", actor, at)]
    edited = CallEdited(
        **stamp(actor, at), call_id=call_id, before=call.call.digest, call=new, via=via, is_requester=True
    )
    after = apply(session.id, session, edited)
    try:
        return [edited, _decision(after, after.call(call_id), "approve", actor, at)]
    except NotAllowed:
        return [edited]


def decide_outcome(
    session: Session, call_id: str, verdict: OutcomeVerdict, actor: Actor, at: datetime, *, result: str = ""
) -> list[Event]:
    """Record what became of a call whose outcome is unknown. To run it again takes the right to approve it."""
    result = check_text(result, "The result", optional=True)
    call = session.call(call_id)
    if call.phase != "unknown":
        raise IllegalEvent("That call no longer needs a decision.")
    via = permission(session, call, actor) if verdict == "run_again" else "anyone"
    return [OutcomeDecided(**stamp(actor, at), call_id=call_id, verdict=verdict, result=result, via=via)]


def decide_child(
    session: Session, child_id: str, verdict: ChildVerdict, actor: Actor, at: datetime
) -> list[Event]:
    """Decide on a failed sub-agent: launch it again, continue without it, or stop the plan."""
    child = session.child(child_id)
    if child.verdict and child.decided_at:
        words = _CHILD_VERDICTS[child.verdict]
        raise AlreadyDecided(
            words, child.decided_by, child.decided_at, name=child.decided_by_name, what="That failure"
        )
    return [ChildDecided(**stamp(actor, at), child_id=child_id, verdict=verdict)]


def expect_digest(call: Call, digest: str) -> None:
    """Raises IllegalEvent where the digest that was shown is not that of the call now; empty: not checked."""
    if not call.call.digest.startswith(digest):
        raise IllegalEvent("That message shows another call; please use the newest one.")


def _decision(
    session: Session, call: Call, verdict: Verdict, actor: Actor, at: datetime, reason: str = ""
) -> ApprovalDecided:
    return ApprovalDecided(
        **stamp(actor, at),
        call_id=call.call_id,
        digest=call.call.digest,
        verdict=verdict,
        reason=reason,
        via=right_to_decide(session, call, actor),
    )
