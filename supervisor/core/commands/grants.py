"""Grants: a person allows calls like one that waits in advance, for some time; one that is allowed asks nobody."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping
from datetime import datetime, timedelta
from typing import NamedTuple

from supervisor.core.commands import approvals
from supervisor.core.commands.approvals import Seen
from supervisor.core.commands.base import check_room, stamp
from supervisor.core.errors import IllegalEvent, InvalidInput, LimitReached, NotAllowed
from supervisor.core.events import Actor, CallGranted, Event, GrantAdded, GrantEnded
from supervisor.core.events.base import SYSTEM, Deed
from supervisor.core.messages import Json
from supervisor.core.persona import Persona
from supervisor.core.policy import evaluate, permission
from supervisor.core.records import Grant
from supervisor.core.rules.patterns import check_patterns, matches
from supervisor.core.state import Call, Session

SHORTEST, LONGEST = timedelta(minutes=1), timedelta(hours=24)
# The most grants of one session that last at a time.
MOST = 20
_FOR_EACH = (
    "A rule of this persona wants each of these calls approved by itself, so none is allowed in advance."
)
_FOR_MORE = "This call takes more than one approval, so none is allowed in advance."


class Terms(NamedTuple):
    """Which calls are allowed, until when: those of the session alone, or of all sessions that `place` shows."""

    patterns: Mapping[str, str]
    until: datetime
    place: str = ""


def allow(
    session: Session, call_id: str, terms: Terms, actor: Actor, at: datetime, *, seen: Seen
) -> list[Event]:
    """Approve a call as it was `seen`, and allow those of its tool on these terms.

    Raises InvalidInput for patterns that do not match the call itself or allow too much, NotAllowed where the actor may
    not approve it alone, and as `approvals.decide`.
    """
    check_room(session)
    call = session.call(call_id)
    own = actor.model_copy(update={"stands_for": (), "overrides": ()})
    right = approvals.check_decision(session, call, own, seen)
    if refusal := _refusal(call):
        raise refusal
    if not all(right.via.split("\n")):
        raise NotAllowed(_FOR_MORE)
    if not SHORTEST <= terms.until - at <= LONGEST:
        raise InvalidInput("Calls are allowed in advance for a minute at least and for 24 hours at most.")
    if sum(grant_lasts(session, grant, at) for grant in session.grants) >= MOST:
        raise LimitReached(f"There are {MOST} grants in this session, which is the most; revoke one first.")
    patterns = check_patterns(call.call.tool, terms.patterns)
    if isinstance(call.call.arguments, str) or not matches(call.call.tool, patterns, call.call.arguments):
        raise InvalidInput(
            "The patterns do not match this call itself. Each argument takes one; `*` stands for letters, digits, "
            r"spaces and _./:=,@+- without `..`, and `\*` for a star."
        )
    grant = GrantAdded(
        **stamp(actor, at),
        grant_id=f"g{len(session.grants) + 1}",
        call_id=call_id,
        tool=call.call.tool,
        patterns=patterns,
        until=terms.until,
        place=terms.place,
        definition=call.call.pin,
        via=right.via,
    )
    return [grant, *approvals.decide(session, call_id, "approve", own, at, seen=seen)]


def _refusal(call: Call) -> IllegalEvent | NotAllowed | None:
    """Why no call like this one can be allowed in advance, by whomever; None where that is possible."""
    if call.call.control or isinstance(call.call.arguments, str):
        return IllegalEvent("Only calls of tools that run by themselves are allowed in advance.")
    if any(rule.each_time for rule in call.call.rules):
        return NotAllowed(_FOR_EACH)
    return NotAllowed(_FOR_MORE) if any(rule.quorum > 1 for rule in call.call.rules) else None


def grantable(call: Call) -> bool:
    """Whether calls like this one can be allowed in advance by somebody who may approve it."""
    return _refusal(call) is None


def grant_lasts(session: Session, grant: Grant, at: datetime) -> bool:
    """Whether a grant of the session counts at this time; one for the session alone ends with it."""
    return grant.ended_at is None and at < grant.until and not (session.ended and not grant.place)


def lasting_grants(session: Session, at: datetime) -> list[Grant]:
    """Return the grants made in the session that count at this time."""
    return [grant for grant in session.grants if grant_lasts(session, grant, at)]


def candidates(
    session: Session, call: Call, place: str, grants: Iterable[Grant], at: datetime, persona: Persona
) -> Iterator[Grant]:
    """Yield those of the grants that are for such a call, here and now, whoever made them.

    A call that was denied before in this session is asked about, and so is one that takes more than one person, of a
    tool of which its server says something else by now, or on which the rules of the persona say something else at this
    time than when it was proposed.
    """
    tool, arguments = call.call.tool, call.call.arguments
    if not grantable(call) or isinstance(arguments, str) or session.denials(call.call.digest):
        return
    if persona.is_timed and not _is_ruled_alike(call, persona, arguments, at):
        return
    for grant in grants:
        here = grant.session_id == session.id or (grant.place and grant.place == place)
        what = grant.tool, grant.definition, grant.persona
        fits = what == (tool, call.call.pin, session.persona) and grant.ended_at is None
        if here and fits and grant.since <= at < grant.until and matches(tool, grant.patterns, arguments):
            yield grant


def _is_ruled_alike(call: Call, persona: Persona, arguments: Json, at: datetime) -> bool:
    now = evaluate(persona, call.call.tool, arguments, changes=True, at=at)
    approvers, also = next(iter(now.rules), None), now.rules[1:]
    return now.mode == "allow" or (now.mode, approvers, also) == ("ask", call.call.approvers, call.call.also)


def use(
    session: Session, call: Call, grant: Grant, granter: Actor, told_by: Collection[str], at: datetime
) -> CallGranted | None:
    """Return the event by which a grant allows the call; None where who made it may not approve the call alone now.

    `granter` is that person as known now, and `told_by` are those who told the agent what to do.
    """
    asked = call.model_copy(update={"requesters": frozenset(told_by)})
    own = granter.model_copy(update={"stands_for": (), "overrides": ()})
    try:
        via = permission(session, asked, own).via
    except NotAllowed:
        return None
    if not all(via.split("\n")):
        return None
    return CallGranted(
        **stamp(SYSTEM, at),
        call_id=call.call_id,
        digest=call.call.digest,
        grant=grant.id if grant.session_id == session.id else grant.full_id,
        granter=Deed(by=grant.by, by_name=grant.by_name, by_owner=grant.by_owner),
        via=via,
        requesters=tuple(sorted(told_by)),
    )


def revoke(session: Session, grant_id: str, actor: Actor, at: datetime) -> list[Event]:
    """End a grant of this session at once. Raises IllegalEvent where there is none that lasts."""
    if not grant_lasts(session, session.grant(grant_id), at):
        raise IllegalEvent("That grant has already ended.")
    return [GrantEnded(**stamp(actor, at), grant_id=grant_id)]
