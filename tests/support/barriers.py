"""Holds two processes at one moment, so that each has read what is there before the other writes."""

from __future__ import annotations

import asyncio
from typing import Any


def hold(owner: Any, method: str, both: asyncio.Barrier) -> None:
    """The owner's next call of this method begins when the other's does."""
    begin = getattr(type(owner), method).__get__(owner)

    async def held(*arguments: Any, **options: Any) -> Any:
        setattr(owner, method, begin)
        await both.wait()
        return await begin(*arguments, **options)

    setattr(owner, method, held)
