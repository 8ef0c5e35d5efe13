"""Notifies followers of changed sessions, by one subscription in a process while there are followers."""

from __future__ import annotations

import asyncio
import logging
from collections import defaultdict
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from typing import Any

from storage.change_feed import ChangeFeed
from storage.errors import StorageError

# Seconds after which a follower reads again, since a message of the feed may be missed.
LOOK_AGAIN_SECONDS = 4.0
_AWAY_SECONDS = 0.5
_log = logging.getLogger("flagman.contract")


Waiting = defaultdict[str, set[asyncio.Event]]


class Subscription:
    """The sessions of one follower. `changed` is set when one of them may have changed; clear it before reading."""

    def __init__(self, followers: Waiting) -> None:
        self.changed = asyncio.Event()
        self._followers, self._ids = followers, set[str]()

    def add(self, ids: Iterable[str]) -> bool:
        """Follow these sessions, too. Returns whether one of them was not followed yet."""
        new = set(ids) - self._ids
        for session_id in new:
            self._followers[session_id].add(self.changed)
        self._ids |= new
        return bool(new)

    def leave(self) -> None:
        for session_id in self._ids:
            self._followers[session_id].discard(self.changed)
            if not self._followers[session_id]:
                del self._followers[session_id]


class Followers:
    """All followers of this process; `closing` is set when the process ends."""

    def __init__(self, feed: ChangeFeed) -> None:
        self._feed = feed
        self._followers: Waiting = defaultdict(set)
        self._listening: asyncio.Task[None] | None = None
        self.closing = False

    @contextmanager
    def follow(self, session_id: str) -> Iterator[Subscription]:
        """A subscription to this session, to which others can be added; it ends with the block."""
        subscription = Subscription(self._followers)
        subscription.add([session_id])
        if self._listening is None:
            self._listening = asyncio.create_task(self._listen())
        try:
            yield subscription
        finally:
            subscription.leave()
            if not self._followers and self._listening:
                self._listening.cancel()
                self._listening = None

    @property
    def followers(self) -> int:
        return len(set[asyncio.Event]().union(*self._followers.values()))

    async def close(self, *_: Any) -> None:
        """Wake all followers so that they end, and listen no more, also for one that is never asked again."""
        self.closing = True
        self._tell_all()
        if self._listening:
            self._listening.cancel()
            self._listening = None

    async def pause(self, subscription: Subscription, seconds: float | None = None) -> None:
        """Wait until a session of the subscription changes, for at most `seconds`."""
        try:
            async with asyncio.timeout(max(0.0, min(seconds or LOOK_AGAIN_SECONDS, LOOK_AGAIN_SECONDS))):
                await subscription.changed.wait()
        except TimeoutError:
            pass

    def _tell_all(self) -> None:
        for events in self._followers.values():
            for changed in events:
                changed.set()

    async def _listen(self) -> None:
        while True:
            try:
                async with self._feed.subscribe() as changes:
                    # Changes from before the subscription began were not received.
                    self._tell_all()
                    async for session_ids in changes:
                        for session_id in session_ids:
                            for changed in self._followers.get(session_id, ()):
                                changed.set()
            except StorageError as error:
                _log.warning("%s", error)
            await asyncio.sleep(_AWAY_SECONDS)
