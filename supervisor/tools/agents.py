"""The tools that launch sub-agents; the control loop carries them out."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field

from supervisor.core.delegation import LAUNCH, MOST_SUBTASKS, PLAN, Policy, Subtask
from supervisor.tools.typed_tool import tool

Task = Annotated[
    str,
    Field(
        description="What to do, complete in itself: it reads nothing else.", min_length=1, max_length=8000
    ),
]


@tool(name=PLAN, control=True)
async def plan_tasks(
    subtasks: Annotated[
        tuple[Subtask, ...],
        Field(
            description="The parts; those that need nothing run at once.",
            min_length=1,
            max_length=MOST_SUBTASKS,
        ),
    ],
    on_failure: Annotated[
        Policy,
        Field(
            description="When one fails: `continue` with what does not need it, `fail_fast`, or `ask` people."
        ),
    ] = "continue",
) -> str:
    """Split the task over sub-agents and wait until all of them have ended.

    Each is a session of its own, in the order of their dependencies, as parallel as these allow. The result tells how
    each ended and what it found.
    """
    raise RuntimeError("plan_tasks is carried out by the control loop and never run")


@tool(name=LAUNCH, control=True)
async def launch_agent(
    persona: Annotated[str, Field(description="Who does it: one of the personas you may launch.")], task: Task
) -> str:
    """Have one sub-agent do something, and wait for its result. Several calls in one turn run side by side."""
    raise RuntimeError("launch_agent is carried out by the control loop and never run")
