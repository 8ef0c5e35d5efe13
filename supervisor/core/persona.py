"""A persona: its instructions, tools, approval rules and budgets."""

from __future__ import annotations

from collections.abc import Collection, Iterator
from datetime import timedelta
from decimal import Decimal
from typing import Annotated, Any, Literal

from pydantic import (
    BeforeValidator,
    Discriminator,
    Field,
    SerializerFunctionWrapHandler,
    Tag,
    model_serializer,
)

from supervisor.core.comparisons import Comparison
from supervisor.core.digest import digest
from supervisor.core.errors import InvalidCondition
from supervisor.core.messages import Frozen
from supervisor.core.rules.hours import Hours
from supervisor.core.times import parse_duration

Mode = Literal["allow", "ask", "deny"]
NameKind = Literal["person", "group", "team"]


class NameFound(Frozen):
    """What is known of a person, group or team that a persona names; `said` is why it gives nobody a right."""

    exists: bool
    said: str = ""


def _duration(given: Any) -> Any:
    """Return the duration that a file has as text; stored ones are in ISO 8601, which begins with a P."""
    if not isinstance(given, str) or given.startswith("P"):
        return given
    try:
        return parse_duration(given)
    except InvalidCondition as error:
        raise ValueError(str(error).rstrip(".")) from None


_MINUTE = timedelta(minutes=1)
After = Annotated[timedelta, BeforeValidator(_duration), Field(ge=_MINUTE, le=timedelta(days=366))]


class Escalation(Frozen):
    """Who may approve, too, once a request has waited for so long."""

    after: After
    users: tuple[str, ...] = ()
    groups: tuple[str, ...] = ()


class Approvers(Frozen):
    """Who may approve: any of `users` or members of `groups`; with neither, every person who can see the session.

    Guests may with `guests` only, and people of other workspaces with theirs in `teams`, unless `users` names them.
    While a request waits, those who may decide are reminded each time so long has passed (`remind`), more people may
    decide (`escalate`), and after `expire` the call is closed without having run; without them it waits. With
    `each_time` no grant allows a call in advance.
    """

    users: tuple[str, ...] = ()
    groups: tuple[str, ...] = ()
    quorum: Annotated[int, Field(ge=1, le=20)] = 1
    exclude_requester: bool = False
    guests: bool = False
    teams: tuple[str, ...] = ()
    each_time: bool = False
    remind: After | None = None
    escalate: Escalation | None = None
    expire: After | None = None

    def names(self, actor: str) -> bool:
        """Return whether `users` has this actor; an id without a prefix there is that of a person."""
        return names(self.users, actor)

    @property
    def named(self) -> bool:
        """Whether the rule says who may approve."""
        return bool(self.users or self.groups)

    def after(self, waited: timedelta) -> Approvers:
        """Return the rule as it is for a request that has waited so long: escalated, where that is due."""
        if not self.escalate or waited < self.escalate.after:
            return self
        more = {
            "users": tuple(dict.fromkeys((*self.users, *self.escalate.users))),
            "groups": tuple(dict.fromkeys((*self.groups, *self.escalate.groups))),
        }
        # A rule that names nobody lets everyone approve who sees the session, which an escalation does not narrow.
        return self.model_copy(update={"escalate": None, **(more if self.named else {})})

    @property
    def four_eyes(self) -> bool:
        """Whether one person alone cannot have the call run."""
        return self.exclude_requester or self.quorum > 1


class Operators(Frozen):
    """Who may steer the sessions of a persona, besides admins: any of `users` or members of `groups`."""

    users: tuple[str, ...] = ()
    groups: tuple[str, ...] = ()


def names(users: Collection[str], actor: str) -> bool:
    """Return whether `users` has this actor; an id without a prefix there is that of a person."""
    return actor in users or actor.removeprefix("slack:") in users


def person_id(user: str) -> str:
    """Return the id of a person as actors have it, of one with or without its prefix."""
    return "slack:" + user.rpartition(":")[2]


