"""The context of all listeners: the supervisor, the services, and the people in Slack."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from handlers.action_ids import Target
from handlers.projection.deletions import Deletions
from handlers.projection.file_upload import FileUploads
from handlers.projection.permalinks import card_addresses
from handlers.users import People, actor_of
from storage.projections import ProjectionStore
from supervisor.contract.parts import ServiceParts
from supervisor.contract.service import SessionService
from supervisor.core.commands.approvals import check_decision
from supervisor.core.errors import SessionNotFound
from supervisor.core.events import Actor
from supervisor.core.state import Call, Session
from supervisor.core.text.masking import Masker
from supervisor.service import Supervisor


@dataclass(frozen=True)
class ListenerContext:
    """The objects that listeners use, made by `bot/processes/slack.py`.

    `mask` hides secrets in texts that are shown; `command` is the name of the slash command with its slash;
    `workspace` is the address of the workspace, and `team` its key, empty for the first one.
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
    workspace: str = ""
    team: str = ""

    def sessions(self, actor: Actor) -> SessionService:
        """Return the service for sessions, which acts for one person."""
        return SessionService(self.services, actor)

    async def cards(self, sessions: Sequence[Session]) -> dict[str, str]:
        """Return the addresses of the cards of sessions, by session; of a sub-agent without one, that of its root's."""
        return await card_addresses(self.rows, sessions, self.workspace)

    async def call_of(self, target: Target, actor: Actor) -> tuple[Session, Call]:
        """Return the session and the first call that a button or form is about.

        Raises SessionNotFound, as `session_of`.
        """
        session = await self.session_of(target, actor)
        return session, session.call(target.first[0])

    async def session_of(self, target: Target, actor: Actor) -> Session:
        """Return the session that a button or form is about.

        A person who may decide on what the button is about sees it even if the session is not visible. Raises
        SessionNotFound.
        """
        sessions = self.sessions(actor)
        try:
            return await sessions.load(target.session_id)
        except SessionNotFound:
            return (await sessions.access.decider(target.session_id, target.call_ids, "look")).session

    async def decision_on(self, body: dict[str, Any], attempt: str) -> tuple[Session, Call]:
        """Return the session and the call that a form is to decide on; a refusal names the `attempt`.

        Raises NotAllowed, AlreadyDecided or AlreadyEnded, and CallChanged for a button of an earlier request.
        """
        target = Target.of_click(body)
        access = self.sessions(actor_of(body)).access
        (call_id, seen), found = target.first, await access.decider(target.session_id, target.call_ids)
        session, call = found.session, found.session.call(call_id)
        async with access.recorded(found, attempt, call_id):
            check_decision(session, call, found.actor, seen)
        return session, call
