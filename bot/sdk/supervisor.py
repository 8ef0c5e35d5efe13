"""Launches, pauses, resumes and lists the sessions of agents by their ids; emits events, and schedules launches."""

from __future__ import annotations

import builtins
from collections.abc import Sequence
from typing import Any

from bot.sdk.agent import Agent
from bot.sdk.backend import Backend
from bot.sdk.connection import find_backend
from bot.sdk.schedule import Schedule
from bot.sdk.session import Session
from supervisor.contract.audit import MOST_ROWS, AuditQuery, AuditSummary
from supervisor.contract.connections import ConnectionView, ConnectLink, RemovedConnection
from supervisor.contract.delegations import DelegationRequest, DelegationView
from supervisor.contract.grants import GrantView
from supervisor.contract.models import DeliveryResult, PauseResult, PersonaView, SettingsView, Status
from supervisor.contract.notifications import NotificationsRequest, NotificationsView
from supervisor.contract.requests import (
    ApproversRequest,
    EventRequest,
    LimitsRequest,
    ScheduleRequest,
    SettingsRequest,
)
from supervisor.core.audit.rows import AuditRow, Kind
from supervisor.core.commands.limits import SettingName
from supervisor.core.events import Trigger
from supervisor.core.times import Overlap

PAGE = 100


