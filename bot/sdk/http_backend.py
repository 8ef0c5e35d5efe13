"""The backend over HTTP, with the methods, models and errors of the service."""

from __future__ import annotations

import asyncio
import json
import secrets
from collections.abc import AsyncIterator
from datetime import timedelta
from typing import Any, Literal, TypeVar

import httpx
from httpx_sse import EventSource
from pydantic import BaseModel, ValidationError

from bot.sdk.http_client import PAUSE_SECONDS, TRIES, HttpClient, path_of, segment
from supervisor.contract.audit import AuditPage, AuditQuery, AuditSummary
from supervisor.contract.connections import ConnectionList, ConnectLink, RemovedConnection
from supervisor.contract.delegations import DelegationList, DelegationRequest, DelegationView
from supervisor.contract.grants import GrantList, GrantRequest, GrantResult, GrantView
from supervisor.contract.models import (
    ArtifactList,
    ArtifactView,
    DecisionsResult,
    DeliveryResult,
    EventPage,
    EventView,
    PauseResult,
    PersonaList,
    PersonaView,
    ReminderView,
    ScheduleList,
    ScheduleView,
    SessionPage,
    SessionView,
    SettingsView,
    ToldResult,
)
from supervisor.contract.notifications import NotificationsRequest, NotificationsView
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
    RequestModel,
    ResumeRequest,
    ScheduleRequest,
    SettingsRequest,
    TokenRequest,
)
from supervisor.core.errors import Unavailable, UnknownRefusal
from supervisor.core.subagents import Until
from supervisor.core.text.sanitize import clean

SHORT_SECONDS = 5.0
TERMINAL_EVENTS = ("Completed", "Failed", "Cancelled")
Model = TypeVar("Model", bound=BaseModel)


