"""The tool `give_up`; the control loop ends the session as failed."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field

from supervisor.core.events.base import GIVE_UP
from supervisor.tools.typed_tool import tool


@tool(name=GIVE_UP, changes=False, control=True)
async def give_up(
    reason: Annotated[
        str,
        Field(
            description="What you tried, why it cannot be done, and what would be needed.",
            min_length=1,
            max_length=4_000,
        ),
    ],
) -> str:
    """End this session as failed, because the task cannot be done. Whoever launched it learns that and the reason.

    Do not use it for what a person could settle: ask. Where the task is done, just say so instead.
    """
    raise RuntimeError("give_up is entered by the control loop and never run")
