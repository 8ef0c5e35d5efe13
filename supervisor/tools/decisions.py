"""The tool `note_decision`; what it notes is found in the log, by the call itself."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field, StringConstraints

from supervisor.core.events.base import NOTE_DECISION
from supervisor.tools.typed_tool import tool

Decision = Annotated[str, StringConstraints(strip_whitespace=True, min_length=1, max_length=300)]
Why = Annotated[str, StringConstraints(strip_whitespace=True, min_length=1, max_length=1_000)]


@tool(name=NOTE_DECISION, changes=False, idempotent=True)
async def note_decision(
    decision: Annotated[Decision, Field(description="What you decided, in one line, such as `Use JWT`.")],
    why: Annotated[Why, Field(description="The reason, and what you decided against.")],
) -> str:
    """Note a decision that later work depends on, for the people who follow this session and for yourself.

    It stays in the log and is told to you again when your earlier steps are summed up. It changes nothing and needs no
    approval; it is not for what you are about to do next, but for what shall hold from now on.
    """
    return "Noted."
