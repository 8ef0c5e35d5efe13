"""Delivers webhooks, events and due times to the sessions that wait for them.

A webhook or event that no session waits for is kept for a while.
"""

from __future__ import annotations

import logging
from datetime import timedelta
from typing import Any, Literal

from pydantic import BaseModel

from storage.keys import TimerKey
from storage.log import LogStore
from storage.mailbox import Mailbox
from supervisor.core.conditions import OnEvent, Webhook
from supervisor.core.digest import digest
from supervisor.core.errors import FlagmanError
from supervisor.core.events import Actor
from supervisor.core.state import Session
from supervisor.core.text.sanitize import clean
from supervisor.core.triggers import Signal
from supervisor.service import Supervisor

SEEN_FOR = timedelta(days=1)
MOST_WAITING = 1000
_log = logging.getLogger("flagman.signals")


class StoredSignal(BaseModel):
    """A signal in the mailbox; `id` distinguishes signals with equal data."""

    id: str
    data: Any = None


class SignalRouter:
    """Delivers signals. One that no session waits for is kept for the duration `keep`."""

    def __init__(
        self,
        supervisor: Supervisor,
        log: LogStore,
        mailbox: Mailbox,
        *,
        keep: timedelta = timedelta(hours=1),
    ) -> None:
        self._supervisor, self._log = supervisor, log
        self._mailbox, self._keep = mailbox, keep

    async def deliver(
        self, kind: Literal["webhook", "event"], name: str, delivery_id: str, data: Any, actor: Actor
    ) -> list[str]:
        """Deliver a webhook or event and return the ids of the sessions that it resumed.

        It is stored before the waiting sessions are looked up, so that a crash does not lose it and a session that
        begins to wait later finds it. The same `delivery_id` again does nothing.
        """
        signal, data = f"{kind}:{name}", clean(data)
        item = StoredSignal(id=delivery_id, data=data)
        kept = item.model_dump_json().encode()
        first = await self._mailbox.keep(signal, delivery_id, kept, ttl=self._keep, seen_for=SEEN_FOR)
        if not first and kept not in await self._mailbox.items(signal):
            return []
        resumed = await self._resume_all(_signal(kind, name, item), actor)
        if resumed:
            await self._mailbox.remove(signal, kept)
        return resumed

    async def _resume_all(self, signal: Signal, actor: Actor) -> list[str]:
        resumed: list[str] = []
        index = f"{signal.kind}:{signal.name}"
        for session_id, _ in await self._log.index(index, limit=MOST_WAITING):
            try:
                if await self._supervisor.wake(session_id, signal, actor):
                    resumed.append(session_id)
            except FlagmanError as error:
                _log.warning("%s: session %s was not resumed: %s", index, session_id, error)
        return resumed

    async def tell_refused(self, kind: Literal["webhook", "event"], name: str, most_bytes: int) -> None:
        """Tell every session that waits for it that one came and was refused, as it has more than `most_bytes`.

        Only for what is known to be from who may send it. A session is told once in ten minutes.
        """
        actor = Actor(id=f"{kind}:{name}")
        for session_id, _ in await self._log.index(f"{kind}:{name}", limit=MOST_WAITING):
            try:
                await self._supervisor.note_refusal(session_id, Signal(kind, name), most_bytes, actor)
            except FlagmanError as error:
                _log.warning("%s:%s: session %s was not told: %s", kind, name, session_id, error)

    async def catch_up(self, session: Session) -> bool:
        """Resume a session that has just begun to wait by a signal that came before. Returns whether there was one."""
        for _, condition in session.waits:
            kind: Literal["webhook", "event"]
            if isinstance(condition, Webhook):
                kind, name = "webhook", condition.name
            elif isinstance(condition, OnEvent):
                kind, name = "event", condition.event
            else:
                continue
            for item in await self._mailbox.items(f"{kind}:{name}"):
                kept = StoredSignal.model_validate_json(item)
                signal = _signal(kind, name, kept)
                if await self._supervisor.wake(session.id, signal, Actor(id=f"{kind}:{name}")):
                    await self._mailbox.remove(f"{kind}:{name}", item)
                    return True
        return False

    async def fire(self, timer: TimerKey) -> bool:
        """Fire a due timer of a session. Returns False where the session no longer has that timer."""
        clock = Actor(id="clock")
        if timer.name.startswith("p"):
            return await self._supervisor.wake(timer.owner, Signal("cron", timer.name), clock)
        return await self._supervisor.fire_timer(timer.owner, timer.name, clock)


def _signal(kind: Literal["webhook", "event"], name: str, kept: StoredSignal) -> Signal:
    return Signal(kind, name, kept.data, delivery=digest([kind, name, kept.id])[:20])
