"""The gateway to the models of providers: keeps one connection for each model name, and retries."""

from __future__ import annotations

import asyncio
import time
from datetime import timedelta
from typing import TYPE_CHECKING, NoReturn

from tenacity import (
    AsyncRetrying,
    RetryCallState,
    retry_if_exception,
    stop_after_attempt,
    wait_random,
    wait_random_exponential,
)
from tenacity.wait import wait_base

from supervisor.core.errors import GatewayError
from supervisor.core.messages import ModelReply, ModelRequest

if TYPE_CHECKING:
    from supervisor.models.client import Connection
    from supervisor.models.messages import Answer

LONGEST_RETRY_AFTER = timedelta(seconds=60)


class ProviderGateway:
    """Answers with the model that a request names, or `default_model` (`provider:name`).

    `timeout` limits one attempt. Up to `attempts` are made, with delays that grow from `first_delay` to `max_delay`.
    """

    def __init__(
        self,
        default_model: str,
        *,
        attempts: int = 4,
        timeout: timedelta = timedelta(seconds=120),
        first_delay: timedelta = timedelta(seconds=1),
        max_delay: timedelta = timedelta(seconds=20),
    ) -> None:
        self._default_model = default_model
        self._attempts = attempts
        self._timeout = timeout
        self._wait = RetryWait(first_delay, max_delay)
        self._connections: dict[str, Connection] = {}
        self._opening = asyncio.Lock()

    @property
    def description(self) -> str:
        return self._default_model

    async def check(self, model: str | None = None) -> None:
        """Raise GatewayError (misconfigured) if the name or its key is unusable; makes no call."""
        await self._connection(model or self._default_model)

    async def reply(self, request: ModelRequest) -> ModelReply:
        """Ask the model, with retries where they help. `duration_ms` includes the delays. Raises GatewayError."""
        name = request.model or self._default_model
        started = time.monotonic()
        connection = await self._connection(name)
        answer = await self._ask(connection, request)
        return ModelReply(
            text=answer.text,
            calls=answer.calls,
            usage=answer.usage,
            cost_usd=answer.cost_usd,
            model=name,
            duration_ms=round((time.monotonic() - started) * 1000),
            native=answer.native,
            stop_reason=answer.stop_reason,
        )

    async def close(self) -> None:
        async with self._opening:
            connections, self._connections = self._connections, {}
            for connection in connections.values():
                await connection.close()

    async def _ask(self, connection: Connection, request: ModelRequest) -> Answer:
        retrying = AsyncRetrying(
            retry=retry_if_exception(lambda error: isinstance(error, GatewayError) and error.retryable),
            stop=stop_after_attempt(self._attempts),
            wait=self._wait,
            retry_error_callback=_raise_exhausted,
        )
        answer: Answer = await retrying(connection.ask, request, self._timeout)
        return answer

    async def _connection(self, name: str) -> Connection:
        async with self._opening:
            if name not in self._connections:
                # The first import of the model layer takes seconds, too long for the event loop.
                connection = await asyncio.to_thread(_make_connection, name)
                await connection.open()
                self._connections[name] = connection
            return self._connections[name]


def _make_connection(name: str) -> Connection:
    from supervisor.models.client import make_connection

    return make_connection(name)


class RetryWait(wait_base):
    """Seconds before the next attempt: exponential growth from `first` to `longest` with full jitter.

    Where the provider named a `retry_after` (seconds), that is used up to a minute, plus a little jitter so that
    sessions that were refused at the same time do not retry at the same time.
    """

    def __init__(self, first: timedelta, longest: timedelta) -> None:
        self._growing = wait_random_exponential(multiplier=first.total_seconds(), max=longest)
        self._jitter = wait_random(0, first.total_seconds())

    def __call__(self, retry_state: RetryCallState) -> float:
        error = retry_state.outcome.exception() if retry_state.outcome else None
        told = error.retry_after if isinstance(error, GatewayError) else None
        if told is None:
            return self._growing(retry_state)
        return min(told, LONGEST_RETRY_AFTER.total_seconds()) + self._jitter(retry_state)


def _raise_exhausted(retry_state: RetryCallState) -> NoReturn:
    """Raise the last error with the number of attempts added to its message."""
    assert retry_state.outcome is not None
    error = retry_state.outcome.exception()
    assert isinstance(error, GatewayError)
    attempts = retry_state.attempt_number
    tried = "once" if attempts == 1 else f"{attempts} times"
    raise GatewayError(
        error.kind,
        f"{error} I tried {tried}; please try again later.",
        retryable=True,
        retry_after=error.retry_after,
    ) from error
