"""Loads sessions by folding their logs, and appends events at the version that was read."""

from __future__ import annotations

import asyncio
import logging
import secrets
from collections import OrderedDict
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime

from pydantic import TypeAdapter, ValidationError

from storage.errors import IdempotencyKeyKnown
from storage.keys import partition_of
from storage.log import CLAIM_TTL, Claim, Lease, LogStore, NewLog, StoredLog
from storage.retention.scripts import ARCHIVED
from storage.scripts.lua import NOTHING, Known
from supervisor.core.errors import IllegalEvent, LimitReached, LogUnreadable, SessionNotFound
from supervisor.core.events import Event, SessionForked, decode, encode
from supervisor.core.reducer import fold
from supervisor.core.state import Session
from supervisor.core.subagents import ActiveSubagents
from supervisor.effects import effects_of, launcher_of, open_of

SNAPSHOT_EVERY = 200
# The index of the open sessions whose logs cannot be read, which the sweeper keeps.
UNREADABLE = "unreadable"
_ALPHABET = "0123456789abcdefghjkmnpqrstvwxyz"
_TIMES = TypeAdapter(datetime)
_log = logging.getLogger("flagman.sessions")


def new_session_id(partition: int = 0) -> str:
    """Return a new id: 40 random bits as `xxxx-xxxx`, and the partition unless 0. An append refuses one in use."""
    letters = "".join(secrets.choice(_ALPHABET) for _ in range(8))
    return f"{letters[:4]}-{letters[4:]}" + (f"-{partition}" if partition else "")


def archive_name(session_id: str, ended: datetime) -> str:
    """Return the path of the SESSION_LOG of a session that was archived, below the folder of the data."""
    return f"archive/{ended.astimezone(UTC):%Y/%m}/{session_id}.md"


@dataclass(frozen=True)
class MostOpen:
    """How many sessions may be open, which is launched and not ended: of one person or key, and in all."""

    of_one: int = 1000
    of_all: int = 1_000_000


