"""Sessions for Python programs, which use a Flagman in this process or over HTTP."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import suppress
from datetime import timedelta
from pathlib import Path
from typing import Any, Self

from bot.sdk.backend import Backend
from bot.sdk.connection import find_backend
from bot.sdk.decisions import answer_request, decide
from supervisor.contract.grants import GrantRequest, GrantView, Patterns, Scope
from supervisor.contract.models import (
    ArtifactView,
    CallView,
    EventView,
    PauseResult,
    ReminderView,
    SessionView,
)
from supervisor.contract.requests import (
    CancelRequest,
    ChildRequest,
    ContextRequest,
    ForkRequest,
    OutcomeRequest,
    PauseRequest,
    ReminderRequest,
    ResumeRequest,
    TokenRequest,
)
from supervisor.contract.views import calls_seen
from supervisor.core.commands.approvals import ChildVerdict, OutcomeVerdict, Verdict
from supervisor.core.errors import (
    IllegalEvent,
    InvalidInput,
    KeyRefused,
    MissingScope,
    SessionExists,
    SessionNotFound,
    Unavailable,
)
from supervisor.core.events import PauseReason, Trigger
from supervisor.core.messages import Json
from supervisor.core.records import NotedDecision, RunningCall
from supervisor.core.subagents import ChildStanding, Need, Until
from supervisor.session_log.render.front import front_of

# How long one request of a wait may take.
LONG_POLL = timedelta(seconds=25)
AWAY_TRIES = 25


class Session:
    """One session. Its properties are as of the last method call; `refresh` reads them again."""

    def __init__(self, backend: Backend, state: SessionView) -> None:
        self.backend, self.state = backend, state

    @classmethod
    async def load(
        cls,
        session_id: str,
        *,
        url: str | None = None,
        api_key: str | None = None,
        backend: Backend | None = None,
    ) -> Self:
        """Return the session with this id. Raises SessionNotFound."""
        chosen = backend or find_backend(url, api_key)
        return cls(chosen, await chosen.get(session_id))

    @classmethod
    async def load_from_log(
        cls,
        path: str | Path,
        *,
        url: str | None = None,
        api_key: str | None = None,
        backend: Backend | None = None,
    ) -> Self:
        """Return the session of a SESSION_LOG, which is restored where it is not in the store.

        Raises OSError, VerificationError where the file was changed, or PersonaLost.
        """
        document = await asyncio.to_thread(Path(path).read_bytes)
        chosen = backend or find_backend(url, api_key)
        try:
            state = await chosen.restore(document)
        except SessionExists:
            # The document is already verified here, so its session id can be trusted.
            state = await chosen.get(front_of(document).session_id)
        return cls(chosen, state)

    @classmethod
    async def resume_with(
        cls,
        token: str,
        *,
        data: Any = None,
        additional_context: str = "",
        url: str | None = None,
        api_key: str | None = None,
        backend: Backend | None = None,
    ) -> Self:
        """End the pause of a resume token, once, and return its session; no other right is needed.

        Raises TokenForged, TokenExpired or TokenUsed.
        """
        chosen = backend or find_backend(url, api_key)
        session = cls(
            chosen, await chosen.redeem(token, TokenRequest.of(data=data, context=additional_context))
        )
        with suppress(SessionNotFound, KeyRefused, MissingScope):
            # The answer to a token tells nothing of the session but its status.
            await session.refresh()
        return session

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
    def needs(self) -> list[Need]:
        """What waits for a person, in the session and in its sub-agents; see `in_need`."""
        return self.state.needs

    @property
    def needs_person(self) -> bool:
        """Whether the session or one of its sub-agents waits for a person."""
        return bool(self.needs)

    @property
    def children(self) -> list[ChildStanding]:
        """The subtasks of its plans with their states."""
        return self.state.children

    @property
    def decisions(self) -> list[NotedDecision]:
        """The decisions that its agent noted, with their reasons."""
        return self.state.decisions

    @property
    def running(self) -> list[RunningCall]:
        """What ran when it was read: calls with the last lines that they printed, or the turn of the model."""
        return self.state.running

    @property
    def pending_approvals(self) -> list[CallView]:
        return [call for call in self.state.calls if call.phase == "awaiting"]

    @property
    def questions(self) -> list[CallView]:
        return [call for call in self.state.calls if call.phase == "asking"]

    @property
    def result(self) -> str | None:
        """The summary, the error or the reason with which the session ended; None before its end."""
        return self.state.result if self.ended else None

    async def refresh(self) -> SessionView:
        self.state = await self.backend.get(self.id)
        return self.state

    async def pause(
        self,
        reason: str = "",
        resume_condition: str | Sequence[str] = (),
        *,
        zone: str = "UTC",
        replace: bool = False,
        cascade: bool = True,
    ) -> PauseResult:
        """Pause after the present step until one of the conditions is fulfilled, or a person resumes the session.

        A session that is paused already waits for these besides, or with `replace` in place of what it waits for. With
        `cascade` its sub-agents pause with it, and go on with it.
        """
        conditions = [resume_condition] if isinstance(resume_condition, str) else list(resume_condition)
        request = PauseRequest.of(
            reason=reason, resume_conditions=conditions, zone=zone, replace=replace, cascade=cascade
        )
        paused = await self.backend.pause(self.id, request)
        await self.refresh()
        return paused

    async def resume(
        self,
        *,
        trigger: Trigger = "manual",
        data: Any = None,
        additional_context: str = "",
        context: str = "",
        compact: bool = False,
        when: str | None = None,
        zone: str = "UTC",
    ) -> None:
        """Resume the session out of any pause; `trigger` is what came, of what it waits for.

        With `when` it resumes at that time, such as `in 2h` or `tomorrow 09:00` in `zone`, besides what it waits for.

        The agent reads `additional_context` (or `context`, which is the same) as a message, also where it was not
        paused, and `data` as untrusted data. With `compact` its earlier steps are summed up first.
        """
        words = "\n\n".join(filter(None, (additional_context, context)))
        request = ResumeRequest.of(
            trigger=trigger, data=data, context=words, compact=compact, when=when, zone=zone
        )
        try:
            self.state = await self.backend.resume(self.id, request)
        except IllegalEvent:
            only_words = words and request == ResumeRequest.of(context=words)
            if not only_words or (await self.refresh()).ended or self.state.pause:
                raise
            await self.tell(words)

    async def cancel(self, reason: str = "") -> None:
        self.state = await self.backend.cancel(self.id, CancelRequest.of(reason=reason))

    async def approve(self, *call_ids: str, arguments: Json | None = None) -> None:
        """Approve these calls as last read, or all that waited then. With `arguments`, approve one call with these.

        Raises CallChanged where a call is another one by now, and AlreadyDecided or NotAllowed.
        """
        await self._decide(call_ids, "approve", "", arguments)

    async def deny(self, *call_ids: str, reason: str = "") -> None:
        """Deny these calls as last read, or all that waited then. Raises as `approve`."""
        await self._decide(call_ids, "deny", reason)

    async def respond(self, answer: str, *call_ids: str) -> None:
        """Answer these calls in place of running them; the agent reads it as their result. Raises as `approve`."""
        await self._decide(call_ids, "respond", answer)

    async def allow(
        self,
        call_id: str,
        until: str,
        arguments: Patterns = None,
        *,
        scope: Scope = "session",
        zone: str = "UTC",
    ) -> GrantView:
        """Approve a call as last read, and allow calls like it without asking, until a time such as `in 30m`.

        `arguments` has a pattern for each argument, such as `kubectl get *`; without it, the same call alone.
        """
        (seen,) = calls_seen(self.state, [call_id])
        shown = {"digest": seen.digest, "request": seen.request}
        request = GrantRequest.of(until=until, arguments=arguments, scope=scope, zone=zone, **shown)
        done = await self.backend.allow(self.id, call_id, request)
        self.state = done.session
        return done.grant

    async def decide_child(self, child: str, verdict: ChildVerdict) -> None:
        """Decide on a failed sub-agent, by its name or id: launch it again, continue without it, or stop the plan."""
        request = ChildRequest.of(verdict=verdict)
        self.state = await self.backend.decide_child(self.id, self._child_id(child), request)

    async def settle(self, call_id: str, verdict: OutcomeVerdict, result: str = "") -> None:
        """Say what became of a call that was cut off, as it was last read; `run_again` runs it once more.

        Raises as `approve`.
        """
        (seen,) = calls_seen(self.state, [call_id])
        shown = seen.model_dump(exclude={"call_id"})
        request = OutcomeRequest.of(verdict=verdict, result=result, **shown)
        self.state = await self.backend.decide_outcome(self.id, call_id, request)

    async def answer(
        self, answer: str | Json = "", call_id: str | None = None, *, action: str = "accept"
    ) -> None:
        """Answer the open question: in words, by the fields a server asks for, or not (`decline`, `cancel`)."""
        self.state = await self.backend.answer(self.id, answer_request(answer, call_id, action))

    async def tell(self, text: str, *, persona: str = "", instead: bool = False) -> None:
        """Send a message, which answers the open question, or which the agent reads at its next step.

        With `persona` it is a note of that persona, which answers nothing. With `instead` the calls that wait for an
        approval are withdrawn, and the agent does this instead.
        """
        request = ContextRequest.of(text=text, persona=persona or None, instead=instead)
        self.state = (await self.backend.tell(self.id, request)).session

    async def remind(self, when: str, text: str = "", *, zone: str = "UTC") -> ReminderView:
        """Set a reminder in the session's thread, at a time such as `in 30m` or `tomorrow 09:00` in `zone`."""
        return await self.backend.remind(self.id, ReminderRequest.of(when=when, text=text, zone=zone))

    async def drop_reminder(self, reminder_id: str) -> None:
        """Take a reminder back; `state.reminders` has those that are set."""
        await self.backend.drop_reminder(self.id, reminder_id)

    async def fork(
        self,
        *,
        step: int | None = None,
        message: str = "",
        channel: str | None = None,
        idempotency_key: str | None = None,
    ) -> Self:
        """Launch a copy that continues after `step`; the calls of the copied steps do not run again.

        Without `step` it has as many steps as possible. `message` tells the copy what to do differently.
        """
        request = ForkRequest.of(step=step, message=message, channel=channel)
        state = await self.backend.fork(self.id, request, idempotency_key=idempotency_key)
        return type(self)(self.backend, state)

    async def child(self, child: str) -> Self:
        """Return the session of a sub-agent, by its name or id."""
        await self.refresh()
        return await self._of(self._child_id(child))

    async def in_need(self) -> list[Self]:
        """Return those of this session and its sub-agents that wait for a person."""
        await self.refresh()
        return [await self._of(session_id) for session_id in dict.fromkeys(n.session_id for n in self.needs)]

    async def artifacts(self) -> list[ArtifactView]:
        """Return the files that the session wrote."""
        return await self.backend.artifacts(self.id)

    async def artifact(self, path: str) -> bytes:
        """Return the content of one of its files. Raises ArtifactNotFound or ArtifactTooLarge."""
        return await self.backend.artifact(self.id, path)

    async def session_log(self) -> str:
        """Return its SESSION_LOG, from which it can be verified and restored."""
        return await self.backend.session_log(self.id)

    async def wait(self, timeout: float | timedelta | None = None, *, until: Until = "person") -> SessionView:
        """Wait until the session has ended, or until it or a sub-agent needs a person (see `needs`).

        With `paused`, also until it waits for anything but its own sub-agents; with `ended`, only until its end. A
        Flagman that cannot be reached is retried for half a minute. Raises TimeoutError after `timeout` seconds.
        """
        seconds = timeout.total_seconds() if isinstance(timeout, timedelta) else timeout
        async with asyncio.timeout(seconds):
            self.state = await self._next(until)
            while not self._is(until):
                self.state = await self._next(until)
        return self.state

    async def _next(self, until: Until) -> SessionView:
        """Return the session once it has reached the state `until`, or as it is after `LONG_POLL`."""
        for _ in range(AWAY_TRIES):
            try:
                return await self.backend.wait(self.id, until, patience=LONG_POLL)
            except Unavailable:
                await asyncio.sleep(1)
        return await self.backend.wait(self.id, until, patience=LONG_POLL)

    def _is(self, until: Until) -> bool:
        if self.ended or until == "ended":
            return self.ended
        rests = until == "paused" and self.waiting_for not in (None, "children_running")
        return rests or self.needs_person

    async def _of(self, session_id: str) -> Self:
        return type(self)(self.backend, await self.backend.get(session_id))

    def _child_id(self, child: str) -> str:
        """Return the id of a sub-agent by its id or name; of several with one name the last. Raises InvalidInput."""
        for one in reversed(self.children):
            if child in (one.id, one.name) and one.id:
                return one.id
        known = ", ".join(f"`{one.name}`" for one in self.children if one.id) or "none yet"
        raise InvalidInput(f"Session {self.id} has no sub-agent `{child}`; it has {known}.")

    def events(self, after: int = 0) -> AsyncIterator[EventView]:
        """Yield the events after the first `after`, then each new one, until the session has ended."""
        return self.backend.events(self.id, after)

    async def _decide(
        self, call_ids: Sequence[str], verdict: Verdict, reason: str, arguments: Json | None = None
    ) -> None:
        """Decide on calls as `state` has them. Raises the first refusal when all others are decided."""
        self.state, refusal = await decide(self.backend, self.state, call_ids, verdict, reason, arguments)
        if refusal:
            raise refusal
