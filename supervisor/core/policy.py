"""Policy: whether a proposed call is allowed, needs approval or is denied, and who may decide on it."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import datetime
from fnmatch import fnmatchcase
from typing import Any, Literal, NamedTuple

from yarl import URL

from supervisor.core.comparisons import Comparison
from supervisor.core.digest import canonical_json
from supervisor.core.errors import AlreadyDecided, AlreadyEnded, NotAllowed
from supervisor.core.events import Actor
from supervisor.core.events.base import APPROVAL
from supervisor.core.messages import Frozen, Json
from supervisor.core.persona import ApprovalRule, Approvers, Persona
from supervisor.core.rights import check_active, check_standing
from supervisor.core.rules.schema import fits
from supervisor.core.state import Call, Session

# In a rule for a tool with the argument `url`, the name of its host.
HOST = "host"
_ANSWERS = {True: "yes", False: "no", None: "it cannot be compared"}
VERDICT_WORDS = {"approve": "approved", "deny": "denied", "respond": "answered"}


class PolicyDecision(Frozen):
    """`rules` say who may approve, and each must be satisfied; with none, every person who sees the session may."""

    mode: Literal["allow", "ask", "deny"]
    rules: tuple[Approvers, ...] = ()
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


def evaluate(
    persona: Persona, tool: str, arguments: Json, *, changes: bool, at: datetime | None = None
) -> PolicyDecision:
    """The decision at a time of the first rule that matches; without one, a tool that changes needs approval.

    A sub-agent is never allowed more than the session that launched it.
    """
    return _narrowed(persona, _ruled(persona, tool, arguments, changes=changes, at=at))


def _ruled(
    persona: Persona, tool: str, arguments: Json, *, changes: bool, at: datetime | None
) -> PolicyDecision:
    own = _first_match(persona, tool, arguments, changes=changes, at=at)
    if persona.under is None:
        return own
    return _stricter(own, _ruled(persona.under, tool, arguments, changes=changes, at=at))


def ask_first(persona: Persona, tool: str) -> Persona:
    """The persona under one by which every call of the tool needs an approval: of two rules the stricter one holds."""
    rules = (ApprovalRule(tool=tool, mode="ask"), *persona.approvals)
    return persona.model_copy(update={"under": persona.model_copy(update={"approvals": rules})})


def approvers_of_pause(persona: Persona) -> tuple[Approvers, ...]:
    """The rules about who may end a pause that waits for an approval.

    It is the first rule for the name `approval`; without one, one of all that any rule names, under the strictest
    quorum and with the requester excluded where one rule excludes them. Those of the launching persona hold, too.
    """
    named = [rule.approvers or Approvers() for rule in persona.approvals if rule.tool == APPROVAL][:1]
    rules = named or [rule.approvers for rule in persona.approvals if rule.approvers]
    own = Approvers(
        users=tuple(dict.fromkeys(user for rule in rules for user in rule.users)),
        groups=tuple(dict.fromkeys(group for rule in rules for group in rule.groups)),
        quorum=max((rule.quorum for rule in rules), default=1),
        exclude_requester=any(rule.exclude_requester for rule in rules),
        guests=bool(rules) and all(rule.guests for rule in rules),
        teams=tuple(team for team in rules[0].teams if all(team in rule.teams for rule in rules))
        if rules
        else (),
        remind=named[0].remind if named else None,
        escalate=named[0].escalate if named else None,
    )
    above = approvers_of_pause(persona.under) if persona.under else ()
    besides = (persona.narrowed_to,) if persona.narrowed_to else ()
    return _together((own,), besides, above) or (Approvers(),)


def _narrowed(persona: Persona, decision: PolicyDecision) -> PolicyDecision:
    """The decision with those who must approve besides, by the place of the session."""
    besides = tuple(one.narrowed_to for one in persona.chain if one.narrowed_to)
    if not besides or decision.mode != "ask":
        return decision
    return decision.model_copy(update={"rules": _together(decision.rules, besides)})


def _first_match(
    persona: Persona, tool: str, arguments: Json, *, changes: bool, at: datetime | None
) -> PolicyDecision:
    approval = next((rule for rule in persona.approvals if applies(rule, tool, arguments, at)), None)
    if approval is None:
        return PolicyDecision(mode="ask" if changes else "allow")
    rules = (approval.approvers,) if approval.approvers else ()
    return PolicyDecision(mode=approval.mode, rules=rules, reason=approval.reason)


def applies(rule: ApprovalRule, tool: str, arguments: Json, at: datetime | None = None) -> bool:
    """Whether the rule decides on the call at this time, if no earlier one does."""
    if not fnmatchcase(tool, rule.tool):
        return False
    found = [holds(name, wanted, arguments) for name, wanted in rule.when.items()]
    found += [fits(rule.arguments, arguments)] if rule.arguments is not None else []
    found += [rule.hours.holds(at)] if rule.hours else []
    return False not in found and (None not in found or rule.mode != "allow")


def holds(name: str, wanted: str | Comparison, arguments: Json) -> bool | None:
    """Whether an argument is as a rule wants it; None where it cannot be compared."""
    if name == HOST and HOST not in arguments:
        hosts = _hosts(arguments.get("url"))
        if isinstance(wanted, Comparison):
            found = [wanted.of_a_host().holds(host) for host in hosts]
            return True if True in found else False if False in found else None
        return any(fnmatchcase(host, wanted.lower()) for host in hosts)
    if isinstance(wanted, Comparison):
        return wanted.holds(arguments[name]) if name in arguments else None
    return name in arguments and fnmatchcase(_text(arguments[name]), wanted)


def _stricter(own: PolicyDecision, above: PolicyDecision) -> PolicyDecision:
    strictness = {"allow": 0, "ask": 1, "deny": 2}
    if own.mode != "ask" or above.mode != "ask":
        return max(above, own, key=lambda decision: strictness[decision.mode])
    return PolicyDecision(
        mode="ask", rules=_together(own.rules, above.rules), reason=own.reason or above.reason
    )


def _together(*rules: tuple[Approvers, ...]) -> tuple[Approvers, ...]:
    """All of the rules, each of which must be satisfied, without those that any approval satisfies."""
    distinct = dict.fromkeys(rule for some in rules for rule in some)
    return tuple(rule for rule in distinct if rule != Approvers())


def _hosts(url: Any) -> tuple[str, ...]:
    """The host of a URL in small letters, as it is connected to and as it is read; none where there is none.

    Signs that stand for others, such as full-width letters, are in both what they stand for.
    """
    if not isinstance(url, str):
        return ()
    try:
        found = URL(url)
        hosts = (found.raw_host or "", found.host or "")
    except ValueError:
        return ()
    return tuple(dict.fromkeys(host.rstrip(".").lower() for host in hosts))


def _text(value: Any) -> str:
    return value if isinstance(value, str) else canonical_json(value)


class Explanation(Frozen):
    """A decision with the number of the rule that made it, from 1, or None where no rule matches.

    `rules` has sentences on each rule that was looked at, by its number.
    """

    decision: PolicyDecision
    rule: int | None
    rules: dict[int, tuple[str, ...]]


def explain(
    persona: Persona, tool: str, arguments: Json, *, changes: bool, at: datetime | None = None
) -> Explanation:
    """Return the decision of the persona's own rules on a call, as `evaluate`, with how it came about."""
    own = persona.model_copy(update={"under": None})
    numbered = list(enumerate(persona.approvals, start=1))
    decides = next((number for number, rule in numbered if applies(rule, tool, arguments, at)), None)
    rules = {number: tuple(_looked_at(rule, tool, arguments, at)) for number, rule in numbered[:decides]}
    decision = evaluate(own, tool, arguments, changes=changes, at=at)
    return Explanation(decision=decision, rule=decides, rules=rules)