class Sessions:
    """Sessions of the log store, with a cache of `cached` sessions so that a load reads only new events."""

    def __init__(self, log: LogStore, *, cached: int = 256, most_open: MostOpen = MostOpen()) -> None:
        self._log, self._cached, self._most = log, cached, most_open
        self._folds: OrderedDict[str, Session] = OrderedDict()
        self._snapshots: dict[str, int] = {}
        self._unmarked: set[str] = set()

    def known(self, session_id: str) -> Known:
        """Return the events that need not be read, since the session is in the cache."""
        fold = self._folds.get(session_id)
        return self._known(fold) if fold else NOTHING

    def _known(self, session: Session) -> Known:
        unmarked = session.id in self._unmarked
        return Known(session.version, b"" if unmarked else _mark(session))

    def forget(self, session_id: str) -> None:
        """Drop the session from the cache."""
        self._folds.pop(session_id, None)
        self._snapshots.pop(session_id, None)

    async def load(self, session_id: str) -> Session:
        """Return the session at its stored version. Raises SessionNotFound, LogUnreadable or StoreUnavailable."""
        try:
            partition_of(session_id)
        except ValueError:
            raise SessionNotFound(session_id) from None
        return await self.absorb(session_id, await self._log.load(session_id, self.known(session_id)))

    async def beginning(self, session_id: str) -> Session | None:
        """The session after its launch, for a log that cannot be read further; None where there is no log.

        A copy counts as launched by who copied it, and asked for by those who had asked for its source. Raises
        LogUnreadable or StoreUnavailable.
        """
        rows = await self._log.read(session_id)
        if not rows:
            return None
        begun = fold(session_id, [decode(session_id, 0, rows[0])])
        for position, row in enumerate(rows[1:], start=1):
            with suppress(LogUnreadable):
                event = decode(session_id, position, row)
                if isinstance(event, SessionForked):
                    people = frozenset({*event.people, *event.requesters})
                    begun = begun.model_copy(update={"launched_by": event.by, "asked_by": people})
        return begun

    async def absorb(self, session_id: str, stored: StoredLog) -> Session:
        """Return the session after the events in `stored`. Raises as `load`."""
        if stored.length < stored.start:
            # The log is shorter than the cached session: it was lost, and perhaps restored from a document.
            return await self._anew(session_id)
        start = await self._base_state(session_id, stored)
        if start is None and stored.start:
            return await self._anew(session_id)
        if start is None and not stored.events:
            raise await self._not_found(session_id)
        position = start.version if start else 0
        # The cached session may be newer than the beginning of what was read.
        new = stored.events[position - stored.start :]
        events = [decode(session_id, position + n, data) for n, data in enumerate(new)]
        try:
            session = fold(session_id, events, start)
        except IllegalEvent as error:
            if start:
                # The cached session may come from a log that was lost and replaced.
                return await self._anew(session_id)
            raise LogUnreadable(session_id, f"its events contradict each other ({error}).") from error
        self._look_for_mark(session, new)
        return self._keep(session)

    async def _not_found(self, session_id: str) -> SessionNotFound:
        """The refusal for a session without a log, which says where one is that was archived."""
        error, ended = SessionNotFound(session_id), await self._log.score(ARCHIVED, session_id)
        if ended is not None:
            file = archive_name(session_id, datetime.fromtimestamp(ended / 1000, UTC))
            error.args = (
                f"Session `{session_id}` has ended and was archived as {file} in FLAGMAN_DATA; "
                "`flagman restore` with that file brings it back.",
            )
        return error

    def _look_for_mark(self, session: Session, new: Sequence[bytes]) -> None:
        """Remember where the last event writes its time in another way than `encode`, and so has no mark."""
        if new and _mark(session) not in new[-1]:
            self._unmarked.add(session.id)
        elif new:
            self._unmarked.discard(session.id)

    async def _anew(self, session_id: str) -> Session:
        """Return the session read again from its first event, without cache and snapshot."""
        self.forget(session_id)
        await self._log.drop_snapshot(session_id)
        events = await self._log.read(session_id)
        return await self.absorb(session_id, StoredLog(0, None, events, len(events)))

    async def _base_state(self, session_id: str, stored: StoredLog) -> Session | None:
        """Return the session that the read events continue, from the cache or a snapshot; None if neither is usable."""
        cached = self._folds.get(session_id)
        if cached and stored.start <= cached.version:
            return cached
        if stored.snapshot is None:
            return None
        restored = _restore(stored.snapshot)
        if restored is None:
            await self._log.drop_snapshot(session_id)
        return restored

    async def new_id(self, *, like: str = "", idempotency_key: str | None = None) -> str:
        """Return an id for a session that a person, a schedule or the API launches; it determines the partition.

        A fork is in the partition of `like`, the session that it is forked from. Raises IdempotencyKeyKnown where the
        key was used in another partition; in the same one, the append raises it. Raises StoreUnavailable.
        """
        here = partition_of(like) if like else None
        partitions, key = self._log.partitions, idempotency_key or ""
        # The claim itself is made a little later, so this has to last longer.
        chosen = await partitions.place(key, here=here, ttl=2 * CLAIM_TTL) if key or here is None else here
        if here is not None and chosen != here:
            if used := await self._log.claim_of(chosen, key):
                raise IdempotencyKeyKnown(used)
            chosen = here
        return new_session_id(chosen)

    async def check_room(self, session: Session, idempotency_key: str | None) -> None:
        """Raises LimitReached where as many sessions are open as may be, unless the key launched one before.

        Launches at the same moment may go over by their number.
        """
        own, running, paused = await asyncio.gather(
            *(self._log.count(name) for name in (open_of(launcher_of(session)), "running", "paused"))
        )
        if own < self._most.of_one and running + paused < self._most.of_all:
            return
        own, lost = await self._readable(open_of(launcher_of(session)), own)
        if own < self._most.of_one and running + paused - lost < self._most.of_all:
            return
        if idempotency_key and await self._log.claim_of(partition_of(session.id), idempotency_key):
            return
        whose, most = (
            ("You have", self._most.of_one) if own >= self._most.of_one else ("There are", self._most.of_all)
        )
        raise LimitReached(
            f"{whose} {most:,} sessions that have not ended, which is the most (FLAGMAN_MAX_SESSIONS); "
            "cancel some, or wait until they end."
        )

    async def _readable(self, index: str, size: int) -> tuple[int, int]:
        """How many sessions of an index can be read, and how many of all open ones cannot."""
        rows = await self._log.index(UNREADABLE, limit=await self._log.count(UNREADABLE))
        lost = {session_id for session_id, _ in rows}
        held = {session_id for session_id, _ in await self._log.index(index, limit=size)} if lost else set()
        return size - len(held & lost), len(lost)

    async def append(
        self,
        before: Session | None,
        after: Session,
        events: Sequence[Event],
        *,
        blobs: dict[str, bytes] | None = None,
        claim: Claim | None = None,
        new_logs: Sequence[NewLog] = (),
        lease: Lease | None = None,
        release: bool = False,
    ) -> bool:
        """Append `events`, which lead from `before` to `after`, and begin `new_logs` in the same step.

        Returns whether the lease was released with it. Raises VersionConflict, LeaseLost, IdempotencyKeyKnown or
        StoreUnavailable.
        """
        effects = effects_of(
            before, after, blobs=blobs, claim=claim, new_logs=new_logs, lease=lease, release=release
        )
        known = self._known(before) if before else NOTHING
        rows = [encode(e) for e in events]
        done = await self._log.append(after.id, known.version, rows, effects, mark=known.mark)
        self._look_for_mark(after, rows)
        self._keep(after)
        await self._snapshot(after)
        return done.released

    async def confirm(self, lease: Lease) -> bool:
        """Return whether the worker still holds the lease, which is then renewed. Raises StoreUnavailable."""
        return await self._log.confirm(lease)

    @staticmethod
    def new_log(session: Session, events: Sequence[Event]) -> NewLog:
        """Return the log of a new session, to be passed to `append` of the session that launches it."""
        return NewLog(session.id, [encode(e) for e in events], effects_of(None, session))

    async def holds(self, before: Session, after: Session, events: Sequence[Event]) -> bool:
        """Return whether an append without an answer took place: the log has exactly these events after `before`."""
        stored = await self._log.read(after.id, before.version, before.version + len(events) - 1)
        if stored != [encode(event) for event in events]:
            return False
        # It was found at the primary, and must be with as many replicas as an append.
        await self._log.confirm_written(after.id)
        self._keep(after)
        return True

    async def events(self, session_id: str) -> list[Event]:
        """Return all events of the session. Raises LogUnreadable."""
        return [decode(session_id, n, data) for n, data in enumerate(await self._log.read(session_id))]

    async def active_subagents(self, session: Session) -> ActiveSubagents:
        """Return all sub-agents by id, at any depth, that are not recorded as ended; unreadable ones are left out."""
        found: dict[str, Session] = {}
        level = [session]
        while level:
            ids = [child.id for one in level for child in one.running_children]
            loaded = await asyncio.gather(*(self._load_subagent(child_id) for child_id in ids))
            level = [child for child in loaded if child]
            found |= {child.id: child for child in level}
        return found

    async def _load_subagent(self, child_id: str) -> Session | None:
        try:
            return await self.load(child_id)
        except (SessionNotFound, LogUnreadable) as error:
            # The session that launched it records it as failed.
            _log.warning("%s", error)
            return None

    def _keep(self, session: Session) -> Session:
        self._folds[session.id] = session
        self._folds.move_to_end(session.id)
        while len(self._folds) > self._cached:
            gone, _ = self._folds.popitem(last=False)
            self._snapshots.pop(gone, None)
            self._unmarked.discard(gone)
        return session

    async def _snapshot(self, session: Session) -> None:
        if session.version - self._snapshots.get(session.id, 0) < SNAPSHOT_EVERY:
            return
        self._snapshots[session.id] = session.version
        await self._log.save_snapshot(session.id, self._known(session), session.model_dump_json().encode())


def _mark(session: Session) -> bytes:
    """Return the time of the last event of a session as `encode` writes it."""
    return b'"at":' + _TIMES.dump_json(session.changed_at)


def _restore(snapshot: bytes) -> Session | None:
    try:
        return Session.model_validate_json(snapshot)
    except ValidationError as error:
        _log.warning("a snapshot of another shape is dropped: %s", error.title)
        return None
