"""The service that every face calls: each verb takes a request, acts for one actor, and gives back a view."""

from __future__ import annotations

import asyncio
import secrets
from collections.abc import AsyncGenerator, Callable
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Literal

from storage.log import LogStore
from supervisor.artifacts import Artifacts
from supervisor.contract import pagination
from supervisor.contract.followers import Followers
from supervisor.contract.models import (
    ArtifactView,
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
from supervisor.contract.requests import (
    COORDINATOR,
    AnswerRequest,
    CancelRequest,
    ChildRequest,
    ContextRequest,
    DecisionRequest,
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
    Channels,
    conditions_of,
    event_view,
    reminder_view,
    session_view,
)
from supervisor.core.conditions import parse_condition
from supervisor.core.delegation import Plan
from supervisor.core.errors import InvalidInput
from supervisor.core.events import Actor, decode
from supervisor.core.messages import Json
from supervisor.core.state import Session
from supervisor.core.subagents import Until, needs_of, reached
from supervisor.core.times import parse_due
from supervisor.resume_tokens import ResumeTokens
from supervisor.schedules import Schedules
from supervisor.service import Supervisor
from supervisor.session_log.export import Documents
from supervisor.session_log.restore import Restoring
from supervisor.signals import SignalRouter

EVENTS_AT_ONCE = 100


@dataclass(frozen=True)
class Services:
    """What the service of every actor shares. `clock` gives the time in UTC."""

    supervisor: Supervisor
    log: LogStore
    signals: SignalRouter
    schedules: Schedules
    artifacts: Artifacts
    documents: Documents
    tokens: ResumeTokens
    restoring: Restoring
    followers: Followers
    channels: Channels
    clock: Callable[[], datetime]

    def sessions(self, actor: Actor) -> SessionService:
        """The service of sessions on behalf of one actor."""
        return SessionService(self, actor)


class SessionService:
    """Every verb of a session, on behalf of `actor`. Methods raise FlagmanError or StorageError."""

    def __init__(self, services: Services, actor: Actor) -> None:
        self.actor, self._services = actor, services
        self._supervisor = services.supervisor

    # Launching

    async def launch(
        self, request: LaunchRequest, *, idempotency_key: str | None = None, origin: Json | None = None
    ) -> SessionView:
        """A new session; the same key and request give the same session again.

        `origin` says where it shows itself where a channel alone does not.
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
        """A copy that runs by itself from the end of a step."""
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
        """A session brought back from its SESSION_LOG."""
        return await self.view(await self._services.restoring.restore(document, self.actor))

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
        """The newest first; with a status, the newest in it. Raises SessionNotFound for an unknown `parent`."""
        found, following = await pagination.page(
            self._services.log,
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
        """The session with its sub-agents, at this moment."""
        subagents = await self._supervisor.sessions.active_subagents(session)
        return session_view(session, subagents, self._services.clock(), self._services.channels)

    async def wait(
        self,
        session_id: str,
        until: Until | Literal["changed"] = "person",
        *,
        patience: timedelta = timedelta(seconds=30),
        version: int = 0,
    ) -> SessionView:
        """The session as soon as it is so far, or as it is when `patience` is over.

        `changed`: beyond `version`. Changes come from the change feed; nothing polls.
        """
        loop, followers = asyncio.get_running_loop(), self._services.followers
        end = loop.time() + patience.total_seconds()
        with followers.following(session_id) as followed:
            while True:
                followed.changed.clear()
                session = await self._supervisor.get(session_id)
                subagents = await self._supervisor.sessions.active_subagents(session)
                so_far = (
                    session.version > version
                    if until == "changed"
                    else reached(session, needs_of(session, subagents), until)
                )
                left = end - loop.time()
                if so_far or left <= 0 or followers.closing:
                    return session_view(session, subagents, self._services.clock(), self._services.channels)
                # A sub-agent that was not followed before may have changed meanwhile.
                if not followed.add(subagents):
                    await followers.pause(followed, left)

    async def events(self, session_id: str, *, after: int = 0, limit: int = EVENTS_AT_ONCE) -> EventPage:
        """A page of the log after its first `after` events."""
        session = await self._supervisor.get(session_id)
        rows = await self._services.log.read(session_id, after, after + limit - 1)
        events = [event_view(n + 1, decode(session_id, n, data)) for n, data in enumerate(rows, start=after)]
        last = after + len(events)
        return EventPage(events=events, next=last if last < session.version else None)

    async def follow(
        self, session_id: str, *, after: int = 0, heartbeat: float | None = None
    ) -> AsyncGenerator[EventView | None]:
        """Every event after the first `after`, then each as it comes, until the session has ended.

        None stands for `heartbeat` seconds without an event; without `heartbeat` there is none.
        """
        loop, followers = asyncio.get_running_loop(), self._services.followers
        with followers.following(session_id) as followed:
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
        """The files that it wrote, in the order of their last writing."""
        session = await self._supervisor.get(session_id)
        return [ArtifactView(path=a.path, size=a.size) for a in self._services.artifacts.list(session)]

    async def artifact(self, session_id: str, path: str) -> bytes:
        """The content of one of its files. Raises ArtifactNotFound or ArtifactTooLarge."""
        return await self._services.artifacts.read(await self._supervisor.get(session_id), path)

    async def session_log(self, session_id: str) -> str:
        """The SESSION_LOG up to now."""
        return (await self._services.documents.of(session_id)).text

    # Pausing and resuming

    async def pause(self, session_id: str, request: PauseRequest) -> PauseResult:
        """Pause at the next boundary, until a condition comes true or a person resumes."""
        now = self._services.clock()
        conditions = [parse_condition(text, now=now, zone=request.zone) for text in request.resume_conditions]
        session = await self._supervisor.pause(
            session_id, self.actor, conditions=conditions, detail=request.reason
        )
        return self._paused(session)

    async def resume_token(self, session_id: str) -> PauseResult:
        """A resume token for the pause that a session is in."""
        return self._paused(await self._supervisor.get(session_id))

    def _paused(self, session: Session) -> PauseResult:
        token, expires_at = self._services.tokens.give(session)
        return PauseResult(
            status="paused",
            session_id=session.id,
            resume_token=token,
            expires_at=expires_at,
            conditions=conditions_of(session),
        )

    async def resume(self, session_id: str, request: ResumeRequest) -> SessionView:
        """Resume a paused session, whatever it waits for."""
        session = await self._supervisor.resume(
            session_id,
            self.actor,
            trigger=request.trigger,
            data=request.data,
            context=request.context,
            compact=request.compact,
        )
        return await self.view(session)

    async def redeem(self, token: str, request: TokenRequest) -> SessionView:
        """End the pause that a resume token is for; the token is all the right that is needed."""
        session = await self._services.tokens.redeem(
            self._supervisor, token, data=request.data, context=request.context
        )
        return await self.view(session)

    async def cancel(self, session_id: str, request: CancelRequest) -> SessionView:
        """End a session; nothing new starts in it."""
        return await self.view(await self._supervisor.cancel(session_id, self.actor, reason=request.reason))

    async def emit(self, request: EventRequest) -> DeliveryResult:
        """An event happened: every session that waits for it is resumed."""
        delivery = f"id {request.id}" if request.id else secrets.token_hex(16)
        return await self.deliver(request.type, delivery, request.data)

    async def deliver(self, name: str, delivery: str, data: object) -> DeliveryResult:
        """As `emit`, with a delivery id of the caller; the same id again does nothing."""
        resumed = await self._services.signals.deliver("event", name, delivery, data, self.actor)
        return DeliveryResult(resumed=resumed)

    # Deciding

    async def decide(self, session_id: str, call_id: str, request: DecisionRequest) -> SessionView:
        """Approve or deny a call; with arguments, approve it with these in place of what was proposed."""
        digest = request.digest or ""
        if request.arguments is None:
            session = await self._supervisor.decide(
                session_id,
                [call_id],
                request.verdict,
                self.actor,
                reason=request.reason,
                expected_digests={call_id: digest},
            )
        elif request.verdict != "approve" or request.reason:
            raise InvalidInput("Other arguments go with the verdict `approve`, and with no reason.")
        else:
            session = await self._supervisor.edit(
                session_id, call_id, request.arguments, self.actor, expected_digest=digest
            )
        return await self.view(session)

    async def decide_outcome(self, session_id: str, call_id: str, request: OutcomeRequest) -> SessionView:
        """Say what became of a call whose outcome is unknown."""
        session = await self._supervisor.decide_outcome(
            session_id, call_id, request.verdict, self.actor, result=request.result
        )
        return await self.view(session)

    async def decide_child(self, session_id: str, child_id: str, request: ChildRequest) -> SessionView:
        """Say what follows the failure of a sub-agent."""
        return await self.view(
            await self._supervisor.decide_child(session_id, child_id, request.verdict, self.actor)
        )

    # Conversation

    async def answer(self, session_id: str, request: AnswerRequest) -> SessionView:
        """Answer a question of the agent."""
        return await self.view(
            await self._supervisor.answer(session_id, request.call_id, request.answer, self.actor)
        )

    async def tell(self, session_id: str, request: ContextRequest) -> ToldResult:
        """The answer to the only open question, or context for the next step."""
        session, heard = await self._supervisor.tell(session_id, request.text, self.actor, kind="api")
        return ToldResult(heard=heard, session=await self.view(session))

    async def remind(self, session_id: str, request: ReminderRequest) -> ReminderView:
        """Set a reminder."""
        due = parse_due(request.when, self._services.clock(), request.zone)
        session = await self._supervisor.remind(session_id, due, self.actor, text=request.text)
        return reminder_view(session.timers[-1])

    async def drop_reminder(self, session_id: str, reminder_id: str) -> None:
        """Take a reminder back."""
        await self._supervisor.drop_timer(session_id, reminder_id, self.actor)

    def _own(self, key: str | None) -> str | None:
        # Each actor has its own keys: nobody finds another's session by guessing.
        return f"{self.actor.id}:{key}" if key else None

    def _origin(self, channel: str | None) -> Json:
        return self._services.channels.origin_of(channel) if channel else {}
