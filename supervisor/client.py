"""Agents and sessions as a Python program handles them; the same whether Flagman runs here or elsewhere."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Sequence
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any, Literal, Protocol

from pydantic import BaseModel, ConfigDict, TypeAdapter

from supervisor.core.conversation import Json
from supervisor.core.errors import FlagmanError, InvalidInput
from supervisor.core.events import Event, PauseReason, Trigger
from supervisor.core.session import CallPhase

Until = Literal["person", "paused", "ended"]
ENDED = ("completed", "failed", "cancelled")
# What comes by itself; for anything else somebody has to act.
BY_ITSELF = ("external_dependency", "scheduled", "children_running")
LONG_POLL = timedelta(seconds=25)
AWAY_TRIES = 25
_FACTS: TypeAdapter[Event] = TypeAdapter(Event)


class Unavailable(FlagmanError):
    """Flagman, or its store, cannot be reached; what was asked for may or may not have happened."""

    code = "unavailable"
    status = 503


class _Seen(BaseModel):
    # A newer Flagman may say more; it is kept.
    model_config = ConfigDict(extra="allow", frozen=True)


class ProposedCall(_Seen):
    """A tool call without a result, or a question (then `question` says it)."""

    call_id: str
    tool: str
    arguments: Json | str
    digest: str
    phase: CallPhase
    question: str = ""
    options: list[str] = []


class PauseState(_Seen):
    number: int
    reason: PauseReason
    detail: str
    conditions: list[str]


class ReminderState(_Seen):
    id: str
    due: datetime
    text: str = ""


class SessionState(_Seen):
    """A session as it stood at `version`."""

    id: str
    status: str
    waiting_for: PauseReason | None
    version: int
    persona: str
    task: str
    channel: str | None = None
    launched_by: str
    launched_by_name: str
    launched_at: datetime
    changed_at: datetime
    pause: PauseState | None
    calls: list[ProposedCall]
    reminders: list[ReminderState] = []
    steps: int
    said: str = ""
    cost_usd: Decimal
    unpriced: bool = False
    result: str

    @property
    def ended(self) -> bool:
        return self.status in ENDED


class Pausing(_Seen):
    """`resume_token` resumes just this pause, once, without any other right."""

    status: str
    session_id: str
    resume_token: str
    expires_at: datetime | None = None
    conditions: list[str] = []


class SessionEvent(_Seen):
    """One fact of the log, numbered from 1; `data` has the fields of its type."""

    version: int
    type: str
    at: datetime
    by: str
    by_name: str = ""
    data: Json = {}

    def fact(self) -> Event:
        """It, typed. Raises ValueError for a type that this Flagman does not know."""
        who = {"at": self.at, "by": self.by, "by_name": self.by_name}
        return _FACTS.validate_python({**self.data, **who, "type": self.type})


class Backend(Protocol):
    """The way to a Flagman. Every method raises FlagmanError."""

    async def launch(
        self, persona: str, task: str, *, context: str, channel: str | None, idempotency_key: str | None
    ) -> SessionState: ...
    async def get(self, session_id: str) -> SessionState: ...
    async def changed(self, session_id: str, version: int, patience: timedelta) -> SessionState:
        """The session as soon as it is beyond `version`, or as it stands when `patience` is over."""
        ...

    def events(self, session_id: str, after: int) -> AsyncIterator[SessionEvent]:
        """Everything after the first `after` events, then what comes, until the session has ended."""
        ...

    async def pause(self, session_id: str, reason: str, conditions: Sequence[str], zone: str) -> Pausing: ...
    async def resume(self, session_id: str, trigger: Trigger, data: Any, context: str) -> SessionState: ...
    async def cancel(self, session_id: str, reason: str) -> SessionState: ...
    async def decide(
        self,
        session_id: str,
        call_id: str,
        verdict: Literal["approve", "deny"],
        reason: str,
        digest: str | None,
    ) -> SessionState: ...
    async def answer(self, session_id: str, call_id: str | None, answer: str) -> SessionState: ...
    async def tell(self, session_id: str, text: str) -> SessionState: ...


class Agent:
    """`session = await Agent("sre", backend).start(task="check the disk")`."""

    def __init__(self, persona: str, backend: Backend) -> None:
        self.persona, self.backend = persona, backend

    async def launch(
        self,
        task: str,
        *,
        context: str = "",
        channel: str | None = None,
        idempotency_key: str | None = None,
    ) -> SessionState:
        """A new session; the same key and request give the same session again."""
        return await self.backend.launch(
            self.persona, task, context=context, channel=channel, idempotency_key=idempotency_key
        )

    async def start(
        self,
        task: str,
        *,
        context: str = "",
        channel: str | None = None,
        idempotency_key: str | None = None,
    ) -> Session:
        """As `launch`, as a session that can be acted on."""
        state = await self.launch(task, context=context, channel=channel, idempotency_key=idempotency_key)
        return Session(self.backend, state)


class Session:
    """One session. Its properties are as of the last call of a method; `refresh` reads them again."""

    def __init__(self, backend: Backend, state: SessionState) -> None:
        self.backend, self.state = backend, state

    def __repr__(self) -> str:
        return f"<Session {self.id} {self.status}>"

    @property
    def id(self) -> str:
        return self.state.id

    @property
    def status(self) -> str:
        """`running`, `paused`, `completed`, `failed` or `cancelled`."""
        return self.state.status

    @property
    def ended(self) -> bool:
        return self.state.ended

    @property
    def waiting_for(self) -> PauseReason | None:
        return self.state.waiting_for

    @property
    def needs_person(self) -> bool:
        """Whether it waits for something that does not come by itself."""
        return self.waiting_for is not None and self.waiting_for not in BY_ITSELF

    @property
    def pending_approvals(self) -> list[ProposedCall]:
        return [call for call in self.state.calls if call.phase == "awaiting"]

    @property
    def questions(self) -> list[ProposedCall]:
        return [call for call in self.state.calls if call.phase == "asking"]

    @property
    def result(self) -> str | None:
        """What it ended with: the summary, the error or the reason; None before the end."""
        return self.state.result if self.ended else None

    async def refresh(self) -> SessionState:
        self.state = await self.backend.get(self.id)
        return self.state

    async def pause(
        self, reason: str = "", resume_condition: str | Sequence[str] = (), *, zone: str = "UTC"
    ) -> Pausing:
        """Stop at the next boundary until any of the conditions comes true, or somebody resumes it."""
        conditions = [resume_condition] if isinstance(resume_condition, str) else list(resume_condition)
        paused = await self.backend.pause(self.id, reason, conditions, zone)
        await self.refresh()
        return paused

    async def resume(self, *, trigger: Trigger = "manual", data: Any = None, context: str = "") -> None:
        """Go on, whatever it waits for; the agent reads `context` as yours and `data` as untrusted."""
        self.state = await self.backend.resume(self.id, trigger, data, context)

    async def cancel(self, reason: str = "") -> None:
        self.state = await self.backend.cancel(self.id, reason)

    async def approve(self, *call_ids: str) -> None:
        """Let these calls run; all that wait when none is named."""
        await self._decide(call_ids, "approve", "")

    async def deny(self, *call_ids: str, reason: str = "") -> None:
        """Refuse these calls; all that wait when none is named."""
        await self._decide(call_ids, "deny", reason)

    async def answer(self, answer: str, call_id: str | None = None) -> None:
        """Answer its open question; `call_id` is needed where there are several."""
        self.state = await self.backend.answer(self.id, call_id, answer)

    async def tell(self, text: str) -> None:
        """The answer to its open question, or context that it reads at its next step."""
        self.state = await self.backend.tell(self.id, text)

    async def wait(
        self, timeout: float | timedelta | None = None, *, until: Until = "person"
    ) -> SessionState:
        """Until it has ended, or needs a person (`paused`: waits for anything; `ended`: for nothing less).

        A Flagman that is away for less than half a minute is waited for. Raises TimeoutError after `timeout` seconds.
        """
        seconds = timeout.total_seconds() if isinstance(timeout, timedelta) else timeout
        async with asyncio.timeout(seconds):
            await self.refresh()
            while not self._is(until):
                self.state = await self._next()
        return self.state

    async def _next(self) -> SessionState:
        """The session after its next change, or after a while."""
        for _ in range(AWAY_TRIES):
            try:
                return await self.backend.changed(self.id, self.state.version, LONG_POLL)
            except Unavailable:
                await asyncio.sleep(1)
        return await self.backend.changed(self.id, self.state.version, LONG_POLL)

    def _is(self, until: Until) -> bool:
        if self.ended:
            return True
        if until == "paused":
            return self.waiting_for is not None
        return until == "person" and self.needs_person

    def events(self, after: int = 0) -> AsyncIterator[SessionEvent]:
        """Its log after the first `after` events, live, until it has ended."""
        return self.backend.events(self.id, after)

    async def _decide(
        self, call_ids: Sequence[str], verdict: Literal["approve", "deny"], reason: str
    ) -> None:
        """What was seen last is what is decided on: a call that differs is refused."""
        await self.refresh()
        digests = {call.call_id: call.digest for call in self.state.calls}
        chosen = call_ids or [call.call_id for call in self.pending_approvals]
        if not chosen:
            raise InvalidInput(f"Session {self.id} has no call that waits for an approval.")
        for call_id in chosen:
            digest = digests.get(call_id)
            self.state = await self.backend.decide(self.id, call_id, verdict, reason, digest)
