"""The gateway to real models: one connection per model name, and the retries."""

from __future__ import annotations

import asyncio
import time
from datetime import timedelta
from typing import TYPE_CHECKING

from supervisor.core.errors import GatewayError
from supervisor.core.messages import ModelReply, ModelRequest
from supervisor.models.backoff import Backoff

if TYPE_CHECKING:
    from supervisor.models.client import Connection
    from supervisor.models.messages import Answer


class ProviderGateway:
    """Answers with the model that a request names, or `default_model` (`provider:name`).

    `timeout` bounds one attempt; up to `attempts` are made, `first_delay` and `max_delay` apart with jitter.
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
        self._backoff = Backoff(first_delay, max_delay)
        self._connections: dict[str, Connection] = {}
        self._opening = asyncio.Lock()

    @property
    def description(self) -> str:
        return self._default_model

    async def check(self, model: str | None = None) -> None:
        """Raise GatewayError (misconfigured) if the name or its key is unusable; makes no call."""
        await self._connection(model or self._default_model)

    async def reply(self, request: ModelRequest) -> ModelReply:
        """Ask, again where that helps. `duration_ms` includes the waiting. Raises GatewayError."""
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
        )

    async def close(self) -> None:
        async with self._opening:
            connections, self._connections = self._connections, {}
            for connection in connections.values():
                await connection.close()

    async def _ask(self, connection: Connection, request: ModelRequest) -> Answer:
        failures = 0
        while True:
            try:
                return await connection.ask(request, self._timeout)
            except GatewayError as error:
                failures += 1
                if not error.retryable:
                    raise
                if failures >= self._attempts:
                    raise _exhaustion(error, failures) from error
                wait = self._backoff.wait(failures, error.retry_after)
            await asyncio.sleep(wait)

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


def _exhaustion(error: GatewayError, attempts: int) -> GatewayError:
    tried = "once" if attempts == 1 else f"{attempts} times"
    return GatewayError(
        error.kind,
        f"{error} I tried {tried}; please try again later.",
        retryable=True,
        retry_after=error.retry_after,
    )
