"""Reduction of one tool call: which phases each event accepts, and the call after it."""

from __future__ import annotations

from functools import singledispatch
from typing import Any

from supervisor.core.errors import IllegalEvent
from supervisor.core.events import (
    ApprovalDecided,
    ApprovalOverdue,
    ApprovalRequested,
    ApprovalWithdrawn,
    CallEdited,
    CallRuledAnew,
    ChildLaunched,
    ChildrenJoined,
    ChildSkipped,
    Event,
    OutcomeDecided,
    OutcomeLost,
    ToolCall,
    ToolFinished,
    ToolNotBegun,
    ToolRedefined,
    ToolStarted,
)
from supervisor.core.events.base import APPROVAL
from supervisor.core.persona import COMMANDS, Approvers
from supervisor.core.records import Decision
from supervisor.core.reducer.session import reduce
from supervisor.core.state import Call, CallPhase, Session
from supervisor.core.text.labels import not_in_call

ONLY_APPROVED = "A pause that waits for an approval can be approved or denied, nothing else."
# Which call phases an event about one call may find. Everything not listed is illegal.
CALL_MOVES: dict[str, frozenset[CallPhase]] = {
    "ApprovalRequested": frozenset({"held"}),
    "ApprovalDecided": frozenset({"awaiting"}),
    "ApprovalOverdue": frozenset({"awaiting"}),
    "ApprovalWithdrawn": frozenset({"awaiting"}),
    "ToolStarted": frozenset({"ready", "approved", "started"}),
    "ToolFinished": frozenset({"started", "unknown"}),
    "ToolNotBegun": frozenset({"started", "unknown"}),
    "OutcomeLost": frozenset({"started"}),
    "OutcomeDecided": frozenset({"unknown"}),
    "QuestionAsked": frozenset({"open"}),
    "QuestionAnswered": frozenset({"asking"}),
    "InputRequested": frozenset({"started"}),
    "InputGiven": frozenset({"asking"}),
    "WaitBegun": frozenset({"open"}),
    "WaitEnded": frozenset({"sleeping"}),
    "CallEdited": frozenset({"awaiting"}),
    "CallRuledAnew": frozenset({"ready", "open"}),
    "GrantAdded": frozenset({"awaiting"}),
    "CallGranted": frozenset({"held"}),
    "ToolRedefined": frozenset({"ready", "approved"}),
    "ChildLaunched": frozenset({"open", "delegating"}),
    "ChildSkipped": frozenset({"open", "delegating"}),
    "ChildrenJoined": frozenset({"open", "delegating"}),
}


def on_calls(session: Session, event: Event, call_ids: tuple[str, ...]) -> dict[str, Any]:
    """Return the changed fields of the session after an event about these calls. Raises IllegalEvent."""
    steps = list(session.steps)
    errors = session.errors_in_a_row
    for call_id in call_ids:
        before = session.call(call_id)
        check_moves(event, before)
        after = before.model_copy(update=change_call(event, session, before))
        if before.call.tool == APPROVAL:
            return _on_pause(session, event, after)
        index = int(call_id.partition(".")[0]) - 1
        calls = tuple(after if c.call_id == call_id else c for c in steps[index].calls)
        steps[index] = steps[index].model_copy(update={"calls": calls})
        if isinstance(event, ToolFinished):
            errors = 0 if event.ok else errors + 1
    return {"steps": tuple(steps), "errors_in_a_row": errors}


def check_moves(event: Event, call: Call) -> None:
    """Raise IllegalEvent for an event about a call in a phase that does not accept it."""
    # A call whose server waits for people is under way all the same.
    phase = "started" if call.is_held and event.type != "InputGiven" else call.phase
    if phase not in CALL_MOVES[event.type]:
        raise IllegalEvent(not_in_call(event.doing, call.call_id, call.phase))


def first_allowed(call: ToolCall) -> CallPhase:
    """Return the phase of a call that may run now."""
    return "open" if call.control else "approved"


def _on_pause(session: Session, event: Event, after: Call) -> dict[str, Any]:
    """Return the changed fields after a decision on a pause, which never changes or runs. Raises IllegalEvent."""
    decided = isinstance(event, ApprovalDecided) and event.verdict != "respond"
    overdue = isinstance(event, ApprovalOverdue) and event.step != "expire"
    if not (decided or overdue) or session.approval is None:
        raise IllegalEvent(ONLY_APPROVED)
    return {
        "halts": tuple(
            h.model_copy(update={"approval": after})
            if h.approval and h.approval.call_id == after.call_id
            else h
            for h in session.halts
        )
    }


@reduce.register
def _calls_event(
    event: ApprovalRequested | ApprovalOverdue | ApprovalWithdrawn, session: Session
) -> dict[str, Any]:
    return on_calls(session, event, event.call_ids)


