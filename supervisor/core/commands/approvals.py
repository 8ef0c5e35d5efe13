"""Deciding: approve, deny or edit a proposed call; settle one with an unknown outcome, or a failed sub-agent."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from datetime import datetime
from typing import Literal, NamedTuple

from supervisor.core.commands.base import check_text, stamp
from supervisor.core.commands.deadlines import expiries
from supervisor.core.errors import (
    AlreadyDecided,
    AlreadyEnded,
    CallChanged,
    DigestRequired,
    FlagmanError,
    IllegalEvent,
    NotAllowed,
)
from supervisor.core.events import (
    Actor,
    ApprovalDecided,
    ApprovalWithdrawn,
    CallEdited,
    ChildDecided,
    Event,
    OutcomeDecided,
    Resumed,
    ToolCall,
)
from supervisor.core.events.base import APPROVAL
from supervisor.core.messages import Json
from supervisor.core.policy import Right, permission, right_to_decide
from supervisor.core.reducer import apply
from supervisor.core.reducer.calls import ONLY_APPROVED
from supervisor.core.state import Call, Session
from supervisor.core.text.labels import not_in_call
from supervisor.core.triggers import resumption

# Characters of a digest below which it says nothing.
SHORTEST_DIGEST = 20
_NOT_SHOWN = (
    "The decision does not say what was shown: read the call, and send its `digest` with the decision."
)
_ATTEMPT_NOT_SHOWN = (
    "The decision does not say what was shown: read the call, and send its `digest` and `request`."
)
_CHANGED = (
    "This call was changed, or asked about again, since it was shown; look at it as it is now, then decide."
)

Verdict = Literal["approve", "deny", "respond"]
OutcomeVerdict = Literal["run_again", "done", "failed"]
ChildVerdict = Literal["retry", "skip", "stop"]
# Validates a call with other arguments and evaluates policy for it. Raises InvalidInput.
Rejudge = Callable[[ToolCall, Json], ToolCall]

_CHILD_VERDICTS: Mapping[str, str] = {
    "retry": "answered with “Retry”",
    "skip": "answered with “Go on without”",
    "stop": "answered with “Stop the rest”",
}


class Seen(NamedTuple):
    """What a person was shown of a call: its digest, or at least `SHORTEST_DIGEST` characters of its beginning.

    `request` is the number of the request that was shown; None where that was not said.
    """

    digest: str = ""
    request: int | None = None

    @classmethod
    def of(cls, call: Call) -> Seen:
        """Return what the present view of the call shows."""
        return cls(call.call.digest, call.request)


def decide(
    session: Session,
    call_id: str,
    verdict: Verdict,
    actor: Actor,
    at: datetime,
    *,
    seen: Seen,
    reason: str = "",
) -> list[Event]:
    """Approve or deny a call as it was `seen`, or respond to it: it does not run, and the agent reads `reason` instead.

    Raises InvalidInput for a response without words, NotAllowed, AlreadyDecided or AlreadyEnded, and as `expect_seen`.
    """
    _expect_in_time(session, call_id, at)
    responds = verdict == "respond"
    reason = check_text(reason, "The answer" if responds else "The reason", optional=not responds)
    call = session.call(call_id)
    if responds and call.call.tool == APPROVAL:
        raise IllegalEvent(ONLY_APPROVED)
    decided = _decision(session, call, verdict, actor, at, reason, seen=seen)
    return [decided, *_resumed(session, decided)] if call.call.tool == APPROVAL else [decided]


def decide_each(
    session: Session,
    seen: Mapping[str, Seen],
    verdict: Verdict,
    actor: Actor,
    at: datetime,
    *,
    reason: str = "",
) -> tuple[list[Event], dict[str, FlagmanError]]:
    """Decide on several calls by their ids; return the events, and the error of each call that was refused."""
    events: list[Event] = []
    refused: dict[str, FlagmanError] = {}
    for call_id, shown in seen.items():
        try:
            events += decide(session, call_id, verdict, actor, at, seen=shown, reason=reason)
        except FlagmanError as error:
            refused[call_id] = error
    return events, refused


def edit(
    session: Session,
    call_id: str,
    arguments: Json,
    actor: Actor,
    at: datetime,
    *,
    rejudge: Rejudge,
    seen: Seen,
    too_few: bool = False,
) -> list[Event]:
    """Approve a call with other arguments than the model proposed.

    Who changed it counts as its requester: where policy wants another person, or names other approvers for the new
    arguments, the call is changed and waits for them; `too_few` says that fewer people could approve it then than it
    takes. Raises InvalidInput where the arguments do not fit or policy forbids them, and as `decide`.
    """
    _expect_in_time(session, call_id, at)
    call = session.call(call_id)
    if call.call.tool == APPROVAL:
        raise IllegalEvent(ONLY_APPROVED)
    right = check_decision(session, call, actor, seen)
    new = rejudge(call.call, arguments)
    if new.digest == call.call.digest:
        return [_decision(session, call, "approve", actor, at, seen=seen)]
    edited = CallEdited(
        **stamp(actor, at),
        call_id=call_id,
        before=call.call.digest,
        call=new,
        **right.recorded,
        is_requester=True,
        too_few=too_few,
    )
    after = apply(session.id, session, edited)
    try:
        # The person who wrote the new arguments has seen them.
        return [edited, _decision(after, after.call(call_id), "approve", actor, at, seen=Seen(new.digest))]
    except NotAllowed:
        return [edited]


def _expect_in_time(session: Session, call_id: str, at: datetime) -> None:
    """Raise AlreadyEnded for a request whose time is over, also where no clock has closed it yet."""
    call = session.call(call_id)
    if call.phase == "awaiting" and any(expires <= at for expires in expiries(call)):
        raise AlreadyEnded("This request expired before anybody decided; it did not run.")


def withdraw(
    session: Session, call_ids: Collection[str], reason: str, actor: Actor, at: datetime
) -> list[Event]:
    """Take back the requests for these calls, or for all that wait; the agent reads `reason` as what to do instead.

    Nobody has denied them, so it takes the right to steer the session, not the one to decide. Raises IllegalEvent.
    """
    reason = check_text(reason, "What to do instead")
    waiting = {call.call_id for call in session.calls_in("awaiting")}
    for call_id in call_ids:
        if call_id not in waiting:
            raise IllegalEvent(not_in_call(ApprovalWithdrawn.doing, call_id, session.call(call_id).phase))
    chosen = sorted(call_ids or waiting)
    if not chosen:
        raise IllegalEvent("Nothing was withdrawn: no call waits for an approval.")
    return [ApprovalWithdrawn(**stamp(actor, at), call_ids=tuple(chosen), reason=reason)]


def decide_outcome(
    session: Session,
    call_id: str,
    verdict: OutcomeVerdict,
    actor: Actor,
    at: datetime,
    *,
    seen: Seen,
    result: str = "",
) -> list[Event]:
    """Record what became of a call whose outcome is unknown. To run it again takes the right to approve it.

    `seen` names the request, too, since each attempt has one of its own. Raises as `decide`.
    """
    result = check_text(result, "The result", optional=True)
    call = session.call(call_id)
    if call.phase != "unknown":
        raise IllegalEvent("That call no longer needs a decision.")
    right = permission(session, call, actor) if verdict == "run_again" else Right("anyone")
    if seen.request is None:
        raise DigestRequired(_ATTEMPT_NOT_SHOWN)
    expect_seen(call, seen)
    about = {"call_id": call_id, "verdict": verdict, "result": result}
    return [OutcomeDecided(**stamp(actor, at), **about, **right.recorded)]


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


def _resumed(session: Session, decided: ApprovalDecided) -> list[Event]:
    """Return the resume of a pause that enough people have decided on; the agent reads what they said."""
    after = apply(session.id, session, decided)
    call = after.call(decided.call_id)
    if call.phase == "awaiting":
        return []
    last = call.decisions[-1]
    who = ", ".join(f"{d.by_name} ({d.by})" if d.by_name else d.by for d in call.decisions)
    told = f"The approval that this session waited for was given by {who}."
    if last.verdict == "deny":
        denied = f"{last.by_name} ({last.by})" if last.by_name else last.by
        told = f"The approval that this session waited for was denied by {denied}."
    told += f" Reason: {last.reason}" if last.reason else ""
    stamped = {field: getattr(decided, field) for field in ("at", "by", "by_name", "by_owner")}
    return resumption(after, Resumed(**stamped, trigger=APPROVAL, condition=APPROVAL, context=told))


def check_decision(session: Session, call: Call, actor: Actor, seen: Seen) -> Right:
    """Return the right by which `actor` may decide on the call as it was seen. Raises as `decide`."""
    right = right_to_decide(session, call, actor)
    expect_seen(call, seen)
    return right


def expect_seen(call: Call, seen: Seen) -> None:
    """Raise DigestRequired if nothing was shown, and CallChanged if the call or the request is another now."""
    if len(seen.digest) < SHORTEST_DIGEST:
        raise DigestRequired(_NOT_SHOWN)
    if not call.call.digest.startswith(seen.digest) or seen.request not in (None, call.request):
        raise CallChanged(_CHANGED)


def _decision(
    session: Session,
    call: Call,
    verdict: Verdict,
    actor: Actor,
    at: datetime,
    reason: str = "",
    *,
    seen: Seen,
) -> ApprovalDecided:
    return ApprovalDecided(
        **stamp(actor, at),
        call_id=call.call_id,
        digest=call.call.digest,
        verdict=verdict,
        reason=reason,
        how=actor.how,
        **check_decision(session, call, actor, seen).recorded,
    )
