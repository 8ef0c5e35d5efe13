"""Writes the SESSION_LOG of each session that changes, in the background.

It learns of changes from the change feed and uses a limited share of one processor, so that load delays the files and
not the sessions.
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections import deque
from typing import Self

from storage.change_feed import ChangeFeed
from storage.connection import end
from storage.errors import StorageError
from storage.log import LogStore, Row
from supervisor.core.errors import FlagmanError, SessionNotFound
from supervisor.session_log.directory import LogFolder
from supervisor.session_log.export import Documents

# Seconds between two writes of a running session; one that pauses or ends is written at once.
EVERY = 2.0
# Seconds between two checks whether a session that was just written has paused or ended.
LOOK = 0.1
# The part of the time that writing may take, and the credit in seconds that can be saved up. On a busy machine each
# file takes longer, which delays the next one.
SHARE, AHEAD = 0.1, 0.5
# Seconds from the start until sessions are compared with their files, seconds between two pages, and sessions a page.
CATCH_UP_AFTER, CATCH_UP_PAUSE, PAGE = 3.0, 0.25, 200
RETRY = 10.0
FLUSH = 5.0
_RESTING = (
    *("Paused", "ApprovalRequested", "QuestionAsked", "InputRequested", "OutcomeLost"),
    "ChildLaunched",
    *("Completed", "Failed", "Cancelled", "SessionRestored"),
)
_log = logging.getLogger("flagman.recorder")


class Recorder:
    """`async with Recorder(…):` writes until the block ends. While another process owns the folder, it waits."""

    def __init__(self, documents: Documents, log: LogStore, feed: ChangeFeed, folder: LogFolder) -> None:
        self._documents, self._log, self._feed, self._folder = documents, log, feed, folder
        self._changed: dict[str, None] = {}
        self._looked_at: set[str] = set()
        self._written: dict[str, float] = {}
        self._behind: deque[str] = deque()
        self._something = asyncio.Event()
        self._credit, self._credited_at = AHEAD, time.monotonic()
        self._told_of_trouble = 0.0
        self._tasks: list[asyncio.Task[None]] = []

    async def __aenter__(self) -> Self:
        self._tasks = [asyncio.create_task(self._run())]
        return self

    async def __aexit__(self, *_: object) -> None:
        await end(self._tasks)
        self._folder.release()

    async def _run(self) -> None:
        await self._own()
        listening = asyncio.create_task(self._listen())
        writing = asyncio.create_task(self._write())
        try:
            await asyncio.gather(listening, writing)
        finally:
            await end([listening, writing])
            await self._flush()

    async def _own(self) -> None:
        while True:
            try:
                if await asyncio.to_thread(self._folder.own):
                    return
            except OSError as error:
                self._trouble(f"{self._folder.path} cannot be used ({error.strerror})")
            await asyncio.sleep(RETRY)

    # Which sessions are written

    async def _listen(self) -> None:
        while True:
            try:
                async with self._feed.subscribe(pause=LOOK) as changes:
                    # Changes from before the subscription began were not received.
                    catching_up = asyncio.create_task(self._catch_up())
                    try:
                        async for changed in changes:
                            self._hear(changed)
                    finally:
                        await end([catching_up])
            except StorageError as error:
                _log.info("%s", error)
            await asyncio.sleep(1)

    def _hear(self, session_ids: set[str]) -> None:
        self._changed.update(dict.fromkeys(session_ids))
        self._looked_at -= session_ids
        self._something.set()

    async def _catch_up(self) -> None:
        """Find sessions whose files are behind, page by page, and wait while a page of them is not yet written."""
        await asyncio.sleep(CATCH_UP_AFTER)
        last: Row | None = None
        while rows := await self._page(last):
            last = rows[-1]
            try:
                self._behind += await self._find_lagging([session_id for session_id, _ in rows])
            except StorageError:
                return
            except OSError as error:
                self._trouble(f"{self._folder.path} cannot be read ({error.strerror})")
            self._something.set()
            await asyncio.sleep(CATCH_UP_PAUSE)
            while len(self._behind) >= PAGE:  # noqa: ASYNC110  no event is set for it
                await asyncio.sleep(CATCH_UP_PAUSE)

    async def _page(self, last: Row | None) -> list[Row]:
        """Return a page of all sessions; empty after an error of the store, which also restarts `_listen`."""
        try:
            return await self._log.index("all", after=last, limit=PAGE)
        except StorageError:
            return []

    async def _find_lagging(self, session_ids: list[str]) -> list[str]:
        """Return the sessions whose file has fewer events than their log."""
        stored = await self._log.lengths(session_ids)
        written = await asyncio.to_thread(lambda: [self._folder.events_in(s) for s in session_ids])
        return [s for s, has, needs in zip(session_ids, written, stored, strict=True) if has < needs]

    # Writing

    async def _write(self) -> None:
        while True:
            await self._something.wait()
            try:
                session_id = await self._next()
                if session_id is None:
                    await asyncio.sleep(LOOK)
                    continue
                begun = time.monotonic()
                await self._record(session_id)
                self._spend(time.monotonic() - begun)
                await self._pace()
            except StorageError as error:
                _log.info("%s", error)
                await asyncio.sleep(1)
            except OSError as error:
                self._trouble(f"{self._folder.path} cannot be written ({error.strerror or error})")
                await asyncio.sleep(RETRY)

    async def _next(self) -> str | None:
        """Return the session to write now: the first that changed and is due, else one that is behind, else None."""
        recent = time.monotonic() - EVERY
        self._written = {s: at for s, at in self._written.items() if at > recent}
        for session_id in self._changed:
            if session_id not in self._written:
                return session_id
        unseen = [s for s in self._changed if s not in self._looked_at][:PAGE]
        if unseen:
            self._looked_at.update(unseen)
            last = await self._log.last_events(unseen)
            for session_id, event in zip(unseen, last, strict=True):
                if event.startswith(_HEADS):
                    self._written.pop(session_id, None)
                    return session_id
        if self._behind:
            return self._behind.popleft()
        if not self._changed:
            self._something.clear()
        return None

    async def _record(self, session_id: str) -> None:
        """Write the file of a session. Raises StorageError or OSError; then the session is to be written later."""
        heard = self._changed.pop(session_id, 0) is None
        try:
            document = await self._documents.of(session_id)
            await asyncio.to_thread(self._folder.save, session_id, document.text, document.events)
        except SessionNotFound:
            return
        except FlagmanError as error:
            _log.warning("no SESSION_LOG is written: %s", error)
            return
        except (StorageError, OSError, asyncio.CancelledError):
            # The session is put back before those that changed later.
            self._changed = {session_id: None, **self._changed} if heard else self._changed
            self._behind.extendleft([] if heard else [session_id])
            raise
        self._written[session_id] = time.monotonic()

    def _spend(self, seconds: float) -> None:
        now = time.monotonic()
        earned = (now - self._credited_at) * SHARE
        self._credit, self._credited_at = min(self._credit + earned, AHEAD) - seconds, now

    async def _pace(self) -> None:
        """Wait until the credit is no longer negative; let other tasks run in any case."""
        await asyncio.sleep(max(-self._credit / SHARE, 0))

    async def _flush(self) -> None:
        """Write changed sessions at the end, for at most `FLUSH` seconds; others are written after the next start."""
        until = time.monotonic() + FLUSH
        try:
            while self._changed and time.monotonic() < until:
                await self._record(next(iter(self._changed)))
        except (StorageError, OSError) as error:
            _log.info("SESSION_LOGs are written at the next start: %s", error)

    def _trouble(self, words: str) -> None:
        """Log a problem with the folder, at most once a minute."""
        if time.monotonic() - self._told_of_trouble > 60 or not self._told_of_trouble:
            self._told_of_trouble = time.monotonic()
            _log.warning("SESSION_LOGs: %s; trying again", words)


_HEADS = tuple(f'{{"type":"{name}",'.encode() for name in _RESTING)
