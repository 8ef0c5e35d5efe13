"""The way to a Flagman in this process: the client's interface on a supervisor."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Callable, Iterator, Sequence
from contextlib import contextmanager
from datetime import datetime, timedelta
from typing import Any, Literal

from bot.sdk.backend import ChildVerdict
from handlers.origin import Place, channel_of
from storage.errors import StorageError
from supervisor.artifacts import Artifacts
from supervisor.core.conditions import parse_condition
from supervisor.core.errors import IllegalEvent, Unavailable
from supervisor.core.events import Actor, Trigger
from supervisor.core.messages import Json
from supervisor.core.state import Session
from supervisor.core.subagents import AtWork, Until, needs_of, reached
from supervisor.resume_tokens import ResumeTokens
from supervisor.service import Supervisor
from supervisor.session_log.restore import Restoring
from supervisor.subagents import at_work
from supervisor.view_models import ArtifactState, Pausing, SessionEvent, SessionState
from supervisor.views import state_of

LOOK = timedelta(milliseconds=100)


class Local:
    """A Backend. `actor` is who acts; `tokens` gives out resume tokens, without it `pause` gives none."""

    def __init__(
        self,
        supervisor: Supervisor,
        actor: Actor,
        clock: Callable[[], datetime],
        artifacts: Artifacts,
        restoring: Restoring,
        tokens: ResumeTokens | None = None,
    ) -> None:
        self._supervisor, self._actor = supervisor, actor
        self._clock, self._artifacts, self._tokens = clock, artifacts, tokens
        self._restoring = restoring

    async def launch(
        self,
        persona: str,
        task: str,
        *,
        context: str,
        channel: str | None,
        idempotency_key: str | None,
        coordinate: bool | Json = False,
    ) -> SessionState:
        with _store_may_be_away():
            session = await self._supervisor.launch(
                persona,
                f"{task}\n\n{context}" if context else task,
                self._actor,
                origin=_origin(channel),
                coordinate=coordinate is not False,
                plan=coordinate if isinstance(coordinate, dict) else None,
                idempotency_key=self._own(idempotency_key),
            )
            return await self._seen(session)

    async def fork(
        self,
        session_id: str,
        *,
        step: int | None,
        message: str,
        channel: str | None,
        idempotency_key: str | None,
    ) -> SessionState:
        with _store_may_be_away():
            session = await self._supervisor.fork(
                session_id,
                self._actor,
                step=step,
                message=message,
                origin=_origin(channel),
                idempotency_key=self._own(idempotency_key),
            )
            return await self._seen(session)

    def _own(self, key: str | None) -> str | None:
        # Each actor has its own: nobody finds another's session by guessing.
        return f"{self._actor.id}:{key}" if key else None

    async def _seen(self, session: Session) -> SessionState:
        return self._state(session, await at_work(self._supervisor.sessions, session))

    def _state(self, session: Session, family: AtWork) -> SessionState:
        return state_of(session, family, self._clock(), channel_of(session.origin) or None)

    async def get(self, session_id: str) -> SessionState:
        with _store_may_be_away():
            return await self._seen(await self._supervisor.get(session_id))

    async def wait(self, session_id: str, until: Until, patience: timedelta) -> SessionState:
        end = time.monotonic() + patience.total_seconds()
        while True:
            with _store_may_be_away():
                session = await self._supervisor.get(session_id)
                family = await at_work(self._supervisor.sessions, session)
            if reached(session, needs_of(session, family), until) or time.monotonic() >= end:
                return self._state(session, family)
            await asyncio.sleep(LOOK.total_seconds())

    async def events(self, session_id: str, after: int) -> AsyncIterator[SessionEvent]:
        while True:
            with _store_may_be_away():
                session = await self._supervisor.get(session_id)
                new = session.version > after
                facts = await self._supervisor.sessions.events(session_id) if new else []
            for version, fact in enumerate(facts[after:], start=after + 1):
                yield SessionEvent.of(version, fact)
            after = max(after, len(facts))
            if session.ended:
                return
            if not new:
                await asyncio.sleep(LOOK.total_seconds())

    async def pause(self, session_id: str, reason: str, conditions: Sequence[str], zone: str) -> Pausing:
        parsed = [parse_condition(text, now=self._clock(), zone=zone) for text in conditions]
        with _store_may_be_away():
            session = await self._supervisor.pause(session_id, self._actor, conditions=parsed, detail=reason)
        token, expires = self._tokens.give(session) if self._tokens else ("", None)
        return Pausing(
            status=session.status,
            session_id=session.id,
            resume_token=token,
            expires_at=expires,
            conditions=[str(condition) for condition in parsed],
        )

    async def resume(
        self, session_id: str, trigger: Trigger, data: Any, context: str, compact: bool = False
    ) -> SessionState:
        with _store_may_be_away():
            session = await self._supervisor.resume(
                session_id, self._actor, trigger=trigger, data=data, context=context, compact=compact
            )
            return await self._seen(session)

    async def cancel(self, session_id: str, reason: str) -> SessionState:
        with _store_may_be_away():
            return await self._seen(await self._supervisor.cancel(session_id, self._actor, reason=reason))

    async def decide(
        self,
        session_id: str,
        call_id: str,
        verdict: Literal["approve", "deny"],
        reason: str,
        digest: str | None,
        arguments: Json | None = None,
    ) -> SessionState:
        with _store_may_be_away():
            if arguments is not None:
                session = await self._supervisor.edit(
                    session_id, call_id, arguments, self._actor, expected_digest=digest or ""
                )
            else:
                digests = {call_id: digest} if digest else None
                session = await self._supervisor.decide(
                    session_id, [call_id], verdict, self._actor, reason=reason, expected_digests=digests
                )
            return await self._seen(session)

    async def decide_child(self, session_id: str, child_id: str, verdict: ChildVerdict) -> SessionState:
        with _store_may_be_away():
            session = await self._supervisor.decide_child(session_id, child_id, verdict, self._actor)
            return await self._seen(session)

    async def answer(self, session_id: str, call_id: str | None, answer: str) -> SessionState:
        with _store_may_be_away():
            if call_id is None:
                asking = (await self._supervisor.get(session_id)).calls_in("asking")
                if len(asking) != 1:
                    raise IllegalEvent(f"This session has {len(asking) or 'no'} open questions; name one.")
                call_id = asking[0].call_id
            return await self._seen(await self._supervisor.answer(session_id, call_id, answer, self._actor))

    async def tell(self, session_id: str, text: str) -> SessionState:
        with _store_may_be_away():
            session, _ = await self._supervisor.tell(session_id, text, self._actor, kind="api")
            return await self._seen(session)

    async def restore(self, document: bytes) -> SessionState:
        with _store_may_be_away():
            return await self._seen(await self._restoring.restore(document, self._actor))

    async def artifacts(self, session_id: str) -> list[ArtifactState]:
        with _store_may_be_away():
            session = await self._supervisor.get(session_id)
        return [ArtifactState(path=a.path, size=a.size) for a in self._artifacts.list(session)]

    async def artifact(self, session_id: str, path: str) -> bytes:
        with _store_may_be_away():
            session = await self._supervisor.get(session_id)
        return await self._artifacts.read(session, path)


def _origin(channel: str | None) -> Json | None:
    return Place(channel).origin() if channel else None


@contextmanager
def _store_may_be_away() -> Iterator[None]:
    try:
        yield
    except StorageError as error:
        raise Unavailable(str(error)) from error
