"""The part of the service that reads: views, pages, events, files and SESSION_LOGs of the sessions an actor sees."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncGenerator
from datetime import timedelta
from typing import Literal

from storage.log import Row
from supervisor.contract import pagination
from supervisor.contract.access import Access
from supervisor.contract.inbox import OpenRequest, open_requests
from supervisor.contract.models import (
    ArtifactView,
    EventPage,
    EventView,
    PersonaView,
    SessionPage,
    SessionView,
    Status,
    UnreadableView,
)
from supervisor.contract.parts import ServiceParts
from supervisor.contract.views import event_view, persona_views, session_view
from supervisor.core.errors import FlagmanError, LogUnreadable
from supervisor.core.events import Actor, decode
from supervisor.core.rights import is_apart
from supervisor.core.state import Session
from supervisor.core.subagents import ActiveSubagents, Until, is_reached, needs_of
from supervisor.effects import index_of

EVENTS_AT_ONCE = 100
# How many sessions are looked at for each one that is listed.
LOOKED_AT = 10
# How many sessions of other workspaces are passed over for one list.
MOST_PASSED = 2000
# Seconds after which the rights of a follower are looked at again.
RIGHTS_SECONDS = 15.0
Index = Literal["all", "running", "paused", "ended"]
_log = logging.getLogger("flagman.contract")


class SessionReader:
    """Reads sessions on behalf of `actor`. Methods raise FlagmanError or StorageError."""

    def __init__(self, parts: ServiceParts, actor: Actor, *, may_decide: bool = True) -> None:
        """`may_decide` is False for an actor whose key has not the scope to decide on calls."""
        self.actor, self._parts, self._may_decide = actor, parts, may_decide
        self._supervisor = parts.supervisor
        self.access = Access(parts, actor)

    async def load(self, session_id: str) -> Session:
        """The session, which the actor sees. Raises SessionNotFound."""
        return (await self.access.reader(session_id)).session

    async def personas(self) -> list[PersonaView]:
        """All personas by name, and then the files that cannot be used."""
        return await persona_views(self._supervisor.personas)

    async def recent(self, index: Index = "all", *, limit: int = 20) -> list[Session]:
        """The newest sessions of an index that the actor sees and that can be read."""
        return [found for found in await self.listed(index, limit=limit) if isinstance(found, Session)]

    async def listed(self, index: Index = "all", *, limit: int = 20) -> list[Session | LogUnreadable]:
        """As `recent`, with the reason in place of a session that cannot be read, for those who would see it."""
        found: list[Session | LogUnreadable] = []
        async for session_id, session in self._newest(index, limit * LOOKED_AT):
            if isinstance(session, LogUnreadable):
                found += [session] if await self.access.sees_unreadable(session_id) else []
            else:
                found += [session] if await self.access.sees(session) else []
            if len(found) == limit:
                break
        return found

    async def _newest(self, index: Index, most: int) -> AsyncGenerator[tuple[str, Session | LogUnreadable]]:
        """Yield the newest sessions of an index, `most` of the actor's workspace.

        The index of the first one has those of all, of which others are passed over.
        """
        last: Row | None = None
        left, passed, name = most, 0, index_of(index, self.actor.workspace or "")
        while left and passed < MOST_PASSED:
            if not (rows := await self._parts.log.index(name, after=last, limit=left)):
                return
            for row in rows:
                last, (session_id, _) = row, row
                session: Session | LogUnreadable
                try:
                    session = await self._supervisor.get(session_id)
                except LogUnreadable as error:
                    _log.error("%s", error)
                    session = error
                except FlagmanError as error:
                    _log.error("%s", error)
                    left -= 1
                    continue
                if isinstance(session, Session) and is_apart(self.actor, session.origin):
                    passed += 1
                    continue
                left -= 1
                yield session_id, session

    async def inbox(self, *, limit: int = 50) -> list[OpenRequest]:
        """What the actor may decide on in the newest sessions that wait, also in those that it does not see."""
        found: list[OpenRequest] = []
        async for _, session in self._newest("paused", limit):
            if isinstance(session, Session):
                found += await open_requests(self.access, session)
        return found

    async def get(self, session_id: str) -> SessionView:
        return await self.view(await self.load(session_id))

    async def page(
        self,
        *,
        status: Status | None = None,
        persona: str | None = None,
        parent: str | None = None,
        cursor: str | None = None,
        limit: int = 20,
    ) -> SessionPage:
        """A page of sessions, the newest first, filtered as given. Raises SessionNotFound for an unknown `parent`."""
        if parent is not None:
            await self.load(parent)
        found = await pagination.page(
            self._parts.log,
            self._supervisor.sessions,
            self.access.sees,
            status=status,
            persona=persona,
            parent=parent,
            cursor=cursor,
            limit=limit,
            workspace=self.actor.workspace or "",
        )
        views = await asyncio.gather(*(self.view(session) for session in found.sessions))
        lost = [
            UnreadableView(id=error.session_id, problem=str(error))
            for error in found.unreadable
            if await self.access.sees_unreadable(error.session_id)
        ]
        return SessionPage(sessions=views, next=found.following, unreadable=lost)

    async def view(self, session: Session) -> SessionView:
        """The present view of the session with its sub-agents."""
        subagents = await self._supervisor.sessions.active_subagents(session)
        return await self._view(session, subagents)

    async def _view(self, session: Session, subagents: ActiveSubagents) -> SessionView:
        running, link = await asyncio.gather(self._parts.running.of(session), self._parts.link_of(session))
        return session_view(session, subagents, self._parts.clock(), self._parts.channels, running, link)

    async def wait(
        self,
        session_id: str,
        until: Until | Literal["changed"] = "person",
        *,
        patience: timedelta = timedelta(seconds=30),
        version: int = 0,
    ) -> SessionView:
        """The session once it has reached the state `until`, or as it is after `patience` seconds.

        The state `changed` means: newer than `version`. Changes come from the change feed; nothing polls.
        """
        await self.load(session_id)
        loop, followers = asyncio.get_running_loop(), self._parts.followers
        end = loop.time() + patience.total_seconds()
        with followers.follow(session_id) as followed:
            while True:
                followed.changed.clear()
                session = await self._supervisor.get(session_id)
                subagents = await self._supervisor.sessions.active_subagents(session)
                so_far = (
                    session.version > version
                    if until == "changed"
                    else is_reached(session, needs_of(session, subagents), until)
                )
                left = end - loop.time()
                if so_far or left <= 0 or followers.closing:
                    break
                # A sub-agent that was not followed before may have changed in the meantime.
                if not followed.add(subagents):
                    await followers.pause(followed, left)
        # The right may have ended meanwhile; each Access reads a group once.
        await Access(self._parts, self.actor).reader(session_id)
        return await self._view(session, subagents)

    async def events(self, session_id: str, *, after: int = 0, limit: int = EVENTS_AT_ONCE) -> EventPage:
        """A page of the log, beginning after its first `after` events."""
        return await self._events(await self.load(session_id), after, limit)

    async def _events(self, session: Session, after: int, limit: int = EVENTS_AT_ONCE) -> EventPage:
        session_id = session.id
        rows = await self._parts.log.read(session_id, after, after + limit - 1)
        events = [event_view(n + 1, decode(session_id, n, data)) for n, data in enumerate(rows, start=after)]
        last = after + len(events)
        return EventPage(events=events, next=last if last < session.version else None)

    async def follow(
        self, session_id: str, *, after: int = 0, heartbeat: float | None = None
    ) -> AsyncGenerator[EventView | None]:
        """The events after the first `after`, then each new one, until the session has ended.

        Yields None after `heartbeat` seconds without an event; without `heartbeat` it never does. Ends with
        SessionNotFound or NotAllowed once the actor has no right to read the session any more.
        """
        session = await self.load(session_id)
        loop, followers = asyncio.get_running_loop(), self._parts.followers
        with followers.follow(session_id) as followed:
            heard = checked = loop.time()
            while not followers.closing:
                followed.changed.clear()
                if loop.time() - checked >= RIGHTS_SECONDS:
                    # Each Access reads a group once.
                    await Access(self._parts, self.actor).reader(session_id)
                    checked = loop.time()
                session = await self._supervisor.get(session_id)
                found = (await self._events(session, after)).events
                for event in found:
                    yield event
                    after, heard = event.version, loop.time()
                if found:
                    continue
                if session.ended and after >= session.version:
                    return
                if heartbeat is not None and loop.time() - heard >= heartbeat:
                    yield None
                    heard = loop.time()
                await followers.pause(followed, heartbeat)

    async def artifacts(self, session_id: str) -> list[ArtifactView]:
        """The files that the session wrote, in the order of their last writing."""
        session = await self.load(session_id)
        found = await asyncio.to_thread(self._parts.artifacts.list, session)
        return [ArtifactView(path=a.path, size=a.size, removed=a.removed) for a in found]

    async def artifact(self, session_id: str, path: str) -> bytes:
        """The content of one of its files. Raises ArtifactNotFound or ArtifactTooLarge."""
        return await self._parts.artifacts.read(await self.load(session_id), path)

    async def session_log(self, session_id: str) -> str:
        """The SESSION_LOG of the session at its present version."""
        await self.load(session_id)
        return (await self._parts.documents.of(session_id)).text
