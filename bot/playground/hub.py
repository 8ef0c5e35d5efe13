"""Publishing of events to open pages, limited to what each person may see."""

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
    """One published event; an audience of None means all people."""

    number: int
    kind: str
    body: Json
    audience: frozenset[str] | None

    def concerns(self, user: str | None) -> bool:
        """Return whether the user may see this event."""
        return self.audience is None or user in self.audience


class Hub:
    """The most recent events and the queues of all listeners."""

    def __init__(self) -> None:
        # Numbers start at 1 in each run, so the epoch tells the ids of different runs apart.
        self.epoch = secrets.token_hex(3)
        self._count = 0
        self._recent: deque[News] = deque(maxlen=KEPT)
        self._listeners: set[asyncio.Queue[News | None]] = set()

    def publish(self, kind: str, body: Json, audience: frozenset[str] | None = None) -> None:
        """Append an event and pass it to all listeners."""
        self._count += 1
        news = News(self._count, kind, body, audience)
        self._recent.append(news)
        for queue in self._listeners:
            queue.put_nowait(news)

    def since(self, last_id: str) -> list[News] | None:
        """Return the events after an id, or None if older ones are no longer kept."""
        epoch, _, number = last_id.partition("-")
        if epoch != self.epoch or not number.isdigit() or int(number) > self._count:
            return None
        oldest = self._recent[0].number if self._recent else self._count + 1
        if int(number) + 1 < oldest:
            return None
        return [news for news in self._recent if news.number > int(number)]

    @contextmanager
    def listen(self) -> Iterator["asyncio.Queue[News | None]"]:
        """Yield a queue of all events from now on; None marks the end."""
        queue: asyncio.Queue[News | None] = asyncio.Queue()
        self._listeners.add(queue)
        try:
            yield queue
        finally:
            self._listeners.discard(queue)

    def close(self) -> None:
        """Signal the end to all listeners."""
        for queue in self._listeners:
            queue.put_nowait(None)
