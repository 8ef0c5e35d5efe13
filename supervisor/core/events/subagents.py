"""Events about sub-agents: where they come from, how they ended, and what a person decided."""

from __future__ import annotations

import re
from decimal import Decimal
from typing import Annotated, ClassVar, Literal

from pydantic import Field

from supervisor.core.events.base import Fact
from supervisor.core.messages import Frozen, Usage
from supervisor.core.persona import Budgets

_CHILD_FOLDER = re.compile(r"agents/[^/]+-[0-9a-z]{4}-[0-9a-z]{4}(-[0-9]+)?")
Ending = Literal["completed", "failed", "cancelled"]


class Inherited(Frozen):
    """Files that a session begins with: `paths` of the folder `folder`, put into its own folder `into`."""

    into: str
    folder: str
    paths: tuple[str, ...]


class Lineage(Frozen):
    """The origin of a sub-agent: the session `parent`, for its call `call_id`, as the subtask `name`.

    `root` is the session that a person launched, `requesters` are those who asked for it, `folder` is where it
    works, inside the folder of its parent; `inputs` are the files of the sub-agents it depends on. `person` is who
    launched the root, as whom it uses servers that are connected by each person; empty in earlier logs, and for none.
    """

    parent: str
    call_id: str
    name: str
    root: str
    depth: int
    requesters: tuple[str, ...]
    folder: str
    inputs: tuple[Inherited, ...] = ()
    person: str = ""


def child_folder(name: str, child_id: str) -> str:
    """Return the folder of a sub-agent, relative to the folder of the session that launched it."""
    return f"agents/{name}-{child_id}"


def is_child_folder(path: str) -> bool:
    """Return whether a folder, relative to that of a session, has the name of one of a sub-agent."""
    return _CHILD_FOLDER.fullmatch(path) is not None


class ChildLaunched(Fact):
    """A sub-agent whose log begins in the same append. `name` is its subtask in the plan of the call.

    `below` of the sub-agents that this session may launch are set aside for it to launch; 0 in earlier logs.
    """

    type: Literal["ChildLaunched"] = "ChildLaunched"
    doing: ClassVar[str] = "Launching a sub-agent"
    call_id: str
    child_id: str
    name: str
    persona: str
    task: str
    budgets: Budgets = Budgets()
    below: Annotated[int, Field(ge=0)] = 0


class ChildFinished(Fact):
    """How a sub-agent ended, with what it and its own sub-agents used.

    `below` were launched by it and those below it; None where that is not known. `requesters` are those who told it
    what to do since the last approval in it: its result is read by the session that launched it.
    """

    type: Literal["ChildFinished"] = "ChildFinished"
    doing: ClassVar[str] = "Recording the end of a sub-agent"
    child_id: str
    ending: Ending
    result: str
    steps: int = 0
    usage: Usage = Usage()
    cost_usd: Decimal = Decimal(0)
    unpriced: bool = False
    artifacts: tuple[str, ...] = ()
    below: Annotated[int, Field(ge=0)] | None = None
    requesters: tuple[str, ...] = ()


class ChildSkipped(Fact):
    """A subtask that was given up, with the reason."""

    type: Literal["ChildSkipped"] = "ChildSkipped"
    doing: ClassVar[str] = "Giving up a subtask"
    call_id: str
    name: str
    reason: str


class ChildDecided(Fact):
    """A person's decision on a failed sub-agent: launch it again, continue without it, or stop the others."""

    type: Literal["ChildDecided"] = "ChildDecided"
    doing: ClassVar[str] = "Deciding on a sub-agent"
    child_id: str
    verdict: Literal["retry", "skip", "stop"]


class ChildrenJoined(Fact):
    """All subtasks of a call have ended; `content` is the result of the call, which the agent reads."""

    type: Literal["ChildrenJoined"] = "ChildrenJoined"
    doing: ClassVar[str] = "Ending a plan"
    call_id: str
    ok: bool
    content: str


SubagentFact = ChildLaunched | ChildFinished | ChildSkipped | ChildDecided | ChildrenJoined
