"""What runs in a session at this moment: its calls, since when, and what they printed last.

When a call began is in the log. What it printed last is not: it is kept in the store for as long as the call runs, and
whoever reads it does without where it is missing.
"""

from __future__ import annotations

import asyncio
import json
import logging
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, suppress
from datetime import UTC, datetime, timedelta

from storage.change_feed import RunningStore
from storage.connection import end
from storage.errors import StorageError
from supervisor.core.records import RunningCall
from supervisor.core.state import Call, Session
from supervisor.core.text.masking import Masker
from supervisor.core.text.tail import last_lines

# Seconds between two looks at what a call prints, and after which its row is renewed though nothing changed.
LOOK_SECONDS, RENEW_SECONDS = 1.0, 10.0
KEPT = timedelta(seconds=30)
# Bytes of output that are kept: more than a private key has, so that the mask sees where one begins.
KEPT_BYTES = 16 * 1024
# The part of a processor that all looks together may take: the more calls print, the more rarely each is looked at.
SHARE = 0.05
_log = logging.getLogger("flagman.tools")


class RunningCalls:
    """Publishes what running calls print, and reads it."""

    def __init__(self, store: RunningStore, mask: Masker) -> None:
        self._store, self._mask = store, mask
        # How many calls are published by this process.
        self._printing = 0

    async def of(self, session: Session) -> tuple[RunningCall, ...]:
        """Return what runs in a session, with the last lines where the store has them."""
        found = running(session)
        # A call that has just begun has published nothing.
        before = datetime.now(UTC) - timedelta(seconds=LOOK_SECONDS)
        if not any(call.call_id and call.since <= before for call in found):
            return found
        printed: dict[str, str] = {}
        try:
            rows = await self._store.of(session.id)
        except StorageError as error:
            _log.info("session %s: what its calls print is not known: %s", session.id, error)
            rows = {}
        for call in session.calls_in("started"):
            row = json.loads(rows.get(call.call_id, b"{}"))
            if row.get("attempt") == call.attempt:
                printed[call.call_id] = str(row["lines"])
        return tuple(
            call.model_copy(update={"lines": printed.get(call.call_id, "")}) if call.call_id else call
            for call in found
        )

    @asynccontextmanager
    async def publish(self, session_id: str, call: Call) -> AsyncIterator[Callable[[bytes], None]]:
        """Publish the end of what is given to the yielded function, as long as the block lasts."""
        printed = _Printed()
        publishing: list[asyncio.Task[None]] = []
        # Most calls end before there is anything to publish.
        beginning = asyncio.get_running_loop().call_later(
            LOOK_SECONDS,
            lambda: publishing.append(asyncio.create_task(self._publish(session_id, call, printed))),
        )
        self._printing += 1
        try:
            yield printed.add
        finally:
            self._printing -= 1
            beginning.cancel()
            await end(publishing)
            if printed.published:
                with suppress(StorageError):
                    await self._store.remove(session_id, call.call_id)

    async def _publish(self, session_id: str, call: Call, printed: _Printed) -> None:
        shown: str | None = None
        took = 0.0
        while True:
            begun, lines = time.monotonic(), shown
            if lines is None or printed.changed:
                lines = last_lines(printed.text(), self._mask)
            took, printed.changed = time.monotonic() - begun, False
            if lines != shown or time.monotonic() - printed.published >= RENEW_SECONDS:
                row = json.dumps({"attempt": call.attempt, "lines": lines}).encode()
                printed.published = time.monotonic()
                try:
                    await self._store.put(session_id, call.call_id, row, KEPT)
                    shown = lines
                except StorageError as error:
                    _log.info("session %s: what a call prints is not published: %s", session_id, error)
            await asyncio.sleep(max(LOOK_SECONDS, took * self._printing / SHARE))


class _Printed:
    """The end of the output of one call; `published` is the monotonic time of its last row, 0 where there is none."""

    def __init__(self) -> None:
        self.changed, self.published = False, 0.0
        self._end = bytearray()

    def add(self, data: bytes) -> None:
        self._end += data
        del self._end[:-KEPT_BYTES]
        self.changed = True

    def text(self) -> str:
        return self._end.decode(errors="replace")


def running(session: Session) -> tuple[RunningCall, ...]:
    """Return the calls that run by the log, or the model's turn; nothing for a session that waits or has ended."""
    if session.ended:
        return ()
    calls = tuple(
        RunningCall(call_id=call.call_id, tool=call.call.tool, since=call.started_at or session.changed_at)
        for call in session.calls_in("started")
    )
    if calls or session.waiting_for is not None:
        return calls
    return (RunningCall(since=session.changed_at),)
