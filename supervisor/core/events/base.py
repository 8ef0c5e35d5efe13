"""The parts that events share: the actor, the time, and the call that the model selected."""

from __future__ import annotations

from datetime import timedelta
from typing import Annotated, Any, ClassVar, Literal

from pydantic import AwareDatetime, Field

from supervisor.core.digest import call_digest
from supervisor.core.messages import Frozen, Json, ToolDefinition
from supervisor.core.persona import Approvers

SCHEMA = 1

PauseReason = Literal[
    "human_approval_required",
    "human_input_required",
    "external_dependency",
    "scheduled",
    "children_running",
    "error_threshold_exceeded",
    "context_budget_exceeded",
    "budget_exceeded",
    "outcome_unknown",
    "connection_required",
    "parent_paused",
    "manual",
]

Trigger = Literal["manual", "webhook", "event", "clock", "token", "children"]
# What ends a pause besides: its approval, the end of the pause of the session that launched this one, and a connection
# that a person made.
Waker = Trigger | Literal["approval", "parent", "connection"]

# The name by which rules and decisions know a pause that waits for an approval.
APPROVAL = "approval"
WAIT_FOR, GIVE_UP, NOTE_DECISION = "wait_for", "give_up", "note_decision"
# Calls that are entered when all other calls of their turn have a result.
DEFERRED_TOOLS = frozenset({WAIT_FOR, GIVE_UP})
# In an origin, the workspace to which the session or schedule belongs.
WORKSPACE = "workspace"


def workspace_of(origin: Json) -> str:
    """Return the workspace in an origin; empty for the first one, of which stored origins say nothing."""
    return str(origin.get(WORKSPACE) or "")


# `member` is a full member of the own workspace or of an admitted one; a `key` or another program is a `program`.
ActorKind = Literal["member", "guest", "external", "bot", "deactivated", "program"]


class Actor(Frozen):
    """Who acts: `slack:U…`, `api:<key>`, `agent:<session>`, `clock` or `system`, with what is known of it.

    The id of a person counts in their workspace only: outside of the first one it is `slack:T…/U…`, not `slack:U…`.

    `groups` are those of a policy that the person is a member of, `teams` the workspaces of the person. `owner` is the
    person whose key it is: what the key does counts as done by that person. `sees` tells whether the session acted upon
    is visible to the actor; `reads_all` gives that for every session, and `admin` also the right to steer it. An admin
    `overrides` the rules of a call, by their positions, that nobody else can satisfy. `key` is the id of the API key it
    acts with, empty for people and for a process that has the store. `stands_for` are those who had this person decide
    for them, as known now, and `joined` the ids of these and of who decides for this person: on one call they are one.
    `how` is empty for whoever uses what is made for it.
    """

    id: str
    name: str = ""
    groups: tuple[str, ...] = ()
    kind: ActorKind = "member"
    teams: tuple[str, ...] = ()
    owner: str = ""
    admin: bool = False
    reads_all: bool = False
    sees: bool = True
    overrides: tuple[int, ...] = ()
    key: str = ""
    stands_for: tuple[Actor, ...] = ()
    joined: tuple[str, ...] = ()
    how: Literal["", "reaction"] = ""

    @property
    def ids(self) -> frozenset[str]:
        """The ids under which this person can occur in a log."""
        return frozenset({self.id, self.owner} - {""})

    @property
    def person(self) -> str:
        """The id of the person who acts; that of the key where it has no owner."""
        return self.owner or self.id

    @property
    def workspace(self) -> str | None:
        """The workspace of the person who acts, empty for the first one; None for a program of its own."""
        kind, _, ident = self.person.partition(":")
        return ident.rpartition("/")[0] if kind == "slack" else None


SYSTEM = Actor(id="system", kind="program")


class Deed(Frozen):
    """The deed of an actor. `by_owner` is the person whose key acted; empty for everyone else."""

    by: str
    by_name: str = ""
    by_owner: str = ""

    @property
    def people(self) -> frozenset[str]:
        """The ids of who acted: the actor, and the person whose key it was."""
        return frozenset({self.by, self.by_owner} - {""})


class Fact(Frozen):
    """The fields of every event: time and actor, as `Deed`, in the order in which they are stored.

    `doing` names the attempt in a refusal, such as “Pausing”.
    """

    doing: ClassVar[str] = ""
    v: Annotated[int, Field(ge=1, le=SCHEMA)] = SCHEMA
    at: AwareDatetime
    by: str
    by_name: str = ""
    by_owner: str = ""

    @property
    def people(self) -> frozenset[str]:
        """The ids of who acted: the actor, and the person whose key it was."""
        return frozenset({self.by, self.by_owner} - {""})


class DecisionFact(Fact):
    """A decision on a call; `for_person` is who had the actor decide for them, where it was by their right.

    `joined` are all who decided for the actor then, or for whom the actor did: one of them decides on a call.
    """

    for_person: str = ""
    for_name: str = ""
    joined: tuple[str, ...] = ()

    @property
    def people(self) -> frozenset[str]:
        """The ids of who acted, and of the person for whom: together they count as one person."""
        return frozenset({self.by, self.by_owner, self.for_person} - {""})


class ToolCall(Frozen):
    """A call the model selected, with the decision of the policy in force.

    `call_id` is Flagman's id, unique in the session (`step.position`); `ref` is the provider's own id.
    `arguments` are canonical, or the raw text where they were no JSON object (then `mode` is refuse). `approvers` is
    the first rule about who may approve it, and `also` are the further ones, each of which must be satisfied.
    `definition` is what a server said of the tool when it was proposed, or last asked about; None for other tools.
    """

    call_id: str
    ref: str
    tool: str
    arguments: Json | str
    digest: str
    mode: Literal["allow", "ask", "refuse"]
    control: bool = False
    idempotent: bool = False
    approvers: Approvers | None = None
    also: tuple[Approvers, ...] = ()
    reason: str = ""
    definition: ToolDefinition | None = None

    @property
    def pin(self) -> str:
        """The digest of its definition; empty for a tool that is not one of a server."""
        return self.definition.digest if self.definition else ""

    def digest_of(self, arguments: Any) -> str:
        """Return the digest that the call has with these arguments."""
        return call_digest(self.tool, arguments, self.pin)

    def after(self, waited: timedelta) -> ToolCall:
        """Return the call with its rules as they are once it has waited so long."""
        first, *others = (rule.after(waited) for rule in self.rules)
        return self.model_copy(update={"approvers": first, "also": tuple(others)})

    @property
    def rules(self) -> tuple[Approvers, ...]:
        """The rules about who may approve it; each must be satisfied."""
        return (self.approvers or Approvers(), *self.also)
