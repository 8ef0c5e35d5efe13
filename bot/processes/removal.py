"""What follows when a workspace removes Flagman, or installs it again."""

from __future__ import annotations

import logging
from collections.abc import Callable
from typing import Any

import aiohttp
from slack_bolt.async_app import AsyncAck
from slack_sdk.errors import SlackApiError

from bot.compose import Core
from bot.install.teams import InstalledTeams
from handlers.users import code_of
from supervisor.core.errors import FlagmanError
from supervisor.core.events.base import SYSTEM, workspace_of
from supervisor.effects import index_of

REASON = "Flagman was removed from this workspace in Slack. Install it there again, and resume."
# Slack's codes for a token that counts no more.
_GONE = {"invalid_auth", "account_inactive", "token_revoked", "not_authed", "token_expired"}
_PAGE = 500
_log = logging.getLogger("flagman.install")


async def removed_alone(ack: AsyncAck) -> None:
    """The listener where SLACK_BOT_TOKEN is the only token, which an operator has to replace."""
    _log.error(
        "Slack revoked the token of SLACK_BOT_TOKEN, or Flagman was removed; `flagman doctor` looks at it"
    )
    await ack()


class Removal:
    """The listener of `app_uninstalled` and `tokens_revoked`; `changed` is called where a workspace has gone."""

    def __init__(self, parts: Core, teams: InstalledTeams, changed: Callable[[], None]) -> None:
        self._parts, self._teams, self._changed = parts, teams, changed

    async def receive(self, ack: AsyncAck, body: dict[str, Any]) -> None:
        """Remove an installation whose token Slack takes no more; such an event may also come late, or twice."""
        about = (body.get("authorizations") or [{}])[0]
        team_id = str(about.get("team_id") or body.get("team_id") or "")
        enterprise_id = str(about.get("enterprise_id") or body.get("enterprise_id") or "")
        if self._parts.settings.slack_bot_token and not await self._teams.key_of(team_id):
            await removed_alone(ack)
            return
        if not await self._counts(team_id, enterprise_id):
            for key in await self._teams.removed(team_id, enterprise_id):
                _log.warning("the workspace %s has removed Flagman", key or team_id)
                await self._pause(key)
            self._changed()
        await ack()

    async def _counts(self, team_id: str, enterprise_id: str) -> bool:
        """Whether the stored token still counts, since Flagman was installed again meanwhile."""
        found = await self._teams.installations.find(team_id, enterprise_id)
        if found is None:
            return True
        try:
            await self._teams.client(token=found.token).auth_test()
        except SlackApiError as error:
            return code_of(error) not in _GONE
        except (aiohttp.ClientError, TimeoutError, OSError) as error:
            _log.warning("it is not known whether the token of %s still counts: %r", team_id, error)
            return False
        return True

    async def _pause(self, key: str) -> None:
        """Pause what runs for a workspace, so that nothing waits for people who cannot be asked."""
        for session_id in await self._sessions(key, "running"):
            try:
                await self._parts.supervisor.pause(session_id, SYSTEM, detail=REASON)
            except FlagmanError as error:
                _log.warning("session %s is not paused: %s", session_id, error)

    async def restored(self, key: str) -> None:
        """Show the open sessions of a workspace as they are now."""
        _, outbox = self._parts.queues()
        for index in ("running", "paused"):
            for session_id in await self._sessions(key, index):
                await outbox.enqueue(session_id)

    async def _sessions(self, key: str, index: Any) -> list[str]:
        found, last = list[str](), None
        while rows := await self._parts.log.index(index_of(index, key), after=last, limit=_PAGE):
            last = rows[-1]
            for session_id, _ in rows:
                try:
                    session = await self._parts.supervisor.get(session_id)
                except FlagmanError as error:
                    _log.warning("session %s is left out: %s", session_id, error)
                    continue
                found += [session_id] if workspace_of(session.origin) == key else []
        return found
