"""Sets keys aside that hold another type of value than Flagman stores under their name, so that work can go on."""

from __future__ import annotations

import logging
from collections.abc import Mapping

from redis.asyncio import Redis
from redis.exceptions import ResponseError

from storage import keys
from storage.connection import reaching_store, together

_log = logging.getLogger("flagman.store")


async def set_aside(redis: Redis, types: Mapping[str, str]) -> int:
    """Rename each of these keys whose value has another type than the one given; returns how many.

    What is missing afterwards is restored from the logs of the sessions, as after any loss. Raises StoreUnavailable.
    """
    with reaching_store():
        kinds = await together(redis.type(name) for name in types)
    found = {name: kind.decode() for name, kind in zip(types, kinds, strict=True)}
    wrong = [name for name, kind in found.items() if kind not in (types[name], "none")]
    for name in wrong:
        aside = keys.damaged(name)
        try:
            with reaching_store():
                await redis.rename(name, aside)
        except ResponseError:
            # Another process was quicker.
            continue
        _log.error(
            "%s holds a %s in place of a %s; it is set aside as %s", name, found[name], types[name], aside
        )
    return len(wrong)
