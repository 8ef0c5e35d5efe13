"""Who follows a session hears when it changes: one subscription a process, held only while somebody follows."""

from __future__ import annotations

import asyncio
import logging
from collections import defaultdict
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from storage.changed import ChangeFeed
from storage.errors import StorageError

# A message may be missed; whoever follows looks again after this long at the latest.
LOOK_AGAIN_SECONDS = 4.0
_AWAY_SECONDS = 0.5
_log = logging.getLogger("flagman.api")


class Live:
    """`closing` tells those who follow that the process ends."""

    def __init__(self, feed: ChangeFeed) -> None:
        self._feed = feed
        self._followers: dict[str, set[asyncio.Event]] = defaultdict(set)
        self._listening: asyncio.Task[None] | None = None
        self.closing = False

    @contextmanager
    def following(self, session_id: str) -> Iterator[asyncio.Event]:
        """An event that is set whenever the session may have changed; clear it before you look."""
        changed = asyncio.Event()
        self._followers[session_id].add(changed)
        if self._listening is None:
            self._listening = asyncio.create_task(self._listen())
        try:
            yield changed
        finally:
            self._followers[session_id].discard(changed)
            if not self._followers[session_id]:
                del self._followers[session_id]
            if not self._followers and self._listening:
                self._listening.cancel()
                self._listening = None

    @property
    def followers(self) -> int:
        return sum(len(events) for events in self._followers.values())

    async def close(self, *_: Any) -> None:
        """Let everybody who follows end."""
        self.closing = True
        self._tell_all()

    async def pause(self, changed: asyncio.Event, seconds: float) -> None:
        """Until it changes, at most so long."""
        try:
            async with asyncio.timeout(max(0.0, min(seconds, LOOK_AGAIN_SECONDS))):
                await changed.wait()
        except TimeoutError:
            pass

    def _tell_all(self) -> None:
        for events in self._followers.values():
            for changed in events:
                changed.set()

    async def _listen(self) -> None:
        while True:
            try:
                async with self._feed.listen() as ids:
                    # What changed before the subscription stood was not heard.
                    self._tell_all()
                    async for session_id in ids:
                        for changed in self._followers.get(session_id, ()):
                            changed.set()
            except StorageError as error:
                _log.warning("%s", error)
            await asyncio.sleep(_AWAY_SECONDS)
