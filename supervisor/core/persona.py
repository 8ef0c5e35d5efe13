"""A persona: its instructions, tools, approval rules and budgets."""

from __future__ import annotations

from decimal import Decimal
from typing import Annotated, Any, Literal

from pydantic import Field, SerializerFunctionWrapHandler, model_serializer

from supervisor.core.digest import digest
from supervisor.core.messages import Frozen

Mode = Literal["allow", "ask", "deny"]


class Approvers(Frozen):
    """Who may approve: any of `users` or members of `groups`; with neither, every person who can see the session."""

    users: tuple[str, ...] = ()
    groups: tuple[str, ...] = ()
    quorum: Annotated[int, Field(ge=1, le=20)] = 1
    exclude_requester: bool = False

    def names(self, actor: str) -> bool:
        """Whether `users` has this actor; an id without a prefix there is that of a person."""
        return actor in self.users or actor.removeprefix("slack:") in self.users


class ApprovalRule(Frozen):
    """The first rule whose globs match decides. `when` maps an argument's name to a glob on its text.

    Globs are those of `fnmatch.fnmatchcase`, on strings as they are and on the canonical JSON of anything else.
    A glob knows no shell: `df *` also matches `df ; rm -rf x`, so never `allow` a command by its beginning.
    """

    tool: str
    when: dict[str, str] = Field(default_factory=dict)
    mode: Mode
    approvers: Approvers | None = None
    reason: str = ""


class Budgets(Frozen):
    """What a session, with its sub-agents, may spend before it asks. None means no limit.

    `max_children` sub-agents in all, at most `max_depth` levels below the session that a person launched. At
    `max_context_tokens` it asks, or sums up its earlier steps by itself (`when_full: compact`).
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


# An absolute path without `.`, `..` and a slash at its end.
_PATH = r"^(/([^/.]|\.[^/.]|\.\.[^/])[^/]*)+$"
_VARIABLE = r"^[A-Za-z_][A-Za-z0-9_]*$"


class Grants(Frozen):
    """What the sandbox lets commands use: the network, folders to read, variables of Flagman's environment."""

    network: bool = False
    read: tuple[Annotated[str, Field(pattern=_PATH)], ...] = ()
    env: tuple[Annotated[str, Field(pattern=_VARIABLE)], ...] = ()

    def within(self, other: Grants) -> Grants:
        """Those of these grants that the other ones contain."""
        return Grants(
            network=self.network and other.network,
            read=tuple(path for path in self.read if any(_inside(path, above) for above in other.read)),
            env=tuple(name for name in self.env if name in other.env),
        )


def _inside(path: str, above: str) -> bool:
    return path == above or path.startswith(f"{above}/")


class Persona(Frozen):
    """A persona file; `instructions` is its body.

    `agents` are globs of the personas it may launch, and `delegates` of the tools it may hand on to them besides its
    own. `under` is the persona of the session that launched this one: nothing is allowed here that is not there.
    """

    name: Annotated[str, Field(pattern=r"^[a-z0-9][a-z0-9-]{0,39}$")]
    description: Annotated[str, Field(min_length=1, max_length=200)]
    model: str | None = None
    tools: tuple[str, ...] = ()
    approvals: tuple[ApprovalRule, ...] = ()
    agents: tuple[str, ...] = ()
    delegates: tuple[str, ...] = ()
    budgets: Budgets = Budgets()
    sandbox: Grants = Grants()
    under: Persona | None = None
    instructions: Annotated[str, Field(min_length=1)]

    @model_serializer(mode="wrap")
    def _without_defaults(self, write: SerializerFunctionWrapHandler) -> dict[str, Any]:
        # Personas that were pinned before there were grants keep their digests.
        fields: dict[str, Any] = write(self)
        if self.sandbox == Grants():
            fields.pop("sandbox", None)
        return fields

    @property
    def grants(self) -> Grants:
        """What its commands are granted: never more than those of the session that launched it."""
        return self.sandbox.within(self.under.grants) if self.under else self.sandbox

    @property
    def groups(self) -> frozenset[str]:
        """The groups whose members may approve."""
        named = (rule.approvers.groups for rule in self.approvals if rule.approvers)
        return frozenset(group for groups in named for group in groups)

    @property
    def digest(self) -> str:
        """The digest of this version, which a session stores at its launch."""
        return digest(self.model_dump(mode="json"))
