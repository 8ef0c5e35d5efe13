"""Where sessions come from and what becomes of those they launch: the facts of parents, children and forks."""

from __future__ import annotations

from decimal import Decimal
from typing import Literal

from supervisor.core.events.base import Fact, ToolCall
from supervisor.core.messages import Frozen, Usage
from supervisor.core.persona import Budgets

Ending = Literal["completed", "failed", "cancelled"]


class Inherited(Frozen):
    """Files that a session begins with: `paths` of the folder `folder`, put into its own folder `into`."""

    into: str
    folder: str
    paths: tuple[str, ...]


class Lineage(Frozen):
    """Who launched a sub-agent: the session `parent`, for its call `call_id`, as the subtask `name`.

    `root` is the session that a person launched, `requesters` are those who asked for it, `folder` is where it
    works, inside the folder of its parent; `inputs` are the files of the sub-agents it depends on.
    """

    parent: str
    call_id: str
    name: str
    root: str
    depth: int
    requesters: tuple[str, ...]
    folder: str
    inputs: tuple[Inherited, ...] = ()


def child_folder(name: str, child_id: str) -> str:
    """Where a sub-agent works, relative to the folder of who launched it."""
    return f"agents/{name}-{child_id}"


class ChildLaunched(Fact):
    """A sub-agent begins with this very append. `name` is its subtask in the plan of the call."""

    type: Literal["ChildLaunched"] = "ChildLaunched"
    call_id: str
    child_id: str
    name: str
    persona: str
    task: str
    budgets: Budgets = Budgets()


class ChildFinished(Fact):
    """How a sub-agent ended, with what it and its own sub-agents used."""

    type: Literal["ChildFinished"] = "ChildFinished"
    child_id: str
    ending: Ending
    result: str
    steps: int = 0
    usage: Usage = Usage()
    cost_usd: Decimal = Decimal(0)
    unpriced: bool = False
    artifacts: tuple[str, ...] = ()


class ChildSkipped(Fact):
    """A subtask that will not be done, and why."""

    type: Literal["ChildSkipped"] = "ChildSkipped"
    call_id: str
    name: str
    reason: str


class ChildDecided(Fact):
    """What a person says of a sub-agent that failed: do it again, go on without it, or stop the rest."""

    type: Literal["ChildDecided"] = "ChildDecided"
    child_id: str
    verdict: Literal["retry", "skip", "stop"]


class ChildrenJoined(Fact):
    """Every subtask of a call has ended; `content` is what the agent reads as the result of its call."""

    type: Literal["ChildrenJoined"] = "ChildrenJoined"
    call_id: str
    ok: bool
    content: str


class CallEdited(Fact):
    """A person changed the arguments of a call that waits for approval; `via` is what gave the right.

    `before` is the digest of what was there; `call` has the new arguments, validated and ruled anew.
    """

    type: Literal["CallEdited"] = "CallEdited"
    call_id: str
    before: str
    call: ToolCall
    via: str = "anyone"


class Compacted(Fact):
    """From now on the model reads `summary` in place of the steps up to `through_step`; the log keeps them all."""

    type: Literal["Compacted"] = "Compacted"
    through_step: int
    summary: str
    usage: Usage = Usage()
    cost_usd: Decimal | None = None
    model: str = ""
    duration_ms: int = 0


class SessionForked(Fact):
    """Everything before this was copied from the first `version` events of `source`, up to its step `step`.

    `requesters` are those who had asked for the source, `files` what it had written by then.
    """

    type: Literal["SessionForked"] = "SessionForked"
    source: str
    step: int
    version: int
    requesters: tuple[str, ...] = ()
    files: Inherited | None = None


class SessionRestored(Fact):
    """Everything before this came from a SESSION_LOG whose chain ends in `chain`.

    `lost` are open calls whose arguments held a secret, which no SESSION_LOG keeps: they will not run.
    """

    type: Literal["SessionRestored"] = "SessionRestored"
    chain: str
    lost: tuple[str, ...] = ()
