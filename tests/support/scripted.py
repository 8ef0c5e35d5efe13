"""A model that is scripted by a function of the request; it says so in its name."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from decimal import Decimal
from typing import Any

from supervisor.core.messages import (
    ModelReply,
    ModelRequest,
    ModelTurn,
    ProposedCall,
    ToolTurn,
    Usage,
    UserTurn,
)

Behaviour = Callable[[ModelRequest], ModelReply | Awaitable[ModelReply]]
NAME = "scripted:test"


def says(text: str) -> ModelReply:
    """An answer without calls, which ends the session."""
    return calls(text=text)


def calls(*proposed: tuple[str, dict[str, Any] | str], text: str = "") -> ModelReply:
    """An answer that selects tools, all in one turn."""
    selected = tuple(
        ProposedCall(call_id=f"ref-{n}", tool=tool, arguments=arguments)
        for n, (tool, arguments) in enumerate(proposed)
    )
    usage = Usage(input_tokens=100, output_tokens=20)
    return ModelReply(
        text=text, calls=selected, usage=usage, cost_usd=Decimal("0.001"), model=NAME, duration_ms=1
    )


def in_turn(*replies: ModelReply) -> Behaviour:
    """The first reply to the first request of a session, and so on; the last one for all that follow."""

    def behave(request: ModelRequest) -> ModelReply:
        said = sum(isinstance(turn, ModelTurn) for turn in request.turns)
        return replies[min(said, len(replies) - 1)]

    return behave


def results(request: ModelRequest) -> list[str]:
    """What the model was told of its calls."""
    return [turn.content for turn in request.turns if isinstance(turn, ToolTurn)]


def told(request: ModelRequest) -> list[str]:
    """What people said to the model, the task first."""
    return [turn.text for turn in request.turns if isinstance(turn, UserTurn)]


class Scripted:
    """A Gateway; `requests` are those that came, `abandoned` counts those given up while they waited."""

    def __init__(self, behave: Behaviour) -> None:
        self._behave = behave
        self.requests: list[ModelRequest] = []
        self.abandoned = 0

    @property
    def description(self) -> str:
        return NAME

    async def reply(self, request: ModelRequest) -> ModelReply:
        self.requests.append(request)
        answer = self._behave(request)
        if isinstance(answer, ModelReply):
            return answer
        try:
            return await answer
        except asyncio.CancelledError:
            self.abandoned += 1
            raise

    async def close(self) -> None:
        """Nothing is held."""