@reduce.register
def _call_event(
    event: (
        ApprovalDecided
        | CallEdited
        | CallRuledAnew
        | ToolRedefined
        | ToolStarted
        | ToolFinished
        | ToolNotBegun
        | OutcomeLost
        | OutcomeDecided
        | ChildrenJoined
    ),
    session: Session,
) -> dict[str, Any]:
    return on_calls(session, event, (event.call_id,))


@singledispatch
def change_call(event: Event, session: Session, call: Call) -> dict[str, Any]:
    """Return the fields of a call that an event about it changes. Raises IllegalEvent."""
    raise IllegalEvent("That is not about one call.")


@change_call.register
def _requested(event: ApprovalRequested, session: Session, call: Call) -> dict[str, Any]:
    runs_command = call.call.tool in COMMANDS
    return {
        "phase": "awaiting",
        "too_few": call.call_id in event.too_few,
        "reactions": event.reactions,
        "preview": event.previews.get(call.call_id, ""),
        "unsandboxed": event.unsandboxed and runs_command,
        "grants": event.grants if runs_command else None,
        "request_id": event.request_id,
        "requested_at": event.at,
        "asked_at": event.at,
        "request": call.request + 1,
        "requesters": frozenset(event.requesters),
        "denied_before": session.denials(call.call.digest),
    }


@change_call.register
def _finished(event: ToolFinished, session: Session, call: Call) -> dict[str, Any]:
    _same_attempt(call, event.attempt)
    return {
        "phase": "finished",
        "ok": event.ok,
        "content": event.content,
        # An attempt whose outcome was lost may have written some before.
        "artifacts": tuple(dict.fromkeys((*call.artifacts, *event.artifacts))),
        "removed": event.removed,
        "duration_ms": event.duration_ms,
        "finished_at": event.at,
    }


@change_call.register
def _not_begun(event: ToolNotBegun, session: Session, call: Call) -> dict[str, Any]:
    _same_attempt(call, event.attempt)
    anew = {"phase": "held", "grant": "", "granted_by": None}
    return anew if event.held else {"phase": "ready" if call.call.mode == "allow" else "approved"}


@change_call.register
def _outcome_lost(event: OutcomeLost, session: Session, call: Call) -> dict[str, Any]:
    _same_attempt(call, event.attempt)
    return {
        "phase": "unknown",
        "request": call.request + 1,
        "artifacts": event.artifacts,
        "lost": event.why,
    }


@change_call.register
def _outcome_decided(event: OutcomeDecided, session: Session, call: Call) -> dict[str, Any]:
    if event.verdict == "run_again":
        permitted(session, call, event.people, event.via)
        return {"phase": "approved"}
    ok = event.verdict == "done"
    return {"phase": "finished", "ok": ok, "content": event.result, "finished_at": event.at}


@change_call.register
def _delegated(event: ChildLaunched | ChildSkipped, session: Session, call: Call) -> dict[str, Any]:
    return {"phase": "delegating"}


@change_call.register
def _joined(event: ChildrenJoined, session: Session, call: Call) -> dict[str, Any]:
    return {"phase": "finished", "ok": event.ok, "content": event.content, "finished_at": event.at}


def _same_attempt(call: Call, attempt: int) -> None:
    if attempt != call.attempt:
        raise IllegalEvent(
            f"That is about attempt {attempt} of call {call.call_id}; by now it is attempt {call.attempt}."
        )


@change_call.register
def _started(event: ToolStarted, session: Session, call: Call) -> dict[str, Any]:
    if event.attempt != call.attempt + 1:
        raise IllegalEvent(f"Attempt {event.attempt} of call {call.call_id} cannot follow {call.attempt}.")
    if event.digest != call.call.digest:
        raise IllegalEvent("The call is not the one that was approved.")
    if (call.phase == "started" or call.is_held) and not call.call.idempotent:
        raise IllegalEvent("A call that may have taken effect does not start again by itself.")
    return {"phase": "started", "attempt": event.attempt, "started_at": event.at}


@change_call.register
def _decided(event: ApprovalDecided, session: Session, call: Call) -> dict[str, Any]:
    if event.digest != call.call.digest:
        raise IllegalEvent("That approval is for a different call.")
    if any(d.counts_as(event.people, event.joined) for d in call.decisions):
        raise IllegalEvent("The same person counts once.")
    permitted(session, call, event.people, event.via)
    decision = Decision(
        verdict=event.verdict,
        by=event.by,
        by_name=event.by_name,
        at=event.at,
        reason=event.reason,
        via=event.via,
        how=event.how,
        by_owner=event.by_owner,
        for_person=event.for_person,
        for_name=event.for_name,
        joined=event.joined,
    )
    decisions = (*call.decisions, decision)
    if event.verdict == "deny":
        return {"decisions": decisions, "phase": "denied", "ok": False, "content": event.reason}
    if event.verdict == "respond":
        return {
            "decisions": decisions,
            "phase": "answered",
            "content": event.reason,
            "finished_at": event.at,
        }
    enough = call.model_copy(update={"decisions": decisions}).approved_enough
    return {"decisions": decisions, "phase": first_allowed(call.call) if enough else "awaiting"}