class AgentSupervisor:
    """`session = await AgentSupervisor().launch("sre", "check the disk")`.

    `url` and `api_key` choose another Flagman than that of the enclosing block or of the environment.
    """

    def __init__(
        self, *, url: str | None = None, api_key: str | None = None, backend: Backend | None = None
    ) -> None:
        self.backend = backend or find_backend(url, api_key)

    async def launch(
        self,
        persona: str,
        task: str,
        *,
        context: str = "",
        channel: str | None = None,
        idempotency_key: str | None = None,
    ) -> Session:
        """Launch a session of a persona; the same key and request return the same session."""
        agent = Agent(persona, backend=self.backend)
        return await agent.start(task, context=context, channel=channel, idempotency_key=idempotency_key)

    async def load(self, session_id: str) -> Session:
        """The session with this id. Raises SessionNotFound."""
        return await Session.load(session_id, backend=self.backend)

    async def pause(
        self,
        session_id: str,
        reason: str = "",
        resume_condition: str | Sequence[str] = (),
        *,
        zone: str = "UTC",
        replace: bool = False,
        cascade: bool = True,
    ) -> PauseResult:
        """Pause a session; the result has its `status`, its `session_id` and a `resume_token`. See `Session.pause`."""
        session = await self.load(session_id)
        return await session.pause(reason, resume_condition, zone=zone, replace=replace, cascade=cascade)

    async def resume(
        self,
        session_id: str,
        trigger: Trigger = "manual",
        *,
        data: Any = None,
        additional_context: str = "",
        compact: bool = False,
        when: str | None = None,
        zone: str = "UTC",
    ) -> Session:
        """Resume a session out of its pause, as `Session.resume` does."""
        session = await self.load(session_id)
        await session.resume(
            trigger=trigger,
            data=data,
            additional_context=additional_context,
            compact=compact,
            when=when,
            zone=zone,
        )
        return session

    async def list(
        self, *, status: Status | None = None, persona: str | None = None, limit: int | None = None
    ) -> list[Session]:
        """The sessions of this status and persona, the newest first; without `limit` all of them."""
        found: list[Session] = []
        cursor: str | None = None
        while limit is None or len(found) < limit:
            most = PAGE if limit is None else min(PAGE, limit - len(found))
            page = await self.backend.page(status=status, persona=persona, cursor=cursor, limit=most)
            found += [Session(self.backend, state) for state in page.sessions]
            cursor = page.next
            if cursor is None:
                break
        return found

    @property
    async def active_sessions(self) -> dict[str, Session]:
        """The sessions that run, by their ids."""
        return {session.id: session for session in await self.list(status="running")}

    @property
    async def paused_sessions(self) -> dict[str, Session]:
        """The sessions that are paused, by their ids."""
        return {session.id: session for session in await self.list(status="paused")}

    async def emit(self, event: str, data: Any = None, *, event_id: str | None = None) -> DeliveryResult:
        """Say that an event came: every session that waits for it resumes. The same `event_id` again does nothing."""
        return await self.backend.emit(EventRequest.of(type=event, data=data, id=event_id))

    async def personas(self) -> builtins.list[PersonaView]:
        """The personas that can be launched, or why not."""
        return await self.backend.personas()

    async def schedule(
        self,
        cron: str,
        persona: str,
        task: str,
        *,
        zone: str = "UTC",
        channel: str | None = None,
        overlap: Overlap = "skip",
    ) -> Schedule:
        """Launch a task at each time of a cron expression in `zone`.

        Where the session of the time before has not ended, this time is left out, waits (`queue`), or takes its place
        (`replace`).
        """
        request = ScheduleRequest.of(
            cron=cron, persona=persona, task=task, zone=zone, channel=channel, overlap=overlap
        )
        return Schedule(self.backend, await self.backend.add_schedule(request))

    async def channel_settings(self, channel: str) -> SettingsView:
        """The settings of a channel as they hold, each with where it comes from."""
        return await self.backend.channel_settings(channel)

    async def change_channel_settings(
        self,
        channel: str,
        *,
        persona: str | None = None,
        approvers: builtins.list[str] | None = None,
        steps: int | None = None,
        usd: float | None = None,
        minutes: float | None = None,
        reset: Sequence[SettingName] = (),
    ) -> SettingsView:
        """Set what is given for the sessions of a channel, and take back what is in `reset`.

        `approvers` are ids of people, and groups as `@sre`.
        """
        limits = LimitsRequest.of(steps=steps, usd=usd, minutes=minutes)
        named = approvers or []
        groups = [name for name in named if name.startswith("@")]
        people = ApproversRequest.of(users=[name for name in named if name not in groups], groups=groups)
        request = SettingsRequest.of(
            persona=persona,
            approvers=people if named else None,
            limits=limits if limits.limits().given else None,
            reset=list(reset),
        )
        return await self.backend.change_channel_settings(channel, request)

    async def schedules(self) -> builtins.list[Schedule]:
        """The schedules, the next due first and paused ones last."""
        return [Schedule(self.backend, state) for state in await self.backend.schedules()]

    async def notifications(self, way: str | None = None, *, quiet: str | None = None) -> NotificationsView:
        """How the person who acts is told of what waits for them; with `way` or `quiet`, as it is from now on."""
        if way is None and quiet is None:
            return await self.backend.notifications()
        return await self.backend.choose_notifications(NotificationsRequest.of(way=way, quiet=quiet))

    async def connections(self) -> builtins.list[ConnectionView]:
        """The servers that the owner of the key has connected, which agents use as this person."""
        return (await self.backend.connections()).connections

    async def connect(self, server: str) -> ConnectLink:
        """A link at which the owner of the key connects a server: it works once, and for ten minutes."""
        return await self.backend.connect(server)

    async def remove_connection(self, server: str) -> RemovedConnection:
        """Remove a connection, and have its server revoke it where that offers to."""
        return await self.backend.remove_connection(server)

    async def grants(self, session_id: str | None = None) -> builtins.list[GrantView]:
        """The calls that people allow in advance now, in one session or in all that the owner of the key sees."""
        return await self.backend.grants(session_id)

    async def revoke_grant(self, grant_id: str) -> None:
        """End a grant at once."""
        await self.backend.revoke_grant(grant_id)

    async def delegate(self, to: str, until: str, *, reason: str = "", zone: str = "UTC") -> DelegationView:
        """Have the person with the id `to` decide for the owner of the key, until `friday`, `2026-12-04` or a time."""
        request = DelegationRequest.of(to=to, until=until, reason=reason, zone=zone)
        return await self.backend.delegate(request)

    async def delegations(self) -> builtins.list[DelegationView]:
        """Who decides for whom: those that last and are by or to the owner of the key; all for an admin."""
        return await self.backend.delegations()

    async def drop_delegation(self, delegation_id: str) -> None:
        """End a delegation at once."""
        await self.backend.drop_delegation(delegation_id)

    async def audit(
        self,
        *,
        since: str | None = None,
        until: str | None = None,
        session: str | None = None,
        persona: str | None = None,
        tool: str | None = None,
        actor: str | None = None,
        kind: Kind | None = None,
        zone: str = "UTC",
        limit: int | None = None,
    ) -> builtins.list[AuditRow]:
        """Who decided what, and who was refused: the newest first, without `limit` all of the time.

        `since` and `until` are like `today`, `7d` or `2026-12-01`.
        """
        query = AuditQuery.of(
            since=since,
            until=until,
            session=session,
            persona=persona,
            tool=tool,
            actor=actor,
            kind=kind,
            zone=zone,
        )
        found: builtins.list[AuditRow] = []
        while limit is None or len(found) < limit:
            most = MOST_ROWS if limit is None else min(MOST_ROWS, limit - len(found))
            page = await self.backend.audit(query.model_copy(update={"limit": most}))
            found += page.rows
            query = query.model_copy(update={"cursor": page.next})
            if page.next is None:
                break
        return found

    async def audit_summary(
        self, *, since: str | None = None, until: str | None = None, zone: str = "UTC"
    ) -> AuditSummary:
        """How fast and how carefully people decided: the last week, or from `since` until `until`."""
        return await self.backend.audit_summary(AuditQuery.of(since=since, until=until, zone=zone))
