"""The tool `wait_for`; the control loop carries it out as a pause."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Annotated

from pydantic import AfterValidator, Field

from supervisor.core.conditions import FORMS, parse_condition
from supervisor.core.errors import InvalidCondition
from supervisor.core.events.base import WAIT_FOR
from supervisor.tools.typed_tool import tool


def _readable(text: str) -> str:
    try:
        parse_condition(text, now=datetime.now(UTC))
    except InvalidCondition as error:
        raise ValueError(str(error)) from error
    return text


@tool(name=WAIT_FOR, changes=False, control=True)
async def wait_for(
    condition: Annotated[
        str,
        AfterValidator(_readable),
        Field(description=f"What to wait for, one of: {', '.join(FORMS)}. Times without an offset are UTC."),
    ],
    reason: Annotated[str, Field(description="Why, in one line that people read.", max_length=300)] = "",
) -> str:
    """Sleep until something happens outside: a webhook, an event, or a time. It costs nothing while you wait.

    The result says what woke you and the data that came with it.
    """
    raise RuntimeError("wait_for is entered by the control loop and never run")
