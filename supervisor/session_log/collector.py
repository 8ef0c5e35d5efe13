"""Takes sessions that ended long ago out of the store, once their SESSION_LOGs are in the archive.

It can be stopped at any point: the documents of a session and of its sub-agents are durable before anything of them is
removed, and each session is removed whole, at the version that was archived. What is left is found again.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import datetime

from storage.keys import TimerKey, partition_of
from storage.log import LogStore, Row
from storage.projections import ProjectionStore
from storage.retention.store import RetentionStore
from supervisor.core.errors import FlagmanError, LogUnreadable, SessionNotFound
from supervisor.core.events import decode
from supervisor.core.events.base import workspace_of
from supervisor.core.state import Session
from supervisor.effects import (
    GRANTING,
    TAKING_FILES,
    effects_of,
    index_of,
    launcher_of,
    open_of,
    unended_grants,
)
from supervisor.personas.library import PersonaLibrary
from supervisor.repository import UNREADABLE, Sessions
from supervisor.session_log.archive import Archive
from supervisor.session_log.export import Documents
from supervisor.session_log.leftovers import Leftovers

# Indexes in which a session can be beside those that follow from its state.
_INDEXES = ("all", "ended", "running", "paused", GRANTING, TAKING_FILES, UNREADABLE)
# How many sessions may be forked from others that have not begun.
_MOST_FORKS = 100_000
_log = logging.getLogger("flagman.retention")
# The place to which a row of a message has bound its session, or an empty string.
PlaceOf = Callable[[Session, bytes], str]


@dataclass
class Step:
    """What one step did: the sessions it archived, and those it left, with why; the next one goes on `after`."""

    archived: list[str] = field(default_factory=list)
    kept: dict[str, str] = field(default_factory=dict)
    after: Row | None = None


class Collector:
    """Each session is collected once, whoever else works; `finish` needs the turn of `RetentionStore`.

    Otherwise the number of sessions, by which it knows that none has begun, could be the same by chance.
    """

    def __init__(
        self,
        sessions: Sessions,
        log: LogStore,
        retention: RetentionStore,
        rows: ProjectionStore,
        personas: PersonaLibrary,
        documents: Documents,
        archive: Archive,
        leftovers: Leftovers,
        place_of: PlaceOf,
    ) -> None:
        self._sessions, self._log, self._retention, self._rows = sessions, log, retention, rows
        self._personas, self._documents, self._archive = personas, documents, archive
        self._leftovers, self._place_of = leftovers, place_of

    async def step(
        self, before: datetime, *, after: Row | None = None, limit: int = 50, dry_run: bool = False
    ) -> Step:
        """Collect sessions that ended before a time, of the next `limit` that are found; `dry_run` changes nothing.

        Raises StorageError, or OSError where the archive cannot be written.
        """
        found = await self._retention.oldest(before, after=after, limit=limit)
        done = Step(after=found[-1] if len(found) == limit else None)
        needed = await self._folders_needed() if found else set()
        for session_id, _ in found:
            try:
                await self._collect_family(session_id, before, needed, done, dry_run=dry_run)
            except SessionNotFound:
                continue
            except FlagmanError as error:
                done.kept[session_id] = str(error)
        return done

    async def finish(self) -> None:
        """Remove what collected sessions have left: personas, places and files. Raises StorageError."""
        await self._retention.unbind()
        await self._forget_personas()
        await self._leftovers.remove()

    async def _collect_family(
        self, session_id: str, before: datetime, needed: set[str], done: Step, *, dry_run: bool
    ) -> None:
        top = await self._sessions.load(session_id)
        if top.lineage and await self._log.length(top.lineage.root):
            # It goes together with the session that launched it.
            return
        family = await self._family(top)
        if why := _why_kept(family, before, needed):
            done.kept[session_id] = why
            return
        if not dry_run:
            for session in family:
                await self._archive_one(session)
            # Sub-agents go first, so that what is left of an interrupted step is found from the top again.
            for session in reversed(family):
                if problem := await self._remove(session):
                    done.kept[session_id] = problem
                    return
                done.archived.append(session.id)
            await self._retention.unbind()
        else:
            done.archived += [session.id for session in family]

    async def _family(self, top: Session) -> list[Session]:
        """Return a session and all its sub-agents, each after the one that launched it; those gone are left out."""
        found, waiting = [top], [top]
        while waiting:
            for child in waiting.pop().children:
                try:
                    session = await self._sessions.load(child.id)
                except SessionNotFound:
                    continue
                found.append(session)
                waiting.append(session)
        return found

    async def _archive_one(self, session: Session) -> None:
        document = await self._documents.of(session.id)
        await asyncio.to_thread(
            self._archive.save, session.id, session.changed_at, document.text, document.events
        )

    async def _remove(self, session: Session) -> str:
        """Remove a session from the store. Returns why it was not removed, or an empty string."""
        whole = effects_of(None, session)
        workspace = workspace_of(session.origin)
        parts = (index_of(name, workspace) for name in _INDEXES)
        indexes = dict.fromkeys((*_INDEXES, *parts, open_of(launcher_of(session)), *whole.indexes))
        timers = dict.fromkeys((*whole.timers, *(TimerKey(session.id, t.id) for t in session.timers)))
        rows = await self._rows.rows(session.id)
        places = dict.fromkeys(place for row in rows.values() if (place := self._place_of(session, row)))
        outcome = await self._retention.collect(
            session.id,
            session.version,
            session.changed_at,
            indexes=list(indexes),
            timers=list(timers),
            places=list(places),
        )
        self._sessions.forget(session.id)
        if outcome == "collected":
            _log.info("session %s was archived", session.id)
            return ""
        return "it was changed meanwhile" if outcome == "changed" else "a worker is at it"

    async def _folders_needed(self) -> set[str]:
        """The folders of which copies that have not ended may still take files."""
        rows = await self._log.index(TAKING_FILES, limit=_MOST_FORKS)
        needed: set[str] = set()
        for session_id, _ in rows:
            try:
                forked = (await self._sessions.load(session_id)).forked
            except (SessionNotFound, LogUnreadable):
                continue
            if forked and forked.files:
                needed.add(forked.files.folder)
        return needed

    async def _forget_personas(self) -> None:
        """Remove the personas with which no session is left, apart from those in use."""
        in_use = {persona.digest for persona in self._personas.all()}
        sizes, blobs = await self._retention.sizes(), await self._retention.blobs()
        if all(in_use.issuperset(digests) for digests in blobs):
            return
        named: set[tuple[int, str]] = set()
        async for page in self._retention.first_events():
            for session_id, event in page:
                try:
                    digest = getattr(decode(session_id, 0, event), "persona_digest", "")
                except LogUnreadable:
                    digest = ""
                if not digest:
                    # What such a session needs is not known.
                    return
                named.add((partition_of(session_id), digest))
        for partition, (size, digests) in enumerate(zip(sizes, blobs, strict=True)):
            unused = [d for d in digests if d not in in_use and (partition, d) not in named]
            if unused:
                await self._retention.forget_blobs(partition, unused, sessions=size)


def _why_kept(family: Sequence[Session], before: datetime, needed: set[str]) -> str:
    """Return why a family stays, or an empty string."""
    for session in family:
        if not session.ended:
            return f"its sub-agent {session.id} has not ended"
        if session.changed_at >= before:
            return f"{session.id} was changed later"
        if unended_grants(session):
            return "a grant of it still holds for other sessions"
        if session.folder in needed:
            return "a copy of it may still take its files"
    return ""