def _looked_at(rule: ApprovalRule, tool: str, arguments: Json, at: datetime | None) -> Iterator[str]:
    if not fnmatchcase(tool, rule.tool):
        yield f"it is for `{rule.tool}`"
        return
    looked = [(f"`{name}` is {wanted}", holds(name, wanted, arguments)) for name, wanted in rule.when.items()]
    if rule.arguments is not None:
        looked.append(("the arguments fit the schema", fits(rule.arguments, arguments)))
    if rule.hours:
        looked.append((f"it is within {rule.hours}", rule.hours.holds(at)))
    for condition, answer in looked:
        unsure = ", and so it counts as no" if rule.mode == "allow" else ", and so it counts as yes"
        yield f"{condition}: {_ANSWERS[answer]}{unsure if answer is None else ''}"
    if rule.unconditional:
        yield f"it is for `{rule.tool}`, whatever the arguments"


class Right(NamedTuple):
    """A right to decide on a call: `via` has one line for each rule, and `person` is whose right it is besides.

    `joined` are those who count as one person with who has it.
    """

    via: str
    person: Actor | None = None
    joined: tuple[str, ...] = ()

    @property
    def recorded(self) -> dict[str, Any]:
        """The fields of an event that is by this right."""
        whose = {"for_person": self.person.id, "for_name": self.person.name} if self.person else {}
        return {"via": self.via, "joined": self.joined, **whose}


def right_to_decide(session: Session, call: Call, actor: Actor) -> Right:
    """As `permission`, for a call that waits. Raises AlreadyDecided, AlreadyEnded or NotAllowed."""
    if call.phase != "awaiting":
        raise _too_late(session, call)
    for decision in call.decisions:
        if actor.ids & {decision.by, decision.by_owner}:
            raise AlreadyDecided(VERDICT_WORDS[decision.verdict], "you", decision.at)
        if decision.counts_as(actor.ids, actor.joined):
            name = f"{decision.by_name or decision.by}, who counts as one person with you by a delegation"
            raise AlreadyDecided(VERDICT_WORDS[decision.verdict], decision.by, decision.at, name=name)
    if session.ended:
        raise AlreadyEnded(f"This session was already {session.lifecycle}; nothing will run.")
    return permission(session, call, actor)


