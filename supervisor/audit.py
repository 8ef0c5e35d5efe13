"""Reads the decisions of all sessions out of their logs, one log at a time, and keeps the refusals that no log has."""

from __future__ import annotations

import heapq
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from typing import NamedTuple

from pydantic import ValidationError

from storage.audit import AuditStore
from storage.log import LogStore, Row
from supervisor.changes import Changes
from supervisor.core.audit.rows import AuditFilter, AuditRow, LogReading
from supervisor.core.audit.summary import AuditTotals, Summary, may_be_stamp
from supervisor.core.commands import conversation
from supervisor.core.errors import AlreadyEnded, LogUnreadable
from supervisor.core.events import Actor, decode
from supervisor.core.messages import Frozen
from supervisor.core.text.format import iso
from supervisor.core.text.sanitize import clean_text
from supervisor.delegations import Delegation, Delegations

# Events of a log, and sessions of an index, that are read at once.
EVENTS, SESSIONS = 500, 500
# The most logs that cannot be read and are named in one answer; the others are counted.
MOST_UNREADABLE = 100
_SHORT, _LONG = 200, 1000
# Whether the rows of a session may be read; the empty id stands for refusals that are about none.
MayRead = Callable[[str, str], Awaitable[bool]]
Key = tuple[datetime, str, int]


class Refusal(Frozen):
    """A refusal that no log records."""

    by: str
    by_name: str = ""
    by_owner: str = ""
    attempt: str
    problem: str
    session_id: str = ""
    call_id: str = ""


class Refusals:
    """Keeps the latest refusals of each actor, of the actors that were refused last."""

    def __init__(self, store: AuditStore) -> None:
        self._store = store

    async def record(
        self, actor: Actor, attempt: str, problem: str, session_id: str = "", call_id: str = ""
    ) -> None:
        """Store a refusal; the same attempt of an actor again, a short time later, is not stored."""
        row = Refusal(
            by=actor.id,
            by_name=clean_text(actor.name)[:80],
            by_owner=actor.owner,
            attempt=clean_text(attempt)[:_SHORT],
            problem=clean_text(problem)[:_LONG],
            session_id=session_id,
            call_id=call_id,
        )
        what = "|".join((row.attempt, session_id, call_id))
        await self._store.refuse(actor.id, what, row.model_dump_json(exclude_defaults=True).encode())

    async def rows(self) -> AsyncIterator[AuditRow]:
        """Yield them as rows of the audit; one of another shape, as of a newer Flagman, is left out."""
        async for number, at, stored in self._store.refusals():
            with suppress(ValidationError):
                found = Refusal.model_validate_json(stored)
                yield AuditRow(
                    at=datetime.fromtimestamp(at / 1000, UTC),
                    kind="refused",
                    version=number,
                    reason=found.problem,
                    **found.model_dump(exclude={"problem"}),
                )


class RefusalNotes:
    """Records refusals: in the log of the session that they are about, or `apart` where none has room for them.

    `unrecorded` counts those for which the log of a session had no room.
    """

    def __init__(self, change: Changes, apart: Refusals | None, clock: Callable[[], datetime]) -> None:
        self._change, self.apart, self._clock = change, apart, clock
        self.unrecorded = 0

    async def note(
        self, session_id: str, actor: Actor, attempt: str, problem: str, call_id: str = ""
    ) -> None:
        """Record that the actor was refused; apart where the log has no room for it or the session has ended."""
        with suppress(AlreadyEnded):
            change = await self._change(
                session_id, lambda s, at: conversation.refused(s, attempt, problem, call_id, actor, at)
            )
            self.unrecorded += not change.events and change.session.refused >= conversation.MOST_RECORDED
            if change.events or conversation.was_refused(change.session, attempt, actor, self._clock()):
                return
        await self.note_apart(actor, attempt, problem, session_id, call_id)

    async def note_apart(
        self, actor: Actor, attempt: str, problem: str, session_id: str = "", call_id: str = ""
    ) -> None:
        """Record a refusal that is about no session, or about one that the actor does not see."""
        if self.apart:
            await self.apart.record(actor, attempt, problem, session_id, call_id)


def _delegated(one: Delegation) -> Iterator[AuditRow]:
    """The rows of a delegation: who gave it, and who ended it before its time."""
    who = one.to_name or one.to
    said = f"{who} decides for {one.by_name or one.by} until {iso(one.until)}"
    number = 2 * int(one.id, 16)
    yield AuditRow(
        at=one.created_at,
        kind="delegate",
        by=one.by,
        by_name=one.by_name,
        session_id="",
        version=number,
        reason=f"{said}: {one.reason}" if one.reason else said,
    )
    if one.ended_at:
        yield AuditRow(
            at=one.ended_at,
            kind="undelegate",
            by=one.ended_by,
            session_id="",
            version=number + 1,
            reason=said,
        )


class AuditFound(NamedTuple):
    """A page, the key after which the next one begins, and the logs that cannot be read, of which there are `lost`."""

    rows: list[AuditRow]
    following: Key | None
    unreadable: list[LogUnreadable]
    lost: int


