"""The backend in this process, which calls the service and raises StoreAway for errors of the store."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Iterator
from contextlib import aclosing, contextmanager
from datetime import timedelta
from typing import TypeVar

from storage.errors import StorageError
from supervisor.contract.audit import AuditPage, AuditQuery, AuditService, AuditSummary
from supervisor.contract.connections import (
    ConnectionList,
    ConnectionService,
    ConnectLink,
    RemovedConnection,
)
from supervisor.contract.delegations import DelegationRequest, DelegationService, DelegationView
from supervisor.contract.grants import GrantRequest, GrantResult, GrantService, GrantView
from supervisor.contract.models import (
    ArtifactView,
    DecisionsResult,
    DeliveryResult,
    EventView,
    PauseResult,
    PersonaView,
    ReminderView,
    ScheduleView,
    SessionPage,
    SessionView,
    SettingsView,
    Status,
    ToldResult,
)
from supervisor.contract.notifications import NotificationService, NotificationsRequest, NotificationsView
from supervisor.contract.parts import ServiceParts
from supervisor.contract.requests import (
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
    ScheduleRequest,
    SettingsRequest,
    TokenRequest,
)
from supervisor.contract.schedules import ScheduleService
from supervisor.contract.service import SessionService
from supervisor.contract.settings import SettingsService
from supervisor.core.errors import StoreAway
from supervisor.core.events import Actor
from supervisor.core.subagents import Until

Found = TypeVar("Found")


class InProcessBackend:
    """A Backend that calls the services, which act for one actor.

    `may_decide` is False for an actor whose key has not the scope to decide on calls.
    """

    def __init__(self, parts: ServiceParts, actor: Actor, *, may_decide: bool = True) -> None:
        self._service = SessionService(parts, actor, may_decide=may_decide)
        self._schedules = ScheduleService(parts, actor)
        self._settings = SettingsService(parts, actor)
        self._notifications = NotificationService(parts, actor)
        self._connections = ConnectionService(parts, actor)
        self._audit, self._delegations = AuditService(parts, actor), DelegationService(parts, actor)
        self._grants = GrantService(parts, actor)

    async def launch(self, request: LaunchRequest, *, idempotency_key: str | None = None) -> SessionView:
        return await _answer(self._service.launch(request, idempotency_key=idempotency_key))

    async def fork(
        self, session_id: str, request: ForkRequest, *, idempotency_key: str | None = None
    ) -> SessionView:
        return await _answer(self._service.fork(session_id, request, idempotency_key=idempotency_key))

    async def restore(self, document: bytes) -> SessionView:
        return await _answer(self._service.restore(document))

    async def get(self, session_id: str) -> SessionView:
        return await _answer(self._service.get(session_id))

    async def page(
        self,
        *,
        status: Status | None = None,
        persona: str | None = None,
        cursor: str | None = None,
        limit: int = 20,
    ) -> SessionPage:
        found = self._service.page(status=status, persona=persona, cursor=cursor, limit=limit)
        return await _answer(found)

    async def wait(self, session_id: str, until: Until, *, patience: timedelta) -> SessionView:
        return await _answer(self._service.wait(session_id, until, patience=patience))

    async def events(self, session_id: str, after: int) -> AsyncIterator[EventView]:
        with _store():
            async with aclosing(self._service.follow(session_id, after=after)) as events:
                async for event in events:
                    if event:
                        yield event

    async def pause(self, session_id: str, request: PauseRequest) -> PauseResult:
        return await _answer(self._service.pause(session_id, request))

    async def resume(self, session_id: str, request: ResumeRequest) -> SessionView:
        return await _answer(self._service.resume(session_id, request))

    async def redeem(self, token: str, request: TokenRequest) -> SessionView:
        return await _answer(self._service.redeem(token, request))

    async def cancel(self, session_id: str, request: CancelRequest) -> SessionView:
        return await _answer(self._service.cancel(session_id, request))

    async def decide(self, session_id: str, call_id: str, request: DecisionRequest) -> SessionView:
        return await _answer(self._service.decide(session_id, call_id, request))

    async def decide_each(self, session_id: str, request: DecisionsRequest) -> DecisionsResult:
        return await _answer(self._service.decide_each(session_id, request))

    async def decide_outcome(self, session_id: str, call_id: str, request: OutcomeRequest) -> SessionView:
        return await _answer(self._service.decide_outcome(session_id, call_id, request))

    async def decide_child(self, session_id: str, child_id: str, request: ChildRequest) -> SessionView:
        return await _answer(self._service.decide_child(session_id, child_id, request))

    async def answer(self, session_id: str, request: AnswerRequest) -> SessionView:
        return await _answer(self._service.answer(session_id, request))

    async def tell(self, session_id: str, request: ContextRequest) -> ToldResult:
        return await _answer(self._service.tell(session_id, request))

    async def artifacts(self, session_id: str) -> list[ArtifactView]:
        return await _answer(self._service.artifacts(session_id))

    async def artifact(self, session_id: str, path: str) -> bytes:
        return await _answer(self._service.artifact(session_id, path))

    async def session_log(self, session_id: str) -> str:
        return await _answer(self._service.session_log(session_id))

    async def remind(self, session_id: str, request: ReminderRequest) -> ReminderView:
        return await _answer(self._service.remind(session_id, request))

    async def drop_reminder(self, session_id: str, reminder_id: str) -> None:
        await _answer(self._service.drop_reminder(session_id, reminder_id))

    async def emit(self, request: EventRequest) -> DeliveryResult:
        return await _answer(self._service.emit(request))

    async def personas(self) -> list[PersonaView]:
        return await _answer(self._service.personas())

    async def add_schedule(self, request: ScheduleRequest) -> ScheduleView:
        return await _answer(self._schedules.add(request))

    async def schedules(self) -> list[ScheduleView]:
        return await _answer(self._schedules.list())

    async def pause_schedule(self, schedule_id: str) -> ScheduleView:
        return await _answer(self._schedules.pause(schedule_id))

    async def resume_schedule(self, schedule_id: str) -> ScheduleView:
        return await _answer(self._schedules.resume(schedule_id))

    async def delete_schedule(self, schedule_id: str) -> None:
        await _answer(self._schedules.delete(schedule_id))

    async def run_schedule(self, schedule_id: str) -> SessionView:
        return await _answer(self._schedules.run(schedule_id))

    async def channel_settings(self, channel: str) -> SettingsView:
        return await _answer(self._settings.get(channel))

    async def change_channel_settings(self, channel: str, request: SettingsRequest) -> SettingsView:
        return await _answer(self._settings.change(channel, request))

    async def notifications(self) -> NotificationsView:
        return await _answer(self._notifications.get())

    async def choose_notifications(self, request: NotificationsRequest) -> NotificationsView:
        return await _answer(self._notifications.change(request))

    async def connections(self) -> ConnectionList:
        return await _answer(self._connections.list())

    async def connect(self, server: str) -> ConnectLink:
        return await _answer(self._connections.connect(server))

    async def remove_connection(self, server: str) -> RemovedConnection:
        return await _answer(self._connections.remove(server))

    async def allow(self, session_id: str, call_id: str, request: GrantRequest) -> GrantResult:
        return await _answer(self._grants.allow(session_id, call_id, request))

    async def grants(self, session_id: str | None = None) -> list[GrantView]:
        return await _answer(self._grants.list(session_id))

    async def revoke_grant(self, grant_id: str) -> None:
        await _answer(self._grants.revoke(grant_id))

    async def delegate(self, request: DelegationRequest) -> DelegationView:
        return await _answer(self._delegations.add(request))

    async def delegations(self) -> list[DelegationView]:
        return await _answer(self._delegations.list())

    async def drop_delegation(self, delegation_id: str) -> None:
        await _answer(self._delegations.drop(delegation_id))

    async def audit(self, query: AuditQuery) -> AuditPage:
        return await _answer(self._audit.page(query))

    async def audit_summary(self, query: AuditQuery) -> AuditSummary:
        return await _answer(self._audit.summary(query))


async def _answer(work: Awaitable[Found]) -> Found:
    with _store():
        return await work


@contextmanager
def _store() -> Iterator[None]:
    """Raise StoreAway in place of StorageError."""
    try:
        yield
    except StorageError as error:
        raise StoreAway from error
