"""The tool `emit_event`, and the emitter of tools; events are delivered like those from outside."""

from __future__ import annotations

import asyncio
import itertools
import logging
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, Field

from storage.errors import StoreUnavailable
from supervisor.core.conditions import OnEvent, parse_condition
from supervisor.core.digest import canonical_json
from supervisor.core.errors import FlagmanError, LimitReached, ToolError
from supervisor.core.events import Actor
from supervisor.core.messages import Json
from supervisor.core.text.format import count
from supervisor.core.text.sanitize import clean
from supervisor.core.triggers import Delivered
from supervisor.tools.contract import ToolContext
from supervisor.tools.typed_tool import tool

# The same limit as for a webhook.
MOST_BYTES = 256 * 1024
_log = logging.getLogger("flagman.tools")

Deliver = Callable[[Literal["event"], str, str, Any, Actor], Awaitable[Delivered]]


def event_name(text: str) -> str:
    """Return the name of an event in the form that conditions have. Raises ValueError."""
    try:
        condition = parse_condition(f"event: {text}", now=datetime.now(UTC))
    except FlagmanError as error:
        raise ValueError(str(error).rstrip(".")) from error
    if not isinstance(condition, OnEvent) or condition.where:
        raise ValueError("an event has only a name; `where` is for those who wait for it")
    return condition.event


def event_data(data: Any) -> Any:
    """Return the data of an event, made storable. Raises ValueError."""
    try:
        data = clean(data)
    except FlagmanError as error:
        raise ValueError(str(error).rstrip(".")) from error
    size = len(canonical_json(data).encode())
    if size > MOST_BYTES:
        raise ValueError(f"has {size:,} bytes as JSON, and {MOST_BYTES:,} is the most")
    return data


class Emitter:
    """Emits the events of one attempt of a call; another attempt uses the same ids in the same order."""

    def __init__(self, deliver: Deliver, session_id: str, idempotency_key: str) -> None:
        self._deliver, self._key = deliver, idempotency_key
        self._actor = Actor(id=f"agent:{session_id}")
        self._positions = itertools.count(1)

    async def __call__(self, type: str, data: Any = None) -> list[str]:
        try:
            name, data = event_name(type), event_data(data)
        except ValueError as error:
            raise ToolError(f"The event `{type[:80]}` cannot be emitted: {error}.") from error
        delivery_id = f"{self._key}:{next(self._positions)}"
        while True:
            try:
                return (await self._deliver("event", name, delivery_id, data, self._actor)).resumed
            except LimitReached as error:
                raise ToolError(str(error)) from error
            except StoreUnavailable as error:
                # The event may have been delivered or not, so it is repeated; the id prevents a second delivery.
                _log.warning("event %s: %s; trying again", name, error)
                await asyncio.sleep(0.2)


@tool(idempotent=True, interruptible=False)
async def emit_event(
    type: Annotated[
        str,
        Field(description="Its name, such as deploy.finished.", min_length=1, max_length=80),
        AfterValidator(event_name),
    ],
    ctx: ToolContext,
    data: Annotated[
        Json,
        Field(description="What those who wait are told with it.", default_factory=dict),
        AfterValidator(event_data),
    ],
) -> str:
    """Say that something happened. Every session that waits for this event goes on and reads the data.

    Where nobody waits yet, it is kept for a while for those who begin to.
    """
    woken = len(await ctx.emit(type, data))
    whom = count(woken, "session") if woken else "no session just now"
    return f"The event `{type}` is out. It woke {whom}."
