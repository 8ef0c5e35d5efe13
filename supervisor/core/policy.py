"""Policy: whether a proposed call is allowed, needs approval or is denied, and who may decide on it."""

from __future__ import annotations

from collections.abc import Sequence
from fnmatch import fnmatchcase
from typing import Any, Literal

from supervisor.core.digest import canonical_json
from supervisor.core.errors import AlreadyDecided, AlreadyEnded, NotAllowed
from supervisor.core.events import Actor
from supervisor.core.events.base import APPROVAL
from supervisor.core.messages import Frozen, Json
from supervisor.core.persona import Approvers, Persona
from supervisor.core.state import Call, Session

VERDICT_WORDS = {"approve": "approved", "deny": "denied"}


class PolicyDecision(Frozen):
    mode: Literal["allow", "ask", "deny"]
    approvers: Approvers | None = None
    reason: str = ""


def may_use(persona: Persona, tool: str) -> bool:
    """Whether the persona names the tool, and the persona that launched it may hand it on."""
    return _named(tool, persona.tools) and (persona.under is None or _may_hand_on(persona.under, tool))


def may_launch(persona: Persona, other: str) -> bool:
    """Whether the persona, and each one above it, may launch the persona named `other`."""
    return _named(other, persona.agents) and (persona.under is None or may_launch(persona.under, other))


def _may_hand_on(persona: Persona, tool: str) -> bool:
    own = _named(tool, (*persona.tools, *persona.delegates))
    return own and (persona.under is None or _may_hand_on(persona.under, tool))


def _named(name: str, globs: Sequence[str]) -> bool:
    return any(fnmatchcase(name, glob) for glob in globs)


def evaluate(persona: Persona, tool: str, arguments: Json, *, changes: bool) -> PolicyDecision:
    """The decision of the first rule that matches; without one, a tool that changes something needs approval.

    A sub-agent is never allowed more than the session that launched it.
    """
    own = _first_match(persona, tool, arguments, changes=changes)
    if persona.under is None:
        return own
    return _stricter(own, evaluate(persona.under, tool, arguments, changes=changes))


def approvers_of_pause(persona: Persona) -> Approvers:
    """Who may end a pause that waits for an approval.

    The approvers of the first rule for the name `approval`; without one, all that any rule names, under the strictest
    quorum and with the requester excluded where one rule excludes them. Those of the launching persona hold, too.
    """
    named = [rule.approvers or Approvers() for rule in persona.approvals if rule.tool == APPROVAL][:1]
    rules = named or [rule.approvers for rule in persona.approvals if rule.approvers]
    own = Approvers(
        users=tuple(dict.fromkeys(user for rule in rules for user in rule.users)),
        groups=tuple(dict.fromkeys(group for rule in rules for group in rule.groups)),
        quorum=max((rule.quorum for rule in rules), default=1),
        exclude_requester=any(rule.exclude_requester for rule in rules),
    )
    if persona.under is None:
        return own
    above = PolicyDecision(mode="ask", approvers=approvers_of_pause(persona.under))
    return _stricter(PolicyDecision(mode="ask", approvers=own), above).approvers or own


def _first_match(persona: Persona, tool: str, arguments: Json, *, changes: bool) -> PolicyDecision:
    for approval in persona.approvals:
        if fnmatchcase(tool, approval.tool) and _matches(approval.when, arguments):
            return PolicyDecision(mode=approval.mode, approvers=approval.approvers, reason=approval.reason)
    return PolicyDecision(mode="ask" if changes else "allow")


def _stricter(own: PolicyDecision, above: PolicyDecision) -> PolicyDecision:
    strictness = {"allow": 0, "ask": 1, "deny": 2}
    if own.mode != "ask" or above.mode != "ask":
        return max(above, own, key=lambda decision: strictness[decision.mode])
    # Both need approval: the approvers of the persona above decide, under the stricter of all other demands.
    mine, theirs = own.approvers or Approvers(), above.approvers or Approvers()
    named = theirs if theirs.users or theirs.groups else mine
    approvers = Approvers(
        users=named.users,
        groups=named.groups,
        quorum=max(mine.quorum, theirs.quorum),
        exclude_requester=mine.exclude_requester or theirs.exclude_requester,
    )
    return PolicyDecision(mode="ask", approvers=approvers, reason=own.reason or above.reason)


def _matches(when: dict[str, str], arguments: Json) -> bool:
    return all(name in arguments and fnmatchcase(_text(arguments[name]), glob) for name, glob in when.items())


def _text(value: Any) -> str:
    return value if isinstance(value, str) else canonical_json(value)


def right_to_decide(session: Session, call: Call, actor: Actor) -> str:
    """As `permission`, for a call that waits. Raises AlreadyDecided, AlreadyEnded or NotAllowed."""
    if call.phase != "awaiting":
        raise _too_late(session, call)
    for decision in call.decisions:
        if decision.by == actor.id:
            raise AlreadyDecided(VERDICT_WORDS[decision.verdict], "you", decision.at)
    if session.ended:
        raise AlreadyEnded(f"This session was already {session.lifecycle}; nothing will run.")
    return permission(session, call, actor)


def permission(session: Session, call: Call, actor: Actor) -> str:
    """The right of `actor` to decide on `call`: `anyone`, `user` or `group:<id>`. Raises NotAllowed."""
    approvers = call.call.approvers or Approvers()
    if approvers.exclude_requester and actor.id in session.requesters:
        raise NotAllowed("You asked for this session, so somebody else has to decide on this call.")
    if not approvers.users and not approvers.groups:
        return "anyone"
    if approvers.names(actor.id):
        return "user"
    for group in approvers.groups:
        if group in actor.groups:
            return f"group:{group}"
    message = f"You may not decide on this call. Ask {_whom(approvers)}."
    raise NotAllowed(message, users=approvers.users, groups=approvers.groups)


def _too_late(session: Session, call: Call) -> Exception:
    if call.decisions:
        last = call.decisions[-1]
        return AlreadyDecided(VERDICT_WORDS[last.verdict], last.by, last.at, name=last.by_name)
    if session.ended:
        return AlreadyEnded(f"This session was already {session.lifecycle}; nothing will run.")
    return NotAllowed("This call is not waiting for a decision.")


def _whom(approvers: Approvers) -> str:
    groups = [f"a member of {group}" for group in approvers.groups]
    return " or ".join([*approvers.users, *groups])