class HttpBackend(HttpClient):
    """A Backend over HTTP; as `async with HttpBackend(…)` it keeps its connections open between requests."""

    async def launch(self, request: LaunchRequest, *, idempotency_key: str | None = None) -> SessionView:
        return await self._begin("/v1/sessions", request, idempotency_key)

    async def fork(
        self, session_id: str, request: ForkRequest, *, idempotency_key: str | None = None
    ) -> SessionView:
        return await self._begin(f"{path_of(session_id)}/fork", request, idempotency_key)

    async def _begin(self, path: str, request: RequestModel, key: str | None) -> SessionView:
        # With a generated key, the request can be repeated after a lost answer.
        headers = {"Idempotency-Key": key or secrets.token_hex(16)}
        found = await self.call("POST", path, _body(request), headers=headers, retryable=True)
        return _read(SessionView, found)

    async def restore(self, document: bytes) -> SessionView:
        return _read(SessionView, await self.send("/v1/restore", document, "text/markdown"))

    async def get(self, session_id: str) -> SessionView:
        return _read(SessionView, await self.call("GET", path_of(session_id)))

    async def page(
        self,
        *,
        status: str | None = None,
        persona: str | None = None,
        parent: str | None = None,
        cursor: str | None = None,
        limit: int = 20,
    ) -> SessionPage:
        filters = {"status": status, "persona": persona, "parent": parent, "cursor": cursor}
        query = {name: value for name, value in filters.items() if value is not None}
        return _read(
            SessionPage, await self.call("GET", "/v1/sessions", query={**query, "limit": str(limit)})
        )

    async def wait(
        self,
        session_id: str,
        until: Until | Literal["changed"] = "person",
        *,
        patience: timedelta = timedelta(seconds=30),
        version: int = 0,
    ) -> SessionView:
        seconds = f"{patience.total_seconds():g}"
        query = {"until": until, "timeout": seconds, "version": str(version)}
        return _read(SessionView, await self.call("GET", f"{path_of(session_id)}/wait", query=query))

    async def event_page(self, session_id: str, *, after: int = 0, limit: int = 100) -> EventPage:
        query = {"after": str(after), "limit": str(limit)}
        return _read(EventPage, await self.call("GET", f"{path_of(session_id)}/events", query=query))

    async def events(self, session_id: str, after: int) -> AsyncIterator[EventView]:
        """Yield the events after the first `after`, then each new one; a lost connection is made again."""
        lost, loop = 0, asyncio.get_running_loop()
        while True:
            opened = loop.time()
            try:
                async with self.stream(f"{path_of(session_id)}/events", after) as answer:
                    if answer is None:
                        return
                    async for message in EventSource(answer).aiter_sse():
                        if not message.data:
                            continue
                        event = _event(message.data)
                        lost, after = 0, event.version
                        yield event
                        if event.type in TERMINAL_EVENTS:
                            return
                # Streams that repeatedly end at once count as failures.
                lost = lost + 1 if loop.time() - opened < SHORT_SECONDS else 0
                if lost > TRIES:
                    raise Unavailable(f"{self.address} ends the stream of events at once.")
            except (httpx.HTTPError, httpx.InvalidURL) as error:
                lost += 1
                if lost > TRIES:
                    raise self.unreachable(error) from error
            await asyncio.sleep(PAUSE_SECONDS * (lost + 1))

    async def session_log(self, session_id: str) -> str:
        return (await self.content(f"{path_of(session_id)}/log", "text/markdown")).decode()

    async def artifacts(self, session_id: str) -> list[ArtifactView]:
        found = await self.call("GET", f"{path_of(session_id)}/artifacts")
        return _read(ArtifactList, found).artifacts

    async def artifact(self, session_id: str, path: str) -> bytes:
        return await self.content(
            f"{path_of(session_id)}/artifacts/{'/'.join(map(segment, path.split('/')))}"
        )

    async def pause(self, session_id: str, request: PauseRequest) -> PauseResult:
        return _read(PauseResult, await self._act(session_id, "pause", request))

    async def resume(self, session_id: str, request: ResumeRequest) -> SessionView:
        return _read(SessionView, await self._act(session_id, "resume", request))

    async def redeem(self, token: str, request: TokenRequest) -> SessionView:
        found = await self.call("POST", f"/v1/resume/{segment(token)}", _body(request))
        return _read(SessionView, found)

    async def cancel(self, session_id: str, request: CancelRequest) -> SessionView:
        return _read(SessionView, await self._act(session_id, "cancel", request))

    async def emit(self, request: EventRequest) -> DeliveryResult:
        return _read(DeliveryResult, await self.call("POST", "/v1/events", _body(request)))

    async def decide(self, session_id: str, call_id: str, request: DecisionRequest) -> SessionView:
        verb = f"calls/{segment(call_id)}/decision"
        return _read(SessionView, await self._act(session_id, verb, request))

    async def decide_each(self, session_id: str, request: DecisionsRequest) -> DecisionsResult:
        return _read(DecisionsResult, await self._act(session_id, "decisions", request))

    async def decide_outcome(self, session_id: str, call_id: str, request: OutcomeRequest) -> SessionView:
        verb = f"calls/{segment(call_id)}/outcome"
        return _read(SessionView, await self._act(session_id, verb, request))

    async def decide_child(self, session_id: str, child_id: str, request: ChildRequest) -> SessionView:
        verb = f"children/{segment(child_id)}/decision"
        return _read(SessionView, await self._act(session_id, verb, request))

    async def answer(self, session_id: str, request: AnswerRequest) -> SessionView:
        return _read(SessionView, await self._act(session_id, "answer", request))

    async def tell(self, session_id: str, request: ContextRequest) -> ToldResult:
        return _read(ToldResult, await self._act(session_id, "context", request))

    async def remind(self, session_id: str, request: ReminderRequest) -> ReminderView:
        return _read(ReminderView, await self._act(session_id, "reminders", request))

    async def drop_reminder(self, session_id: str, reminder_id: str) -> None:
        await self.call("DELETE", f"{path_of(session_id)}/reminders/{segment(reminder_id)}")

    async def personas(self) -> list[PersonaView]:
        return _read(PersonaList, await self.call("GET", "/v1/personas")).personas

    async def add_schedule(self, request: ScheduleRequest) -> ScheduleView:
        return _read(ScheduleView, await self.call("POST", "/v1/schedules", _body(request)))

    async def schedules(self) -> list[ScheduleView]:
        return _read(ScheduleList, await self.call("GET", "/v1/schedules")).schedules

    async def pause_schedule(self, schedule_id: str) -> ScheduleView:
        return _read(ScheduleView, await self.call("POST", f"/v1/schedules/{segment(schedule_id)}/pause"))

    async def resume_schedule(self, schedule_id: str) -> ScheduleView:
        return _read(ScheduleView, await self.call("POST", f"/v1/schedules/{segment(schedule_id)}/resume"))

    async def delete_schedule(self, schedule_id: str) -> None:
        await self.call("DELETE", f"/v1/schedules/{segment(schedule_id)}")

    async def run_schedule(self, schedule_id: str) -> SessionView:
        return _read(SessionView, await self.call("POST", f"/v1/schedules/{segment(schedule_id)}/run"))

    async def channel_settings(self, channel: str) -> SettingsView:
        return _read(SettingsView, await self.call("GET", f"/v1/channels/{segment(channel)}/settings"))

    async def change_channel_settings(self, channel: str, request: SettingsRequest) -> SettingsView:
        path = f"/v1/channels/{segment(channel)}/settings"
        return _read(SettingsView, await self.call("PATCH", path, _body(request)))

    async def notifications(self) -> NotificationsView:
        return _read(NotificationsView, await self.call("GET", "/v1/notifications"))

    async def choose_notifications(self, request: NotificationsRequest) -> NotificationsView:
        return _read(NotificationsView, await self.call("PATCH", "/v1/notifications", _body(request)))

    async def connections(self) -> ConnectionList:
        return _read(ConnectionList, await self.call("GET", "/v1/connections"))

    async def connect(self, server: str) -> ConnectLink:
        return _read(ConnectLink, await self.call("POST", f"/v1/connections/{segment(server)}"))

    async def remove_connection(self, server: str) -> RemovedConnection:
        return _read(RemovedConnection, await self.call("DELETE", f"/v1/connections/{segment(server)}"))

    async def allow(self, session_id: str, call_id: str, request: GrantRequest) -> GrantResult:
        path = f"/v1/sessions/{segment(session_id)}/calls/{segment(call_id)}/grant"
        return _read(GrantResult, await self.call("POST", path, _body(request)))

    async def grants(self, session_id: str | None = None) -> list[GrantView]:
        query = {"session": session_id} if session_id else None
        return _read(GrantList, await self.call("GET", "/v1/grants", query=query)).grants

    async def revoke_grant(self, grant_id: str) -> None:
        await self.call("DELETE", f"/v1/grants/{segment(grant_id)}")

    async def delegate(self, request: DelegationRequest) -> DelegationView:
        return _read(DelegationView, await self.call("POST", "/v1/delegations", _body(request)))

    async def delegations(self) -> list[DelegationView]:
        return _read(DelegationList, await self.call("GET", "/v1/delegations")).delegations

    async def drop_delegation(self, delegation_id: str) -> None:
        await self.call("DELETE", f"/v1/delegations/{segment(delegation_id)}")

    async def audit(self, query: AuditQuery) -> AuditPage:
        return _read(AuditPage, await self.call("GET", "/v1/audit", query=_query(query)))

    async def audit_summary(self, query: AuditQuery) -> AuditSummary:
        return _read(AuditSummary, await self.call("GET", "/v1/audit/summary", query=_query(query)))

    async def _act(self, session_id: str, verb: str, request: RequestModel) -> Any:
        return await self.call("POST", f"{path_of(session_id)}/{verb}", _body(request))


def _body(request: RequestModel) -> Any:
    """Return the request as JSON, sanitized as in process. Raises InvalidInput for values that are not JSON."""
    return clean(request.model_dump(exclude_defaults=True))


def _query(request: RequestModel) -> dict[str, str]:
    """Return the fields of a request that are given, as the texts of a query."""
    return {name: str(value) for name, value in request.model_dump(exclude_defaults=True).items()}


def _event(data: str) -> EventView:
    """Parse an event of a stream. Raises UnknownRefusal."""
    try:
        found = json.loads(data)
    except (ValueError, RecursionError):
        found = None
    return _read(EventView, found)


def _read(model: type[Model], found: Any) -> Model:
    """Return the answer as its model; unknown fields, as of a newer Flagman, are ignored. Raises UnknownRefusal."""
    try:
        return model.model_validate(found, extra="ignore")
    except ValidationError as error:
        where = ".".join(map(str, error.errors(include_url=False, include_input=False)[0]["loc"]))
        raise UnknownRefusal(
            f"The answer cannot be read here ({where or 'it has another shape'}); "
            "update Flagman, or the server that answers."
        ) from error
