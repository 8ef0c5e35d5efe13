"""The projectors of all workspaces as one: each session is shown in the workspace that it belongs to."""

from __future__ import annotations

import logging
from collections.abc import Callable

from slack_sdk.web.async_client import AsyncWebClient

from handlers.directories import Teams
from handlers.directory import SlackDirectory
from handlers.projection.projector import Projector
from storage.queue import StartedJob
from supervisor.core.errors import FlagmanError, SessionNotFound
from supervisor.core.events.base import workspace_of
from supervisor.repository import Sessions
from supervisor.runtime.worker import Done, Later, Signals

# Makes the projector of a workspace: its client, its directory, its key.
Make = Callable[[AsyncWebClient, SlackDirectory, str], Projector]
_log = logging.getLogger("flagman.projector")


class Projectors:
    """The handler of the outbox queue where workspaces install Flagman; `first` is that of SLACK_BOT_TOKEN, if set."""

    def __init__(self, sessions: Sessions, teams: Teams, make: Make, first: Projector | None) -> None:
        self._sessions, self._teams, self._make, self._first = sessions, teams, make, first
        self._known: dict[str, tuple[AsyncWebClient, Projector]] = {}
        self._gone: set[str] = set()

    async def project(self, started: StartedJob, signals: Signals) -> Done | Later:
        """Show the session in its workspace. Where Flagman was removed from that, nothing is shown until it is back."""
        try:
            session = await self._sessions.absorb(started.lease.session_id, started.log)
        except SessionNotFound:
            return Done()
        key = workspace_of(session.origin)
        try:
            projector = await self._of(key)
        except FlagmanError as gone:
            # It was removed, or its token cannot be decrypted.
            if key not in self._gone:
                _log.warning("%s Its sessions are not shown until then.", gone)
                self._gone.add(key)
            return Done()
        self._gone.discard(key)
        return await projector.show(session, started, signals)

    async def _of(self, key: str) -> Projector:
        if not key and self._first:
            return self._first
        team = await self._teams.of(key)
        known = self._known.get(key)
        if known is None or known[0] is not team.outbox:
            self._known[key] = known = (team.outbox, self._make(team.outbox, team.directory, key))
        return known[1]
