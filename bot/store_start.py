"""Starts the embedded store, and checks that a store answers and keeps what it is given."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from storage.connection import wait_ready
from storage.embedded_server import EmbeddedServer
from storage.errors import StoreUnavailable
from storage.health import eviction
from supervisor.core.errors import InvalidInput

STORE_PATIENCE = timedelta(seconds=10)


async def start_server(server: EmbeddedServer) -> str:
    """Start the server and return its address. Raises InvalidInput where its folder cannot be used."""
    try:
        await server.start()
    except OSError as error:
        raise InvalidInput(f"FLAGMAN_DATA: {server.folder} cannot be used ({error.strerror}).") from error
    return server.url


async def check_answer(redis: Any) -> None:
    """Raise InvalidInput where the store does not answer, or throws keys away."""
    try:
        await wait_ready(redis, STORE_PATIENCE)
        policy = await eviction(redis)
    except StoreUnavailable as error:
        seconds = STORE_PATIENCE.total_seconds()
        raise InvalidInput(f"REDIS_URL: no answer within {seconds:g} s ({error.detail}).") from error
    if policy:
        raise InvalidInput(
            f"REDIS_URL: this store throws keys away when its memory is full (maxmemory-policy {policy}), and "
            "sessions with them; set its maxmemory-policy to noeviction."
        )
