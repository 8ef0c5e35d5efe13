"""The context of all listeners: the supervisor, the services, and the people in Slack."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from handlers.action_ids import Target
from handlers.projection.deletions import Deletions
from handlers.projection.file_upload import FileUploads
from handlers.users import People, actor_of
from storage.projections import ProjectionStore
from supervisor.contract.parts import ServiceParts
from supervisor.contract.service import SessionService
from supervisor.core.commands.approvals import check_decision
from supervisor.core.events import Actor
from supervisor.core.state import Call, Session
from supervisor.core.text.masking import Masker
from supervisor.service import Supervisor


@dataclass(frozen=True)
class ListenerContext:
    """The objects that listeners use, made by `bot/processes/slack.py`.

    `mask` hides secrets in texts that are shown; `command` is the name of the slash command with its slash.
    """

    supervisor: Supervisor
    services: ServiceParts
    rows: ProjectionStore
    people: People
    files: FileUploads
    clock: Callable[[], datetime]
    mask: Masker
    command: str
    deletions: Deletions

    def sessions(self, actor: Actor) -> SessionService:
        """The service for sessions, which acts for one person."""
        return SessionService(self.services, actor)

    async def call_of(self, target: Target) -> tuple[Session, Call]:
        """The session and the first call that a button or form is about. Raises SessionNotFound or StorageError."""
        session = await self.supervisor.get(target.session_id)
        return session, session.call(target.call_ids[0])

    async def decision_on(self, body: dict[str, Any]) -> tuple[Session, Call]:
        """The session and the call of a button whose form is to decide on it.

        Raises NotAllowed, AlreadyDecided or AlreadyEnded, and CallChanged for a button of an earlier request.
        """
        target = Target.of_click(body)
        session, call = await self.call_of(target)
        check_decision(session, call, await self.decider(body, session, target), target.seen[call.call_id])
        return session, call

    async def resumer(self, actor: Actor, session_id: str) -> Actor:
        """The person who resumes a session, with their groups where it waits for an approval. Raises GroupUnknown."""
        session = await self.supervisor.get(session_id)
        waits_for = [session.approval.call_id] if session.approval else []
        return await self.people.with_groups(actor, session, waits_for)

    async def decider(self, body: dict[str, Any], session: Session, target: Target) -> Actor:
        """The person who clicked or sent a form, with their groups that the policies of the calls name.

        Raises GroupUnknown.
        """
        return await self.people.with_groups(actor_of(body), session, target.call_ids)
