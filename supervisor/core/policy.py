"""Who may wave what through: the ruling for a proposed call, and the right of one person to decide."""

from __future__ import annotations

from fnmatch import fnmatchcase
from typing import Any, Literal

from supervisor.core.conversation import Frozen, Json
from supervisor.core.digest import canonical_json
from supervisor.core.errors import AlreadyDecided, AlreadyEnded, NotAllowed
from supervisor.core.events import Actor
from supervisor.core.persona import Approvers, Persona
from supervisor.core.session import Call, Session

VERDICT_WORDS = {"approve": "approved", "deny": "denied"}


class Ruling(Frozen):
    mode: Literal["allow", "ask", "deny"]
    approvers: Approvers | None = None
    reason: str = ""


def rule(persona: Persona, tool: str, arguments: Json, *, changes: bool) -> Ruling:
    """The first rule of the persona that matches; without one, what changes anything is asked for."""
    for approval in persona.approvals:
        if fnmatchcase(tool, approval.tool) and _matches(approval.when, arguments):
            return Ruling(mode=approval.mode, approvers=approval.approvers, reason=approval.reason)
    return Ruling(mode="ask" if changes else "allow")


def _matches(when: dict[str, str], arguments: Json) -> bool:
    return all(name in arguments and fnmatchcase(_text(arguments[name]), glob) for name, glob in when.items())


def _text(value: Any) -> str:
    return value if isinstance(value, str) else canonical_json(value)


def right_to_decide(session: Session, call: Call, actor: Actor) -> str:
    """What gives `actor` the right to decide on `call` now: `anyone`, `user` or `group:<id>`.

    Raises AlreadyDecided, AlreadyEnded or NotAllowed, each with a sentence for the one who clicked.
    """
    if call.phase != "awaiting":
        raise _too_late(session, call)
    for decision in call.decisions:
        if decision.by == actor.id:
            raise AlreadyDecided(VERDICT_WORDS[decision.verdict], "you", decision.at)
    if session.ended:
        raise AlreadyEnded(f"This session was already {session.lifecycle}; nothing will run.")
    return permission(session, call, actor)


def permission(session: Session, call: Call, actor: Actor) -> str:
    """What the policy in force gives this person for this call, whatever its phase. Raises NotAllowed."""
    approvers = call.call.approvers or Approvers()
    if approvers.exclude_requester and actor.id == session.launched_by:
        raise NotAllowed("You launched this session, so somebody else has to decide on this call.")
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