def in_workspace(user: str, workspace: str) -> str:
    """Return the id of a person, with or without its prefix, as it counts in a workspace: `T1/U1`."""
    face, colon, ident = user.rpartition(":")
    return f"{face}{colon}{workspace}/{ident}" if workspace and "/" not in ident else user


def _kind_of_wanted(given: Any) -> str:
    return "comparison" if isinstance(given, dict | Comparison) else "glob"


Wanted = Annotated[
    Annotated[str, Tag("glob")] | Annotated[Comparison, Tag("comparison")], Discriminator(_kind_of_wanted)
]


class ApprovalRule(Frozen):
    """The first rule that matches decides. `when` maps an argument's name to a glob on its text, or to comparisons.

    Where a comparison cannot be made, as with an argument that is missing or of another type, a rule that allows does
    not match, and one that asks or denies does. For a tool with the argument `url`, the name `host` stands for the host
    in it, whatever its case.

    `arguments` is a JSON Schema of all arguments, and `hours` are those in which the rule applies; a rule matches where
    all of its conditions hold, and what cannot be told counts as above.

    Globs are those of `fnmatch.fnmatchcase`, on strings as they are and on the canonical JSON of anything else.
    A glob knows no shell: `df *` also matches `df ; rm -rf x`, so never `allow` a command by its beginning.
    """

    tool: str
    when: dict[str, Wanted] = Field(default_factory=dict)
    arguments: dict[str, Any] | None = None
    hours: Hours | None = None
    mode: Mode
    approvers: Approvers | None = None
    reason: str = ""

    @property
    def unconditional(self) -> bool:
        """Whether it matches every call of its tools, at any time."""
        return not self.when and self.arguments is None and self.hours is None


class Budgets(Frozen):
    """What a session, with its sub-agents, may spend before it asks. None means no limit.

    `max_children` sub-agents in all, those of its sub-agents too, at most `max_depth` levels below the session that a
    person launched. At `max_context_tokens` it asks, or sums up its earlier steps by itself (`when_full: compact`).
    """

    max_steps: Annotated[int, Field(ge=1)] = 50
    max_tokens: Annotated[int, Field(ge=1)] | None = None
    max_context_tokens: Annotated[int, Field(ge=1)] | None = None
    max_cost_usd: Annotated[Decimal, Field(gt=0)] | None = None
    max_minutes: Annotated[float, Field(gt=0)] | None = None
    error_threshold: Annotated[int, Field(ge=1)] = 3
    max_children: Annotated[int, Field(ge=0)] = 50
    max_depth: Annotated[int, Field(ge=0, le=8)] = 3
    when_full: Literal["ask", "compact"] = "ask"


# The tools that run commands, with what the sandbox of the persona grants.
COMMANDS = frozenset({"shell"})
# An absolute path without `.`, `..` and a slash at its end.
_PATH = r"^(/([^/.]|\.[^/.]|\.\.[^/])[^/]*)+$"
_VARIABLE = r"^[A-Za-z_][A-Za-z0-9_]*$"


class Grants(Frozen):
    """What the sandbox lets commands use: the network, folders to read, variables of Flagman's environment."""

    network: bool = False
    read: tuple[Annotated[str, Field(pattern=_PATH)], ...] = ()
    env: tuple[Annotated[str, Field(pattern=_VARIABLE)], ...] = ()

    def within(self, other: Grants) -> Grants:
        """Return those of these grants that the other ones contain."""
        return Grants(
            network=self.network and other.network,
            read=tuple(path for path in self.read if any(_inside(path, above) for above in other.read)),
            env=tuple(name for name in self.env if name in other.env),
        )


class Granted(Grants):
    """What a request for approval says of the grants: `missing` are sentences about those that commands do not get."""

    missing: tuple[str, ...] = ()


def _inside(path: str, above: str) -> bool:
    return path == above or path.startswith(f"{above}/")


_LATER_OF_APPROVERS = ("guests", "teams", "each_time", "remind", "escalate", "expire")
_LATER: dict[str, Any] = {
    "sandbox": Grants(),
    "guests": False,
    "teams": (),
    "operators": None,
    "denials": (),
    "narrowed_to": None,
    "mcp_servers": (),
    "reactions": False,
}


