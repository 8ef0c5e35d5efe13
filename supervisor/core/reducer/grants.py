"""Reduction of grants: those made in a session, and the calls that one allows."""

from __future__ import annotations

from typing import Any

from supervisor.core.digest import canonical_json
from supervisor.core.errors import IllegalEvent
from supervisor.core.events import CallGranted, GrantAdded, GrantEnded
from supervisor.core.records import Grant
from supervisor.core.reducer.calls import change_call, check_moves, first_allowed, on_calls, permitted
from supervisor.core.reducer.session import reduce
from supervisor.core.rules.patterns import matches
from supervisor.core.state import Call, Session
from supervisor.core.text.masking import MASK


@reduce.register
def _added(event: GrantAdded, session: Session) -> dict[str, Any]:
    call = session.call(event.call_id)
    check_moves(event, call)
    permitted(session, call, event.people, event.via)
    if any(grant.id == event.grant_id for grant in session.grants):
        raise IllegalEvent("That grant was already made.")
    if (event.tool, event.definition) != (call.call.tool, call.call.pin) or event.until <= event.at:
        raise IllegalEvent("A grant is for calls like the one at which it is made, for some time.")
    made = Grant(
        id=event.grant_id,
        session_id=session.id,
        persona=session.persona,
        by=event.by,
        by_name=event.by_name,
        by_owner=event.by_owner,
        call_id=event.call_id,
        tool=event.tool,
        patterns=event.patterns,
        place=event.place,
        definition=event.definition,
        since=event.at,
        until=event.until,
    )
    return {"grants": (*session.grants, made)}


@reduce.register
def _ended(event: GrantEnded, session: Session) -> dict[str, Any]:
    grant = session.grant(event.grant_id)
    if grant.ended_at:
        raise IllegalEvent("That grant has already ended.")
    over = grant.model_copy(
        update={"ended_at": event.at, "ended_by": event.by, "ended_by_name": event.by_name}
    )
    return {"grants": tuple(over if one.id == grant.id else one for one in session.grants)}


@reduce.register
def _granted(event: CallGranted, session: Session) -> dict[str, Any]:
    return on_calls(session, event, (event.call_id,))


@change_call.register
def _allowed(event: CallGranted, session: Session, call: Call) -> dict[str, Any]:
    if event.digest != call.call.digest:
        raise IllegalEvent("That grant is for a different call.")
    if any(rule.quorum > 1 for rule in call.call.rules):
        raise IllegalEvent("A grant is of one person, and this call takes more.")
    if not _is_of_another_session(event):
        _check_own(event, session.grant(event.grant), call)
    asked = call.model_copy(update={"requesters": frozenset(event.requesters)})
    permitted(session, asked, event.granter.people, event.via)
    return {
        "phase": first_allowed(call.call),
        "requesters": asked.requesters,
        "grant": event.grant,
        "granted_by": event.granter,
    }


def _is_of_another_session(event: CallGranted) -> bool:
    return "." in event.grant


def _check_own(event: CallGranted, grant: Grant, call: Call) -> None:
    """Raise IllegalEvent where a grant of the session itself is not for such a call now, or of somebody else.

    In the log of a restored session secrets are masked, which do not match any more.
    """
    masked = MASK in canonical_json([grant.patterns, call.call.arguments])
    arguments, by = call.call.arguments, (event.granter.by, event.granter.by_owner)
    if (
        grant.ended_at
        or not grant.since <= event.at < grant.until
        or (grant.tool, grant.definition) != (call.call.tool, call.call.pin)
        or by != (grant.by, grant.by_owner)
        or isinstance(arguments, str)
        or not (masked or matches(grant.tool, grant.patterns, arguments))
    ):
        raise IllegalEvent("That grant does not allow this call.")
