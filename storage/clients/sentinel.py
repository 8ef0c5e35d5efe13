"""Connections to the primary that Sentinels name, which each connection asks for anew."""

from __future__ import annotations

from typing import Any

from redis.asyncio.sentinel import (
    Sentinel,
    SentinelConnectionPool,
    SentinelManagedConnection,
    SentinelManagedSSLConnection,
)

from storage.clients.address import Address


class SentinelPool(SentinelConnectionPool):
    """A pool whose connections lead to the primary; after a promotion, the next ones lead to the new one."""

    def __init__(self, address: Address, limits: dict[str, Any], seconds: float) -> None:
        """`limits` are the options of its connections; a Sentinel has so many seconds for its answer."""
        options = {name: value for name, value in limits.items() if name != "connection_class"}
        of_sentinels = {
            "socket_connect_timeout": seconds,
            "socket_timeout": seconds,
            "protocol": options["protocol"],
            "driver_info": None,
            "maint_notifications_config": options["maint_notifications_config"],
            "retry": options["retry"],
            **({"ssl": True} if address.tls else {}),
            **(address.sentinel or {}),
        }
        self._sentinels = Sentinel(list(address.nodes), sentinel_kwargs=of_sentinels)  # type: ignore[no-untyped-call]
        kind = SentinelManagedSSLConnection if address.tls else SentinelManagedConnection
        super().__init__(address.service, self._sentinels, connection_class=kind, **options)  # type: ignore[no-untyped-call]

    async def disconnect(self, inuse_connections: bool = True) -> None:
        await super().disconnect(inuse_connections)
        if inuse_connections:
            for sentinel in self._sentinels.sentinels:
                await sentinel.aclose()
