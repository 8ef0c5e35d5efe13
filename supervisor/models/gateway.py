"""What a model gateway is: one question in, one reply or one clear refusal out."""

from __future__ import annotations

from typing import Literal, Protocol

from supervisor.core.errors import FlagmanError
from supervisor.core.messages import ModelReply, ModelRequest

GatewayErrorKind = Literal[
    "rate_limited", "unavailable", "timed_out", "refused", "context_overflow", "misconfigured"
]


class GatewayError(FlagmanError):
    """No reply came from the model; `str(error)` is one sentence for people, without keys.

    `retryable`: the same request may succeed later, so a person may press Retry.
    `retry_after`: seconds the provider asked to wait, where it said so.
    """

    code = "model_error"
    status = 502

    def __init__(
        self,
        kind: GatewayErrorKind,
        message: str,
        *,
        retryable: bool = False,
        retry_after: float | None = None,
    ) -> None:
        super().__init__(message)
        self.kind: GatewayErrorKind = kind
        self.retryable = retryable
        self.retry_after = retry_after


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
