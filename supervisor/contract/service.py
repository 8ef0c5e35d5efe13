"""The service that all interfaces call: each verb takes a request, acts for one actor and returns a view."""

from __future__ import annotations

import asyncio
import secrets
from collections.abc import AsyncGenerator, Sequence
from datetime import datetime, timedelta
from typing import Literal

from supervisor.contract import pagination
from supervisor.contract.models import (
    ArtifactView,
    DecisionsResult,
    DeliveryResult,
    EventPage,
    EventView,
    PauseResult,
    ReminderView,
    SessionPage,
    SessionView,
    Status,
    ToldResult,
)
from supervisor.contract.parts import ServiceParts
from supervisor.contract.requests import (
    COORDINATOR,
    AnswerRequest,
    CancelRequest,
    ChildRequest,
    ContextRequest,
    DecisionRequest,
    DecisionsRequest,
    EventRequest,
    ForkRequest,
    LaunchRequest,
    OutcomeRequest,
    PauseRequest,
    ReminderRequest,
    ResumeRequest,
    TokenRequest,
)
from supervisor.contract.views import (
    call_result,
    conditions_of,
    event_view,
    reminder_view,
    session_view,
)
from supervisor.core.commands.approvals import Seen
from supervisor.core.commands.conversation import Kind
from supervisor.core.conditions import Condition, parse_condition
from supervisor.core.delegation import Plan
from supervisor.core.due import parse_due
from supervisor.core.events import Actor, decode
from supervisor.core.messages import Json
from supervisor.core.state import Session
from supervisor.core.subagents import Until, is_reached, needs_of

EVENTS_AT_ONCE = 100


