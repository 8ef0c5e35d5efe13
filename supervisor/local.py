"""The way to a Flagman in this process: the client's interface on a supervisor."""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import AsyncIterator, Callable, Iterator, Sequence
from contextlib import contextmanager
from datetime import datetime, timedelta
from typing import Any, Literal

from storage.errors import StorageError
from supervisor.client import (
    PauseState,
    Pausing,
    ProposedCall,
    ReminderState,
    SessionEvent,
    SessionState,
    Unavailable,
)
from supervisor.core.conditions import parse_condition
from supervisor.core.errors import IllegalEvent
from supervisor.core.events import Actor, Trigger, encode
from supervisor.core.session import Call, Session
from supervisor.supervisor import Supervisor
from supervisor.tokens import ResumeTokens

LOOK = timedelta(milliseconds=100)


class Local:
    """A Backend. `actor` is who acts; `tokens` gives out resume tokens, without it `pause` gives none."""

    def __init__(
        self,
        supervisor: Supervisor,
        actor: Actor,
        clock: Callable[[], datetime],
        tokens: ResumeTokens | None = None,
    ) -> None:
        self._supervisor, self._actor = supervisor, actor
        self._clock, self._tokens = clock, tokens

    async def launch(
        self, persona: str, task: str, *, context: str, channel: str | None, idempotency_key: str | None
    ) -> SessionState:
        with _store_may_be_away():
            session = await self._supervisor.launch(
                persona,
                f"{task}\n\n{context}" if context else task,
                self._actor,
                origin={"slack": {"channel": channel}} if channel else None,
                idempotency_key=f"{self._actor.id}:{idempotency_key}" if idempotency_key else None,
            )
        return state_of(session)

    async def get(self, session_id: str) -> SessionState:
        with _store_may_be_away():
            return state_of(await self._supervisor.get(session_id))

    async def changed(self, session_id: str, version: int, patience: timedelta) -> SessionState:
        until = time.monotonic() + patience.total_seconds()
        while True:
            state = await self.get(session_id)
            if state.version > version or time.monotonic() >= until:
                return state
            await asyncio.sleep(LOOK.total_seconds())

    async def events(self, session_id: str, after: int) -> AsyncIterator[SessionEvent]:
        while True:
            with _store_may_be_away():
                session = await self._supervisor.get(session_id)
                facts = await self._supervisor.sessions.events(session_id)
            for version, fact in enumerate(facts[after:], start=after + 1):
                data = json.loads(encode(fact))
                for field in ("type", "v", "at", "by", "by_name"):
                    data.pop(field, None)
                yield SessionEvent(
                    version=version, type=fact.type, at=fact.at, by=fact.by, by_name=fact.by_name, data=data
                )
            after = max(after, len(facts))
            if session.ended:
                return
            while (await self.changed(session_id, after, timedelta(minutes=1))).version <= after:
                pass

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

    async def resume(self, session_id: str, trigger: Trigger, data: Any, context: str) -> SessionState:
        with _store_may_be_away():
            session = await self._supervisor.resume(
                session_id, self._actor, trigger=trigger, data=data, context=context
            )
        return state_of(session)

    async def cancel(self, session_id: str, reason: str) -> SessionState:
        with _store_may_be_away():
            return state_of(await self._supervisor.cancel(session_id, self._actor, reason=reason))

    async def decide(
        self,
        session_id: str,
        call_id: str,
        verdict: Literal["approve", "deny"],
        reason: str,
        digest: str | None,
    ) -> SessionState:
        with _store_may_be_away():
            session = await self._supervisor.decide(
                session_id,
                [call_id],
                verdict,
                self._actor,
                reason=reason,
                digests={call_id: digest} if digest else None,
            )
        return state_of(session)

    async def answer(self, session_id: str, call_id: str | None, answer: str) -> SessionState:
        with _store_may_be_away():
            if call_id is None:
                asking = (await self._supervisor.get(session_id)).calls_in("asking")
                if len(asking) != 1:
                    raise IllegalEvent(f"This session has {len(asking) or 'no'} open questions; name one.")
                call_id = asking[0].call_id
            return state_of(await self._supervisor.answer(session_id, call_id, answer, self._actor))

    async def tell(self, session_id: str, text: str) -> SessionState:
        with _store_may_be_away():
            session, _ = await self._supervisor.tell(session_id, text, self._actor, kind="api")
        return state_of(session)


@contextmanager
def _store_may_be_away() -> Iterator[None]:
    try:
        yield
    except StorageError as error:
        raise Unavailable(str(error)) from error


def state_of(session: Session) -> SessionState:
    """What a client sees of a session."""
    slack = session.origin.get("slack")
    return SessionState(
        id=session.id,
        status=session.status,
        waiting_for=session.waiting_for,
        version=session.version,
        persona=session.persona,
        task=session.task,
        channel=slack.get("channel") if isinstance(slack, dict) else None,
        launched_by=session.launched_by,
        launched_by_name=session.launched_by_name,
        launched_at=session.launched_at,
        changed_at=session.changed_at,
        pause=_pause(session),
        calls=[_call(call) for call in session.open_calls],
        reminders=[
            ReminderState(id=t.id, due=t.due, text=t.text) for t in session.timers if t.state == "set"
        ],
        steps=len(session.steps),
        said=session.steps[-1].text if session.steps else "",
        cost_usd=session.cost_usd,
        unpriced=session.unpriced,
        result=session.ending,
    )


def _pause(session: Session) -> PauseState | None:
    if session.pause is None:
        return None
    halt = session.halts[-1]
    conditions = [str(condition) for _, condition in session.waits]
    return PauseState(number=halt.number, reason=halt.reason, detail=halt.detail, conditions=conditions)


def _call(call: Call) -> ProposedCall:
    return ProposedCall(
        call_id=call.call_id,
        tool=call.call.tool,
        arguments=call.call.arguments,
        digest=call.call.digest,
        phase=call.phase,
        question=call.question,
        options=list(call.options),
    )
