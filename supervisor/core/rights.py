"""Rights on a session besides those to decide on its calls: who is admitted, who sees it, and who steers it."""

from __future__ import annotations

from collections.abc import Collection

from supervisor.core.conditions import Connected
from supervisor.core.delegation import undecided
from supervisor.core.errors import NotAllowed
from supervisor.core.events import Actor
from supervisor.core.events.base import WORKSPACE, workspace_of
from supervisor.core.messages import Json
from supervisor.core.persona import Approvers, Operators, Persona, names
from supervisor.core.state import Session

_OUTSIDE = {
    "guest": "Guests have no rights here unless a rule names them.",
    "external": "People of other workspaces have no rights here unless a rule names them.",
    "bot": "Bots have no rights here.",
    "deactivated": "This account is deactivated, so it has no rights here.",
}


def is_apart(actor: Actor, origin: Json) -> bool:
    """Whether what has this origin belongs to another workspace than the person who acts, or whose key does."""
    return actor.workspace not in (None, workspace_of(origin))


def of_workspace(actor: Actor, origin: Json) -> Json:
    """Return an origin with the workspace of the person who acts, where it names none."""
    return {**origin, WORKSPACE: actor.workspace} if actor.workspace and WORKSPACE not in origin else origin


def is_beside(actor: Actor, person: str) -> bool:
    """Whether a person of this id is of the workspace of the person who acts; a program of its own knows them all.

    Programs count as of the first workspace.
    """
    return actor.workspace in (None, Actor(id=person).workspace or "")


def check_standing(actor: Actor, *, guests: bool, teams: Collection[str]) -> None:
    """Raises NotAllowed for a guest without `guests`, a person of a workspace not in `teams`, a bot, and the like."""
    admitted = (actor.kind == "guest" and guests) or (
        actor.kind == "external" and bool(set(actor.teams) & set(teams))
    )
    if actor.kind in _OUTSIDE and not admitted:
        raise NotAllowed(_OUTSIDE[actor.kind])


def check_active(actor: Actor) -> None:
    """Raise NotAllowed for a deactivated person, whom no rule can admit."""
    if actor.kind == "deactivated":
        raise NotAllowed(_OUTSIDE[actor.kind])


def check_admitted(persona: Persona | None, actor: Actor) -> None:
    """Raise NotAllowed for an actor who may neither launch nor steer any session of the persona."""
    *_, top = persona.chain if persona else (None,)
    check_standing(actor, guests=bool(top and top.guests), teams=top.teams if top else ())


def is_approver(persona: Persona | None, actor: Actor) -> bool:
    """Return whether a rule of the persona, or of one above it, names the actor as an approver."""
    return any(_among(rule, actor) for rule in (persona.approvers if persona else ()))


def is_operator(persona: Persona | None, actor: Actor) -> bool:
    """Whether the persona, or the top one above it, names the actor as an operator."""
    *_, top = persona.chain if persona else (None,)
    return bool(top and top.operators and _among(top.operators, actor))


def names_operator(persona: Persona | None, actor: Actor) -> bool:
    """Whether the persona names the actor as one who may steer its sessions, as an operator or by an approval rule."""
    *_, top = persona.chain if persona else (None,)
    return is_operator(persona, actor) if top and top.operators else is_approver(persona, actor)


def needs_operator(session: Session) -> bool:
    """Whether the session waits for an operator: for an answer, an outcome, a failed sub-agent, or to be resumed."""
    if session.ended:
        return False
    failed = any(undecided(session, call) for call in session.calls_in("delegating"))
    return is_stopped(session) or failed or bool(session.calls_in("asking", "unknown"))


def is_stopped(session: Session) -> bool:
    """Whether the session is in a pause that only an operator ends."""
    return session.pause is not None and session.approval is None and not session.waits


def awaited_connection(session: Session) -> Connected | None:
    """Return the connection that a person has to make before the session goes on; None where it waits for none."""
    return next((one for _, one in session.waits if isinstance(one, Connected)), None)


def runs_as(session: Session) -> str:
    """Return the id of the person as whom the session uses servers that each person connects; empty for none.

    That is who launched or copied it, or its root; for a key, or a schedule of one, its owner.
    """
    if session.lineage:
        return session.lineage.person
    fork = session.forked
    first, *others = (fork.by, fork.by_owner) if fork else (session.launched_by, *sorted(session.asked_by))
    people = [who for who in others if _is_person(who)]
    if _is_person(first):
        return first
    return people[0] if len(people) == 1 else ""


def _is_person(actor_id: str) -> bool:
    return (
        bool(actor_id) and not actor_id.startswith(("api:", "agent:")) and actor_id not in ("clock", "system")
    )


def may_see(
    requesters: Collection[str], persona: Persona | None, actor: Actor, *, shown: bool | None
) -> bool:
    """Return whether the actor sees a session of these requesters.

    `shown` tells whether the actor sees its place; None for a direct conversation or no place at all,
    where its approvers and its operators see it, too.
    """
    if actor.admin or actor.reads_all or actor.ids & set(requesters):
        return True
    if shown is None:
        return is_approver(persona, actor) or is_operator(persona, actor)
    try:
        check_admitted(persona, actor)
    except NotAllowed:
        return False
    return shown


def check_operator(requesters: Collection[str], persona: Persona | None, actor: Actor) -> None:
    """Raise NotAllowed for an actor who may not steer a session of these requesters, which the actor sees.

    By default its requesters and the approvers that the persona names may, or everyone who sees it where it names none.
    """
    if actor.admin:
        return
    *_, top = persona.chain if persona else (None,)
    operators = top.operators if top else None
    if operators is not None:
        if not _among(operators, actor):
            raise _not_operator(operators.users, operators.groups)
        return
    if actor.ids & set(requesters):
        return
    if persona is None:
        raise _not_operator((), ())
    _check_approver(persona, actor)


def check_budget(session: Session, persona: Persona | None, actor: Actor) -> None:
    """Raise NotAllowed for an actor who may not raise a used-up budget, which takes the right to approve its cost."""
    if actor.admin or persona is None:
        return
    for rule in (one.narrowed_to for one in persona.chain if one.narrowed_to):
        if not _among(rule, actor):
            raise _not_operator(rule.users, rule.groups)
    if not persona.approvers:
        return
    _check_approver(persona, actor)
    excluded = any(rule.exclude_requester for rule in persona.approvers if _among(rule, actor))
    if excluded and actor.ids & session.requesters:
        raise NotAllowed("You requested this session; someone else must raise its budget.")


def _check_approver(persona: Persona | None, actor: Actor) -> None:
    rules = persona.approvers if persona else ()
    if rules and not is_approver(persona, actor):
        users = tuple(dict.fromkeys(user for rule in rules for user in rule.users))
        groups = tuple(dict.fromkeys(group for rule in rules for group in rule.groups))
        raise _not_operator(users, groups)
    if not rules:
        check_admitted(persona, actor)


def _among(rule: Approvers | Operators, actor: Actor) -> bool:
    if any(names(rule.users, who) for who in actor.ids):
        return True
    try:
        if isinstance(rule, Approvers):
            check_standing(actor, guests=rule.guests, teams=rule.teams)
        else:
            check_standing(actor, guests=False, teams=())
    except NotAllowed:
        return False
    return bool(set(rule.groups) & set(actor.groups))


def _not_operator(users: tuple[str, ...], groups: tuple[str, ...]) -> NotAllowed:
    whom = [*users, *(f"a member of {group}" for group in groups)]
    message = f"You may not steer this session. Ask {' or '.join(whom) or 'an admin'}."
    return NotAllowed(message, users=users, groups=groups, what="steer this session")