class SessionService:
    """All verbs of sessions, on behalf of `actor`. Methods raise FlagmanError or StorageError."""

    def __init__(self, parts: ServiceParts, actor: Actor, *, may_decide: bool = True) -> None:
        """`may_decide` is False for an actor whose key has not the scope to decide on calls."""
        self.actor, self._parts, self._may_decide = actor, parts, may_decide
        self._supervisor = parts.supervisor

    # Launching

    async def launch(
        self, request: LaunchRequest, *, idempotency_key: str | None = None, origin: Json | None = None
    ) -> SessionView:
        """Launch a session; the same key and request return the same session.

        `origin` says where it is shown, in place of the channel of the request.
        """
        plan = request.coordinate
        session = await self._supervisor.launch(
            request.persona or COORDINATOR,
            f"{request.task}\n\n{request.context}" if request.context.strip() else request.task,
            self.actor,
            origin=self._origin(request.channel) if origin is None else origin,
            coordinate=plan is not False,
            plan=plan.model_dump(mode="json") if isinstance(plan, Plan) else None,
            idempotency_key=self._own(idempotency_key),
        )
        return await self.view(session)

    async def fork(
        self,
        session_id: str,
        request: ForkRequest,
        *,
        idempotency_key: str | None = None,
        origin: Json | None = None,
    ) -> SessionView:
        """Launch a copy of a session that continues from the end of a step."""
        session = await self._supervisor.fork(
            session_id,
            self.actor,
            step=request.step,
            message=request.message,
            origin=self._origin(request.channel) if origin is None and request.channel else origin,
            idempotency_key=self._own(idempotency_key),
        )
        return await self.view(session)

    async def restore(self, document: bytes) -> SessionView:
        """Restore a session from its SESSION_LOG."""
        return await self.view(await self._parts.restorer.restore(document, self.actor))

    # Reading

    async def get(self, session_id: str) -> SessionView:
        return await self.view(await self._supervisor.get(session_id))

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
        found, following = await pagination.page(
            self._parts.log,
            self._supervisor.sessions,
            status=status,
            persona=persona,
            parent=parent,
            cursor=cursor,
            limit=limit,
        )
        views = await asyncio.gather(*(self.view(session) for session in found))
        return SessionPage(sessions=views, next=following)

    async def view(self, session: Session) -> SessionView:
        """The present view of the session with its sub-agents."""
        subagents = await self._supervisor.sessions.active_subagents(session)
        return session_view(session, subagents, self._parts.clock(), self._parts.channels)

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
                    return session_view(session, subagents, self._parts.clock(), self._parts.channels)
                # A sub-agent that was not followed before may have changed in the meantime.
                if not followed.add(subagents):
                    await followers.pause(followed, left)

    async def events(self, session_id: str, *, after: int = 0, limit: int = EVENTS_AT_ONCE) -> EventPage:
        """A page of the log, beginning after its first `after` events."""
        session = await self._supervisor.get(session_id)
        rows = await self._parts.log.read(session_id, after, after + limit - 1)
        events = [event_view(n + 1, decode(session_id, n, data)) for n, data in enumerate(rows, start=after)]
        last = after + len(events)
        return EventPage(events=events, next=last if last < session.version else None)

    async def follow(
        self, session_id: str, *, after: int = 0, heartbeat: float | None = None
    ) -> AsyncGenerator[EventView | None]:
        """The events after the first `after`, then each new one, until the session has ended.

        Yields None after `heartbeat` seconds without an event; without `heartbeat` it never does.
        """
        loop, followers = asyncio.get_running_loop(), self._parts.followers
        with followers.follow(session_id) as followed:
            heard = loop.time()
            while not followers.closing:
                followed.changed.clear()
                found = (await self.events(session_id, after=after)).events
                for event in found:
                    yield event
                    after, heard = event.version, loop.time()
                if found:
                    continue
                session = await self._supervisor.get(session_id)
                if session.ended and after >= session.version:
                    return
                if heartbeat is not None and loop.time() - heard >= heartbeat:
                    yield None
                    heard = loop.time()
                await followers.pause(followed, heartbeat)

    async def artifacts(self, session_id: str) -> list[ArtifactView]:
        """The files that the session wrote, in the order of their last writing."""
        session = await self._supervisor.get(session_id)
        return [ArtifactView(path=a.path, size=a.size) for a in self._parts.artifacts.list(session)]

    async def artifact(self, session_id: str, path: str) -> bytes:
        """The content of one of its files. Raises ArtifactNotFound or ArtifactTooLarge."""
        return await self._parts.artifacts.read(await self._supervisor.get(session_id), path)

    async def session_log(self, session_id: str) -> str:
        """The SESSION_LOG of the session at its present version."""
        return (await self._parts.documents.of(session_id)).text

    # Pausing and resuming

    async def pause(
        self, session_id: str, request: PauseRequest, *, conditions: Sequence[Condition] = ()
    ) -> PauseResult:
        """Pause at the next boundary, until a condition comes true or a person resumes.

        `conditions` are those that a face has read in a grammar of its own.
        """
        now = self._parts.clock()
        written = [parse_condition(text, now=now, zone=request.zone) for text in request.resume_conditions]
        session = await self._supervisor.pause(
            session_id, self.actor, conditions=[*written, *conditions], detail=request.reason
        )
        return self._pause_result(session, token=not session.approval)

    async def resume_token(self, session_id: str) -> PauseResult:
        """A resume token for the present pause of a session."""
        return self._pause_result(await self._supervisor.get(session_id))

    def _pause_result(self, session: Session, *, token: bool = True) -> PauseResult:
        text, expires_at = self._parts.tokens.give(session) if token else (None, None)
        return PauseResult(
            status="paused",
            session_id=session.id,
            resume_token=text,
            expires_at=expires_at,
            conditions=conditions_of(session),
        )

    async def resume(
        self, session_id: str, request: ResumeRequest, *, pause_number: int | None = None
    ) -> SessionView:
        """Resume a session out of any pause; with `pause_number` only out of this one."""
        session = await self._supervisor.resume(
            session_id,
            self.actor,
            trigger=request.trigger,
            data=request.data,
            context=request.context,
            compact=request.compact,
            pause_number=pause_number,
            may_decide=self._may_decide,
        )
        return await self.view(session)

    async def add_condition(self, session_id: str, condition: Condition, *, context: str = "") -> SessionView:
        """Add a condition that resumes a paused session; the agent reads `context` when it goes on."""
        session = await self._supervisor.add_condition(
            session_id, condition, self.actor, context=context, may_decide=self._may_decide
        )
        return await self.view(session)

    async def redeem(self, token: str, request: TokenRequest) -> SessionView:
        """End the pause of a resume token; no other right is needed."""
        session = await self._parts.tokens.redeem(
            self._supervisor, token, data=request.data, context=request.context
        )
        return await self.view(session)

    async def cancel(self, session_id: str, request: CancelRequest) -> SessionView:
        """End a session; nothing new starts in it."""
        return await self.view(await self._supervisor.cancel(session_id, self.actor, reason=request.reason))

    async def emit(self, request: EventRequest) -> DeliveryResult:
        """Emit an event, which resumes the sessions that wait for it."""
        delivery = f"id {request.id}" if request.id else secrets.token_hex(16)
        return await self.deliver(request.type, delivery, request.data)

    async def deliver(self, name: str, delivery: str, data: object) -> DeliveryResult:
        """As `emit`, with a delivery id of the caller; the same id again does nothing."""
        resumed = await self._parts.signals.deliver("event", name, delivery, data, self.actor)
        return DeliveryResult(resumed=resumed)

    # Deciding

    async def decide(self, session_id: str, call_id: str, request: DecisionRequest) -> SessionView:
        """Approve or deny a call as it was shown; with arguments, approve it with these in place of the proposed ones.

        Raises DigestRequired where the request does not say what was shown, and CallChanged where that is no more.
        """
        seen = Seen(request.digest, request.request)
        if request.arguments is None:
            session = await self._supervisor.decide(
                session_id, call_id, request.verdict, self.actor, seen=seen, reason=request.reason
            )
        else:
            session = await self._supervisor.edit(
                session_id, call_id, request.arguments, self.actor, seen=seen
            )
        return await self.view(session)

    async def decide_each(self, session_id: str, request: DecisionsRequest) -> DecisionsResult:
        """Approve or deny several calls as they were shown, with what happened to each of them."""
        session, refused = await self._supervisor.decide_each(
            session_id,
            {call.call_id: Seen(call.digest, call.request) for call in request.calls},
            request.verdict,
            self.actor,
            reason=request.reason,
        )
        calls = dict.fromkeys(call.call_id for call in request.calls)
        results = [call_result(call_id, refused.get(call_id)) for call_id in calls]
        return DecisionsResult(results=results, session=await self.view(session))

    async def decide_outcome(self, session_id: str, call_id: str, request: OutcomeRequest) -> SessionView:
        """Record the outcome of a call whose outcome is unknown, or run it again. Raises as `decide`."""
        seen = Seen(request.digest, request.request)
        session = await self._supervisor.decide_outcome(
            session_id, call_id, request.verdict, self.actor, seen=seen, result=request.result
        )
        return await self.view(session)

    async def decide_child(self, session_id: str, child_id: str, request: ChildRequest) -> SessionView:
        """Decide on a failed sub-agent."""
        return await self.view(
            await self._supervisor.decide_child(session_id, child_id, request.verdict, self.actor)
        )

    # Conversation

    async def answer(self, session_id: str, request: AnswerRequest) -> SessionView:
        """Answer a question of the agent."""
        return await self.view(
            await self._supervisor.answer(session_id, request.call_id, request.answer, self.actor)
        )

    async def tell(
        self,
        session_id: str,
        request: ContextRequest,
        *,
        kind: Kind = "api",
        delivery: str = "",
        answers: bool = True,
    ) -> ToldResult:
        """Send a message: the answer to the only open question, or context for the next step.

        The same `delivery` again raises IdempotencyKeyKnown and changes nothing.
        """
        session, heard = await self._supervisor.tell(
            session_id, request.text, self.actor, kind=kind, delivery=delivery, answers=answers
        )
        return ToldResult(heard=heard, session=await self.view(session))

    async def remind(self, session_id: str, request: ReminderRequest) -> ReminderView:
        """Set a reminder."""
        due = parse_due(request.when, self._parts.clock(), request.zone)
        return await self.remind_at(session_id, due, text=request.text)

    async def remind_at(
        self, session_id: str, due: datetime, *, text: str = "", about: str = ""
    ) -> ReminderView:
        """Set a reminder for a time; `about` names the approval request that is snoozed, if any."""
        session = await self._supervisor.remind(session_id, due, self.actor, text=text, about=about)
        return reminder_view(session.timers[-1])

    async def snooze(self, session_id: str, reminder_id: str, due: datetime) -> ReminderView:
        """Remove a reminder and set the same for a later time."""
        session = await self._supervisor.snooze(session_id, reminder_id, due, self.actor)
        return reminder_view(session.timers[-1])

    async def drop_reminder(self, session_id: str, reminder_id: str) -> None:
        """Remove a reminder."""
        await self._supervisor.drop_timer(session_id, reminder_id, self.actor)

    def _own(self, key: str | None) -> str | None:
        # Each actor has its own keys, so that a guessed key does not lead to another actor's session.
        return f"{self.actor.id}:{key}" if key else None

    def _origin(self, channel: str | None) -> Json:
        return self._parts.channels.origin_of(channel) if channel else {}
