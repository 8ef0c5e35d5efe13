"""The interface of a model gateway: a request returns a reply or raises GatewayError."""

from __future__ import annotations

from typing import Protocol

from supervisor.core.messages import ModelReply, ModelRequest


class Gateway(Protocol):
    """Asks a model. Cancelling `reply` closes the request to the provider."""

    @property
    def description(self) -> str:
        """The default model as `provider:name`."""
        ...

    async def reply(self, request: ModelRequest) -> ModelReply:
        """Ask the model, with retries where they help. Raises GatewayError."""
        ...

    async def close(self) -> None:
        """Close the connections; may be called twice."""
        ...
