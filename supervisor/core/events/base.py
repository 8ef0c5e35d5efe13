"""The parts that events share: the actor, the time, and the call that the model selected."""

from __future__ import annotations

from typing import Annotated, ClassVar, Literal

from pydantic import AwareDatetime, Field

from supervisor.core.messages import Frozen, Json
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
    "manual",
]

Trigger = Literal["manual", "webhook", "event", "clock", "token", "children"]

# The name by which rules and decisions know a pause that waits for an approval.
APPROVAL = "approval"
WAIT_FOR, GIVE_UP = "wait_for", "give_up"
# Calls that are entered when all other calls of their turn have a result.
DEFERRED_TOOLS = frozenset({WAIT_FOR, GIVE_UP})


class Actor(Frozen):
    """Who did it: `slack:U…`, `api:<key>`, `cli:<user>`, `agent:<session>`, `clock` or `system`."""

    id: str
    name: str = ""
    groups: tuple[str, ...] = ()


SYSTEM = Actor(id="system")


class Fact(Frozen):
    """The fields of every event: time and actor. `doing` names the attempt in a refusal, such as “Pausing”."""

    doing: ClassVar[str] = ""
    v: Annotated[int, Field(ge=1, le=SCHEMA)] = SCHEMA
    at: AwareDatetime
    by: str
    by_name: str = ""


class ToolCall(Frozen):
    """A call the model selected, with the ruling of the policy in force.

    `call_id` is ours and unique in the session (`step.position`); `ref` is the provider's own id.
    `arguments` are canonical, or the raw text where they were no JSON object (then `mode` is refuse).
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
    reason: str = ""