class Persona(Frozen):
    """A persona file; `instructions` is its body.

    `mcp_servers` are those whose tools it may name in `tools`, as `server__tool`.
    `agents` are globs of the personas it may launch, and `delegates` of the tools it may hand on to them besides its
    own. `under` is the persona of the session that launched this one: nothing is allowed here that is not there.
    Guests may launch and steer with `guests` only, and people of other workspaces with theirs in `teams`; `operators`
    replaces the requesters and approvers as those who may steer. `narrowed_to`, which the place of a session sets, must
    approve whatever needs an approval, besides those whom the rules name. `denials` are reasons to choose from for a
    denial. With `reactions` a reaction to the message of a call decides on it, where those above allow that, too.
    """

    name: Annotated[str, Field(pattern=r"^[a-z0-9][a-z0-9-]{0,39}$")]
    description: Annotated[str, Field(min_length=1, max_length=200)]
    model: str | None = None
    tools: tuple[str, ...] = ()
    mcp_servers: tuple[str, ...] = ()
    approvals: tuple[ApprovalRule, ...] = ()
    agents: tuple[str, ...] = ()
    delegates: tuple[str, ...] = ()
    budgets: Budgets = Budgets()
    sandbox: Grants = Grants()
    guests: bool = False
    teams: tuple[str, ...] = ()
    operators: Operators | None = None
    denials: Annotated[
        tuple[Annotated[str, Field(min_length=1, max_length=70)], ...], Field(max_length=20)
    ] = ()
    narrowed_to: Approvers | None = None
    reactions: bool = False
    under: Persona | None = None
    instructions: Annotated[str, Field(min_length=1)]

    @model_serializer(mode="wrap")
    def _without_defaults(self, write: SerializerFunctionWrapHandler) -> dict[str, Any]:
        # Personas that were pinned before these fields existed keep their digests.
        fields: dict[str, Any] = write(self)
        for name, default in _LATER.items():
            if getattr(self, name) == default:
                fields.pop(name, None)
        for row, rule in zip(fields.get("approvals", ()), self.approvals, strict=False):
            for name in _LATER_OF_APPROVERS:
                if row.get("approvers") and rule.approvers and not getattr(rule.approvers, name):
                    row["approvers"].pop(name, None)
            for name in ("arguments", "hours"):
                if getattr(rule, name) is None:
                    row.pop(name, None)
        return fields

    @property
    def is_timed(self) -> bool:
        """Whether what its rules, or those of one above it, say depends on the time."""
        return any(rule.hours for persona in self.chain for rule in persona.approvals)

    @property
    def grants(self) -> Grants:
        """What its commands are granted: never more than those of the session that launched it."""
        return self.sandbox.within(self.under.grants) if self.under else self.sandbox

    @property
    def chain(self) -> Iterator[Persona]:
        """This persona, and each one above it."""
        yield self
        if self.under:
            yield from self.under.chain

    def may_reach(self, server: str) -> bool:
        """Whether it, and each persona above it, names the server."""
        return all(server in persona.mcp_servers for persona in self.chain)

    @property
    def approvers(self) -> tuple[Approvers, ...]:
        """Who may approve by the rules of this persona and of those above it that say so."""
        rules = (rule.approvers for persona in self.chain for rule in persona.approvals)
        return tuple(dict.fromkeys(rule for rule in rules if rule and rule.named))

    @property
    def takes_reactions(self) -> bool:
        """Whether a reaction decides, by this persona and by all above it."""
        return all(persona.reactions for persona in self.chain)

    @property
    def groups(self) -> frozenset[str]:
        """The groups whose members may approve or steer."""
        named = [rule.groups for rule in self.approvers]
        named += [rule.escalate.groups for rule in self.approvers if rule.escalate]
        named += [persona.narrowed_to.groups for persona in self.chain if persona.narrowed_to]
        named += [persona.operators.groups for persona in self.chain if persona.operators]
        return frozenset(group for groups in named for group in groups)

    @property
    def digest(self) -> str:
        """The digest of this version, which a session stores at its launch."""
        return digest(self.model_dump(mode="json"))