def permission(session: Session, call: Call, actor: Actor) -> Right:
    """The right of `actor` to decide on `call`: `anyone`, `user`, `group:<id>` or `admin`.

    Where the call has several rules, it is one line for each, empty where the actor has none by that rule. What the
    actor has no right to by itself, it may have by that of one person for whom it decides, unless that person, or
    another one for them, has decided already. Raises NotAllowed where there is none by any rule.
    """
    rules = call.call.rules
    problems: list[NotAllowed] = []
    rights: list[str] = []
    for position, rule in enumerate(rules):
        try:
            rights.append(_right(session, call, rule, actor))
        except NotAllowed as problem:
            overrides = (
                actor.admin and position in actor.overrides and not _is_requester(session, call, rule, actor)
            )
            if not overrides:
                problems.append(problem)
            rights.append("admin" if overrides else "")
    lent = _lent(session, call, actor, rights) if problems else None
    if lent is None and len(problems) == len(rules):
        raise problems[0]
    return (lent or Right("\n".join(rights)))._replace(joined=actor.joined)


def _lent(session: Session, call: Call, actor: Actor, own: Sequence[str]) -> Right | None:
    """The right of the person for whom the actor has the most rights besides its own; None where that adds nothing."""
    decided = {who for decision in call.decisions for who in decision.counted}
    found: list[tuple[int, Right]] = []
    for person in actor.stands_for:
        if person.ids & decided:
            continue
        rights = [
            right or _right_for(session, call, rule, actor, person)
            for right, rule in zip(own, call.call.rules, strict=True)
        ]
        found.append((sum(map(bool, rights)), Right("\n".join(rights), person)))
    most, right = max(found, key=lambda one: one[0], default=(0, None))
    return right if most > sum(map(bool, own)) else None


def _right_for(session: Session, call: Call, rule: Approvers, actor: Actor, person: Actor) -> str:
    """The right that a person has by a rule, and so the actor for them; empty where one of them may not decide."""
    if _is_requester(session, call, rule, actor):
        return ""
    try:
        return _right(session, call, rule, person)
    except NotAllowed:
        return ""


def may_decide(session: Session, call: Call, actor: Actor) -> bool:
    """Whether the actor has a right to decide on the call by any of its rules."""
    try:
        return bool(permission(session, call, actor).via)
    except NotAllowed:
        return False


def names_approver(session: Session, call: Call, actor: Actor) -> bool:
    """Whether the actor may decide on the call as one whom one of its rules names, or as a member of a group."""
    try:
        own = actor.model_copy(update={"stands_for": ()})
        rights_by_rule = permission(session, call, own).via.split("\n")
    except NotAllowed:
        return False
    return any(right == "user" or right.startswith("group:") for right in rights_by_rule)


def _right(session: Session, call: Call, rule: Approvers, actor: Actor) -> str:
    if _is_requester(session, call, rule, actor):
        raise NotAllowed(_REQUESTER)
    check_active(actor)
    if any(rule.names(who) for who in actor.ids):
        return "user"
    check_standing(actor, guests=rule.guests, teams=rule.teams)
    if actor.kind == "program" and not actor.owner and rule.four_eyes:
        raise NotAllowed(
            "This call takes two persons, and this key belongs to none. Give it an owner, or approve it yourself."
        )
    for group in rule.groups:
        if group in actor.groups:
            return f"group:{group}"
    if not rule.named and actor.sees:
        return "anyone"
    message = f"You may not decide on this call. Ask {_whom(rule)}."
    raise NotAllowed(message, users=rule.users, groups=rule.groups)


def _is_requester(session: Session, call: Call, rule: Approvers, actor: Actor) -> bool:
    return bool(actor.ids & session.barred(call, rule))


_REQUESTER = (
    "You requested this session, changed this call or told the agent what to do; someone else must approve."
)


def _too_late(session: Session, call: Call) -> Exception:
    if call.phase == "expired":
        return AlreadyEnded("This request expired before anybody decided; it did not run.")
    if call.phase == "superseded":
        who = call.closed_by_name or call.closed_by
        return AlreadyEnded(f"This request was withdrawn by {who}; it did not run.")
    if call.decisions:
        last = call.decisions[-1]
        return AlreadyDecided(VERDICT_WORDS[last.verdict], last.by, last.at, name=last.by_name)
    if session.ended:
        return AlreadyEnded(f"This session was already {session.lifecycle}; nothing will run.")
    return NotAllowed("This call is not waiting for a decision.")


def _whom(approvers: Approvers) -> str:
    groups = [f"a member of {group}" for group in approvers.groups]
    return " or ".join([*approvers.users, *groups])
