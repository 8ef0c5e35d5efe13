"""Delivers webhooks, events and due times to the sessions that wait for them.

A webhook or event that no session waits for is kept for a while.
"""

from __future__ import annotations

import logging
from collections.abc import AsyncIterator, Awaitable, Callable
from datetime import timedelta
from typing import Any, Literal

from pydantic import BaseModel

from storage.keys import TimerKey
from storage.log import LogStore, Row
from storage.mailbox import Delivery, Mailbox
from supervisor.core.conditions import Connected, OnEvent, Webhook
from supervisor.core.digest import digest
from supervisor.core.errors import FlagmanError, LimitReached
from supervisor.core.events import Actor
from supervisor.core.events.base import SYSTEM, workspace_of
from supervisor.core.state import Session
from supervisor.core.text.sanitize import clean
from supervisor.core.triggers import Delivered, Signal, connection_name
from supervisor.service import Supervisor

SEEN_FOR = timedelta(days=1)
# Sessions of an index that are read at once.
PAGE = 1000
SignalKind = Literal["webhook", "event"]
IsConnected = Callable[[str, str], Awaitable[bool]]
_log = logging.getLogger("flagman.signals")


class StoredSignal(BaseModel):
    """A signal in the mailbox; `id` distinguishes signals of one sender with equal data."""

    id: str
    data: Any = None
    sender: Actor


async def _nothing_connected(server: str, person: str) -> bool:
    return False