class Audit:
    """Reads all logs, one after the other."""

    def __init__(
        self, log: LogStore, store: AuditStore, refusals: Refusals, delegations: Delegations
    ) -> None:
        self._log, self._store = log, store
        self._refusals, self._delegations = refusals, delegations

    async def mark_opened(self, session_id: str, call_id: str, digest: str, actor: Actor) -> None:
        """Remember that a person opened a call in full."""
        await self._store.mark_opened(session_id, _mark(call_id, digest, actor.person))

    async def page(
        self, wanted: AuditFilter, may_read: MayRead, *, after: Key | None = None, limit: int
    ) -> AuditFound:
        """Return the newest rows that are wanted and older than `after`, which may be read.

        No more than `limit` rows and one log are held at once.
        """
        newest: list[tuple[Key, AuditRow]] = []
        reader = _Reader(self._log, self._apart, wanted, may_read)
        async for rows, latest in reader.logs():
            for row in rows:
                if after is None or row.key < after:
                    heapq.heappush(newest, (row.key, row))
                    if len(newest) > limit + 1:
                        heapq.heappop(newest)
            # All further sessions ended before `latest`.
            if latest and len(newest) > limit and newest[0][1].at > latest:
                break
        rows = [row for _, row in sorted(newest, reverse=True)]
        following = rows[limit - 1].key if len(rows) > limit else None
        return AuditFound(rows[:limit], following, reader.unreadable, reader.lost)

    async def _apart(self) -> AsyncIterator[AuditRow]:
        """What no log records: refusals, and delegations for as long as they are kept."""
        async for row in self._refusals.rows():
            yield row
        for one in await self._delegations.all():
            for row in _delegated(one):
                yield row

    async def summary(
        self, wanted: AuditFilter, may_read: MayRead
    ) -> tuple[AuditTotals, list[LogUnreadable], int]:
        """Return the totals of the rows that are wanted, and the logs that cannot be read with their number."""
        summary = Summary()
        reader = _Reader(self._log, self._apart, wanted, may_read)
        async for rows, _ in reader.logs():
            session_id = rows[0].session_id if rows else ""
            doubtful = session_id and any(map(may_be_stamp, rows))
            marks = await self._store.opened(session_id) if doubtful else frozenset()
            for row in rows:
                summary.add(row, opened=_mark(row.call_id, row.digest, row.person) in marks)
        return summary.totals(wanted.since, wanted.until), reader.unreadable, reader.lost


def _mark(call_id: str, digest: str, person: str) -> str:
    return f"{call_id} {digest[:20]} {person}"


class _Reader:
    def __init__(
        self,
        log: LogStore,
        apart: Callable[[], AsyncIterator[AuditRow]],
        wanted: AuditFilter,
        may_read: MayRead,
    ) -> None:
        self._log, self._apart, self._wanted, self._may_read = log, apart, wanted, may_read
        self.unreadable: list[LogUnreadable] = []
        self.lost = 0

    async def logs(self) -> AsyncIterator[tuple[list[AuditRow], datetime | None]]:
        """Yield the rows of each session, and the time after which none of the further ones has any, if that is known.

        What no log has comes first, row by row.
        """
        if self._wanted.kind in (None, "refused", "delegate", "undelegate"):
            async for row in self._apart():
                if self._wanted.takes(row) and await self._may_read(row.session_id, row.by):
                    yield [row], None
        async for session_id, latest in self._sessions():
            if latest and self._wanted.since and latest < self._wanted.since:
                return
            yield await self._rows(session_id), latest

    async def _sessions(self) -> AsyncIterator[tuple[str, datetime | None]]:
        if self._wanted.session_id:
            yield self._wanted.session_id, None
            return
        open_: set[str] = set()
        # One that goes on while the paused ones are read is among the running ones then.
        for index in ("running", "paused", "running"):
            async for session_id, _ in self._index(index):
                if session_id not in open_:
                    open_.add(session_id)
                    yield session_id, None
        async for session_id, score in self._index("ended"):
            if session_id not in open_:
                yield session_id, datetime.fromtimestamp(score / 1000, UTC) + timedelta(milliseconds=1)

    async def _index(self, name: str) -> AsyncIterator[Row]:
        after: Row | None = None
        while rows := await self._log.index(name, after=after, limit=SESSIONS):
            for row in rows:
                yield row
            after = rows[-1]

    async def _rows(self, session_id: str) -> list[AuditRow]:
        """The rows of a session that are wanted and may be read; those before a place that cannot be read, too."""
        reading, position = LogReading(session_id), 0
        problem: LogUnreadable | None = None
        try:
            while events := await self._log.read(session_id, position, position + EVENTS - 1):
                for data in events:
                    reading.read(decode(session_id, position, data))
                    position += 1
        except LogUnreadable as unreadable:
            problem = unreadable
        except ValueError:
            # It is no id of a session.
            return []
        rows = [row for row in reading.rows if self._wanted.takes(row)]
        if (rows or problem) and not await self._may_read(session_id, ""):
            return []
        if problem:
            self.lost += 1
            self.unreadable += [problem] if self.lost <= MOST_UNREADABLE else []
        return rows
