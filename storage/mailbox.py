"""Keeps signals for a while, each delivery of a sender once, so that a session that begins to wait later finds them."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from redis.asyncio import Redis

from storage import keys
from storage.connection import durable, reaching_store
from storage.scripts import mail
from storage.scripts.mail import Kept

MIB = 1024 * 1024


@dataclass(frozen=True)
class Limits:
    """The most items and bytes of all mailboxes together, of one sender in all of them, and of one signal."""

    items: int = 10_000
    size: int = 64 * MIB
    sender_items: int = 1_000
    sender_size: int = 16 * MIB
    signal_items: int = 100
    signal_size: int = 8 * MIB


@dataclass(frozen=True)
class Delivery:
    """One delivery of a signal: the same sender and id are the same delivery."""

    signal: str
    sender: str
    id: str

    @property
    def mark(self) -> str:
        return _short(f"{self.signal}\n{self.sender}\n{self.id}")


class Mailbox:
    """Opaque items by signal, the newest last. What would exceed a limit is not taken; nothing is dropped for it."""

    def __init__(self, redis: Redis, limits: Limits = Limits()) -> None:
        self._redis, self._limits = redis, limits

    async def keep(self, delivery: Delivery, item: bytes, *, ttl: timedelta, seen_for: timedelta) -> Kept:
        """Keep an item for `ttl`: `kept`; `seen` where the delivery came within `seen_for`; `full` at a limit."""
        most = self._limits
        with reaching_store():
            return await mail.keep(
                durable(self._redis),
                delivery.signal,
                delivery.mark,
                item=item,
                row=_row(delivery, item),
                ttl=max(int(ttl.total_seconds()), 1),
                seen_for=max(int(seen_for.total_seconds()), 1),
                limits=(
                    *(most.items, most.size),
                    *(most.sender_items, most.sender_size),
                    *(most.signal_items, most.signal_size),
                ),
            )

    async def mark(self, delivery: Delivery, seen_for: timedelta) -> bool:
        """Remember a delivery of which nothing is kept. Returns False where it came before."""
        with reaching_store():
            seconds = max(int(seen_for.total_seconds()), 1)
            return bool(
                await durable(self._redis).set(keys.mailbox_seen(delivery.mark), b"1", ex=seconds, nx=True)
            )

    async def items(self, signal: str) -> list[bytes]:
        with reaching_store():
            rows: Any = await self._redis.lrange(keys.mailbox(signal), 0, -1)
        return list(rows)

    async def remove(self, delivery: Delivery, item: bytes) -> bool:
        """Remove an item. Returns False where it was removed before."""
        with reaching_store():
            return await mail.remove(self._redis, delivery.signal, item=item, row=_row(delivery, item))


def _row(delivery: Delivery, item: bytes) -> str:
    return f"{len(item)} {_short(delivery.sender)} {delivery.mark} {delivery.signal}"


def _short(text: str) -> str:
    return hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()[:32]