class SignalRouter:
    """Delivers signals. One that no session waits for is kept for the duration `keep`.

    `is_connected` returns whether a person has connected a server.
    """

    def __init__(
        self,
        supervisor: Supervisor,
        log: LogStore,
        mailbox: Mailbox,
        *,
        keep: timedelta = timedelta(hours=1),
        is_connected: IsConnected = _nothing_connected,
    ) -> None:
        self._supervisor, self._log, self._is_connected = supervisor, log, is_connected
        self._mailbox, self._keep = mailbox, keep

    async def deliver(
        self,
        kind: SignalKind,
        name: str,
        delivery_id: str,
        data: Any,
        actor: Actor,
        *,
        seen_for: timedelta = SEEN_FOR,
    ) -> Delivered:
        """Deliver a webhook or event.

        It is stored before the waiting sessions are looked up, so that a crash does not lose it and a session that
        begins to wait later finds it. The same `delivery_id` of the same sender again does nothing for `seen_for`.
        Raises LimitReached where no session takes it and too much is kept already.
        """
        delivery = Delivery(f"{kind}:{name}", actor.id, delivery_id)
        item = StoredSignal(id=delivery_id, data=clean(data), sender=actor)
        kept = item.model_dump_json(exclude_defaults=True).encode()
        outcome = await self._mailbox.keep(delivery, kept, ttl=self._keep, seen_for=seen_for)
        if outcome == "seen" and kept not in await self._mailbox.items(delivery.signal):
            return Delivered([], repeated=True)
        resumed = await self._resume_all(_signal(kind, name, item), actor)
        if outcome == "full":
            if not resumed:
                raise LimitReached(
                    f"Too much is kept for sessions that do not wait yet, so this {kind} is not; send it again later."
                )
            await self._mailbox.mark(delivery, seen_for)
        elif resumed:
            await self._mailbox.remove(delivery, kept)
        return Delivered(resumed, repeated=outcome == "seen")

    async def ignore(
        self, kind: SignalKind, name: str, delivery_id: str, actor: Actor, *, seen_for: timedelta = SEEN_FOR
    ) -> Delivered:
        """Take a delivery that resumes no session, now or when it is repeated."""
        first = await self._mailbox.mark(Delivery(f"{kind}:{name}", actor.id, delivery_id), seen_for)
        return Delivered([], repeated=not first)

    async def _resume_all(self, signal: Signal, actor: Actor) -> list[str]:
        index, workspace = f"{signal.kind}:{signal.name}", await self._workspace(actor)
        resumed: list[str] = []
        async for session_id in self._waiting(index):
            try:
                if workspace is not None and not await self._is_of(session_id, workspace):
                    continue
                if await self._supervisor.wake(session_id, signal, actor):
                    resumed.append(session_id)
            except FlagmanError as error:
                _log.warning("%s: session %s was not resumed: %s", index, session_id, error)
        return resumed

    async def _workspace(self, sender: Actor) -> str | None:
        """The workspace whose sessions a sender may wake: of people and agents their own; None for all.

        Webhooks, and programs with a key of nobody, send to whoever waits.
        """
        kind, _, session_id = sender.id.partition(":")
        if kind != "agent":
            return sender.workspace
        try:
            return workspace_of((await self._supervisor.get(session_id)).origin)
        except FlagmanError as error:
            _log.warning(
                "the workspace of %s is not known, so it wakes those of the first one: %s", sender.id, error
            )
            return ""

    async def _is_of(self, session_id: str, workspace: str) -> bool:
        return workspace_of((await self._supervisor.get(session_id)).origin) == workspace

    async def _waiting(self, index: str) -> AsyncIterator[str]:
        """Yield the sessions that wait for a signal, all of them."""
        last: Row | None = None
        while rows := await self._log.index(index, after=last, limit=PAGE):
            last = rows[-1]
            for session_id, _ in rows:
                yield session_id

    async def connected(self, server: str, actor: Actor) -> list[str]:
        """Resume the sessions that wait until a person connects a server; returns their ids."""
        return await self._resume_all(Signal("connection", connection_name(server, actor.person)), actor)

    async def tell_refused(self, kind: SignalKind, name: str, most_bytes: int) -> None:
        """Tell the sessions that wait for a signal that one was refused, since it has more than `most_bytes`.

        Call it only for signals of authenticated senders. A session is told once in ten minutes.
        """
        actor = Actor(id=f"{kind}:{name}")
        async for session_id in self._waiting(f"{kind}:{name}"):
            try:
                await self._supervisor.note_refusal(session_id, Signal(kind, name), most_bytes, actor)
            except FlagmanError as error:
                _log.warning("%s:%s: session %s was not told: %s", kind, name, session_id, error)

    async def catch_up(self, session: Session) -> bool:
        """Resume a session that has just begun to wait by a signal that came before. Returns whether there was one."""
        for _, condition in session.waits:
            kind: SignalKind
            if isinstance(condition, Connected):
                if await self._is_connected(condition.server, condition.person):
                    name = connection_name(condition.server, condition.person)
                    return await self._supervisor.wake(session.id, Signal("connection", name), SYSTEM)
                continue
            if isinstance(condition, Webhook):
                kind, name = "webhook", condition.name
            elif isinstance(condition, OnEvent):
                kind, name = "event", condition.event
            else:
                continue
            for item in await self._mailbox.items(f"{kind}:{name}"):
                kept = StoredSignal.model_validate_json(item)
                if await self._workspace(kept.sender) not in (None, workspace_of(session.origin)):
                    continue
                signal = _signal(kind, name, kept)
                if await self._supervisor.wake(session.id, signal, kept.sender):
                    await self._mailbox.remove(Delivery(f"{kind}:{name}", kept.sender.id, kept.id), item)
                    return True
        return False

    async def fire(self, timer: TimerKey) -> bool:
        """Fire a due timer of a session. Returns False where the session no longer has that timer."""
        clock = Actor(id="clock")
        if timer.name.startswith("p"):
            return await self._supervisor.wake(timer.owner, Signal("cron", timer.name), clock)
        if timer.name.startswith(("a", "g")):
            return await self._supervisor.pass_deadlines(timer.owner, timer.name, clock)
        return await self._supervisor.fire_timer(timer.owner, timer.name, clock)


def _signal(kind: SignalKind, name: str, kept: StoredSignal) -> Signal:
    return Signal(kind, name, kept.data, delivery=digest([kind, name, kept.sender.id, kept.id])[:20])
