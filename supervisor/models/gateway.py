"""What a model gateway is: one question in, one reply or one clear refusal out."""

from __future__ import annotations

from typing import Protocol

from supervisor.core.messages import ModelReply, ModelRequest


class Gateway(Protocol):
    """The way to a model. Cancelling `reply` abandons the request at the provider."""

    @property
    def description(self) -> str:
        """The model that answers by default, as people write it: `provider:name`."""
        ...

    async def reply(self, request: ModelRequest) -> ModelReply:
        """Ask once, with retries where they help. Raises GatewayError."""
        ...

    async def close(self) -> None:
        """Give back connections; safe to call twice."""
        ...