@change_call.register
def _edited(event: CallEdited, session: Session, call: Call) -> dict[str, Any]:
    """Return the call with other arguments. Earlier approvals were for other arguments and no longer count."""
    old, new = call.call, event.call
    if event.before != old.digest:
        raise IllegalEvent("That change is for a different call.")
    if _nature(new) != _nature(old):
        raise IllegalEvent("A change may touch the arguments of a call, nothing else.")
    if new.mode != "ask" or new.digest == old.digest:
        raise IllegalEvent("A changed call has other arguments, and is asked for.")
    permitted(session, call, event.people, event.via)
    first = call.proposed or old
    return {
        "call": new,
        "proposed": None if new.digest == first.digest else first,
        "decisions": (),
        "too_few": event.too_few,
        "editors": event.people if event.is_requester else frozenset(),
        "request": call.request + 1,
        "preview": "",
        "asked_at": event.at,
        "nudges": 0,
        "reminded": 0,
        "reminded_at": None,
        "edited_by": event.by,
        "edited_by_name": event.by_name,
    }


@change_call.register
def _overdue(event: ApprovalOverdue, session: Session, call: Call) -> dict[str, Any]:
    passed = {"nudges": call.nudges + 1}
    if event.step == "remind":
        return {**passed, "reminded": call.reminded + 1, "reminded_at": event.at}
    if event.step == "expire":
        return {**passed, "phase": "expired", "ok": False, "finished_at": event.at}
    waited = event.at - (call.asked_at or event.at)
    return {**passed, "call": call.call.after(waited), "too_few": False}


@change_call.register
def _withdrawn(event: ApprovalWithdrawn, session: Session, call: Call) -> dict[str, Any]:
    return {
        "phase": "superseded",
        "ok": False,
        "content": event.reason,
        "closed_by": event.by,
        "closed_by_name": event.by_name,
        "finished_at": event.at,
    }


@change_call.register
def _ruled_anew(event: CallRuledAnew, session: Session, call: Call) -> dict[str, Any]:
    old, new = call.call, event.call
    if new.mode == "allow":
        raise IllegalEvent("A call is ruled anew where it needs a person, or is forbidden.")
    if (_nature(new), new.digest) != (_nature(old), old.digest):
        raise IllegalEvent("A call that is ruled anew stays the same call.")
    if new.mode == "refuse":
        return {"call": new, "phase": "refused", "ok": False, "content": new.reason}
    return {"call": new, "phase": "held"}


@change_call.register
def _redefined(event: ToolRedefined, session: Session, call: Call) -> dict[str, Any]:
    """Return the call with the tool as it is now. Earlier approvals were for another one and no longer count."""
    old, new = call.call, event.call
    # Whether it may be repeated is a part of what the server says.
    if _nature(new) != _nature(old.model_copy(update={"idempotent": new.idempotent})):
        raise IllegalEvent("A server may change its tool, not the call.")
    if new.mode == "allow" or new.arguments != old.arguments:
        raise IllegalEvent("A call whose tool has changed is asked for with the same arguments, or refused.")
    if new.mode == "refuse":
        return {"call": new, "phase": "refused", "ok": False, "content": new.reason}
    if new.definition == old.definition or new.digest == old.digest:
        raise IllegalEvent("The tool of this call is the same as before.")
    nobody = {"decisions": (), "grant": "", "granted_by": None}
    anew = call.inputs.model_copy(update={"continues": False})
    return {"call": new, "phase": "held", "redefined": old.definition, "inputs": anew, **nobody}


def _nature(call: ToolCall) -> tuple[str, str, str, bool, bool]:
    """Return the fields of a call that do not depend on its arguments."""
    return call.call_id, call.ref, call.tool, call.control, call.idempotent


def permitted(session: Session, call: Call, people: frozenset[str], via: str) -> None:
    """Raise IllegalEvent where these people do not have the right `via` to decide on the call."""
    rules = call.call.rules
    rights = via.split("\n") if call.call.also else [via]
    if len(rights) != len(rules) or not any(rights):
        raise IllegalEvent("That person may not decide on this call by each of its rules.")
    for rule, right in zip(rules, rights, strict=True):
        if right in ("", "admin"):
            continue
        if people & session.barred(call, rule):
            raise IllegalEvent("Who asked for the session may not decide on this call.")
        if right not in _rights(rule, people):
            raise IllegalEvent("That person may not decide on this call.")


def _rights(rule: Approvers, people: frozenset[str]) -> set[str]:
    if not rule.named:
        return {"anyone"}
    rights = {f"group:{group}" for group in rule.groups}
    return rights | {"user"} if any(rule.names(who) for who in people) else rights
