"""Tells open pages what happened, each person only what they may see."""

import asyncio
import secrets
from collections import deque
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from bot.playground.store import Json

KEPT = 2000


@dataclass(frozen=True)
class News:
    """One happening; an audience of None is everybody."""

    number: int
    kind: str
    body: Json
    audience: frozenset[str] | None

    def concerns(self, user: str | None) -> bool:
        """Whether that person may see it."""
        return self.audience is None or user in self.audience


class Hub:
    """A ring of recent news and the queues of those who listen."""

    def __init__(self) -> None:
        # Another run counts from one again: its ids must not be mistaken for those of this one.
        self.epoch = secrets.token_hex(3)
        self._count = 0
        self._recent: deque[News] = deque(maxlen=KEPT)
        self._listeners: set[asyncio.Queue[News | None]] = set()

    def publish(self, kind: str, body: Json, audience: frozenset[str] | None = None) -> None:
        """Tell everybody concerned."""
        self._count += 1
        news = News(self._count, kind, body, audience)
        self._recent.append(news)
        for queue in self._listeners:
            queue.put_nowait(news)

    def since(self, last_id: str) -> list[News] | None:
        """What came after an id, or None if too much was missed to tell."""
        epoch, _, number = last_id.partition("-")
        if epoch != self.epoch or not number.isdigit() or int(number) > self._count:
            return None
        oldest = self._recent[0].number if self._recent else self._count + 1
        if int(number) + 1 < oldest:
            return None
        return [news for news in self._recent if news.number > int(number)]

    @contextmanager
    def listen(self) -> Iterator["asyncio.Queue[News | None]"]:
        """A queue of all news from now on; None is the end."""
        queue: asyncio.Queue[News | None] = asyncio.Queue()
        self._listeners.add(queue)
        try:
            yield queue
        finally:
            self._listeners.discard(queue)

    def close(self) -> None:
        """Send all listeners home."""
        for queue in self._listeners:
            queue.put_nowait(None)
