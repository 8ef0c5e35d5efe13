"""The workspaces in which Flagman is installed, each with its client, people and directory."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime

import aiohttp
from slack_sdk.http_retry.builtin_async_handlers import AsyncRateLimitErrorRetryHandler
from slack_sdk.web.async_client import AsyncWebClient

from bot.install.store import Installations, Installed, Row
from bot.settings import Settings
from handlers.directories import Directories, WorkspaceGone
from handlers.directory import SlackDirectory
from handlers.users import People
from handlers.workspaces import Home
from storage.rows import RowStore
from supervisor.core.text.masking import Masker
from supervisor.mcp.sealing import Sealer

# An installation is read again after so many seconds: how long a removed one may still be used.
FRESH_SECONDS = 2.0
SLACK_SECONDS = 15


@dataclass(frozen=True)
class InstalledTeam:
    """A workspace by its `key`, which is empty for the first one.

    `client` is for listeners, which wait when rate-limited, and `outbox` for the worker, which tries again itself.
    `row` is the installation as it was read last.
    """

    key: str
    team_id: str
    client: AsyncWebClient
    outbox: AsyncWebClient
    people: People
    directory: SlackDirectory
    bot_id: str
    bot_user_id: str
    enterprise_id: str
    url: str
    read_at: list[float] = field(default_factory=lambda: [0.0])


class InstalledTeams:
    """Finds workspaces by their keys, for what is stored, and by what Slack sends.

    Methods raise StoreUnavailable, or InvalidInput where a token cannot be decrypted.
    """

    def __init__(
        self,
        installations: Installations,
        make: Callable[[str], SlackDirectory],
        api_url: str,
        learn: Callable[[list[str]], None],
    ) -> None:
        """`make` makes the directory of a workspace, and `learn` is told each token, so that it is masked."""
        self.installations, self._make, self._api_url, self._learn = installations, make, api_url, learn
        self._known: dict[str, InstalledTeam] = {}
        self._session: aiohttp.ClientSession | None = None

    def client(self, *, token: str | None = None, patient: bool = False, team_id: str = "") -> AsyncWebClient:
        """A client on the connections of all workspaces; `team_id` goes along with each call of an org-wide token."""
        if self._session is None:
            self._session = aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(total=SLACK_SECONDS))
        return AsyncWebClient(
            token=token,
            base_url=self._api_url,
            session=self._session,
            timeout=SLACK_SECONDS,
            team_id=team_id or None,
            retry_handlers=[AsyncRateLimitErrorRetryHandler(max_retry_count=1)] if patient else [],
        )

    async def close(self) -> None:
        if self._session:
            await self._session.close()

    async def of(self, key: str) -> InstalledTeam:
        """The workspace, with a token that lasts. Raises WorkspaceGone."""
        known = self._known.get(key)
        if known and time.monotonic() - known.read_at[0] < FRESH_SECONDS:
            return known
        team_id = key or await self.installations.first()
        found = await self.installations.find(team_id) if team_id else None
        if found is None:
            self._known.pop(key, None)
            raise WorkspaceGone(team_id)
        return self._team(key, team_id, found)

    async def sent_by(self, team_id: str, enterprise_id: str) -> InstalledTeam | None:
        """The workspace for which Slack sent something; None where Flagman is not installed."""
        # Where Slack names no workspace, the organisation stands for it.
        found = await self.installations.find(team_id, enterprise_id)
        if found is None:
            return None
        team_id = team_id or enterprise_id
        return self._team(await self.key_of(team_id), team_id, found)

    async def key_of(self, team_id: str) -> str:
        """The key of a workspace; that of the first one is empty."""
        return "" if team_id == await self.installations.first() else team_id

    async def keys(self) -> list[str]:
        """The keys of the workspaces that are installed, of organisations those from which something came."""
        rows, first = await self.installations.all(), await self.installations.first()
        organisations = {row.enterprise_id for row in rows if row.is_organisation}
        return [
            "" if row.row_id == first else row.row_id
            for row in rows
            if not row.is_organisation and (row.kind == "installed" or row.enterprise_id in organisations)
        ]

    async def removed(self, team_id: str, enterprise_id: str) -> list[str]:
        """Remove an installation. Returns the keys of the workspaces that it was for."""
        rows, first = await self.installations.all(), await self.installations.first()
        own = next((row for row in rows if row.kind == "installed" and row.row_id == team_id), None)
        gone = own or next((row for row in rows if row.is_organisation and row.row_id == enterprise_id), None)
        if gone is None:
            return []
        await self.installations.remove(gone.row_id)
        left = _below(gone, rows)
        for key in ("" if row_id == first else row_id for row_id in left):
            self._known.pop(key, None)
        return ["" if row_id == first else row_id for row_id in left]

    def _team(self, key: str, team_id: str, found: Installed) -> InstalledTeam:
        row, known = found.row, self._known.get(key)
        if known is None or known.bot_user_id != row.bot_user_id or known.url != row.url:
            self._known[key] = known = self._made(key, team_id, row)
        if known.client.token != found.token:
            self._learn([found.token])
        known.client.token = known.outbox.token = found.token
        known.read_at[0] = time.monotonic()
        return known

    def _made(self, key: str, team_id: str, row: Row) -> InstalledTeam:
        within = team_id if row.is_organisation and team_id.startswith("T") else ""
        client, outbox = self.client(patient=True, team_id=within), self.client(team_id=within)
        people, directory = People(client), self._make(key)
        home = Home(team_id, within=row.is_organisation)
        directory.connect(people, {"url": row.url}, home)
        return InstalledTeam(
            key,
            team_id,
            client,
            outbox,
            people,
            directory,
            row.bot_id,
            row.bot_user_id,
            row.enterprise_id,
            row.url,
        )


def _below(gone: Row, rows: list[Row]) -> list[str]:
    """Return the ids of the workspaces that an installation was for."""
    if not gone.is_organisation:
        return [gone.row_id]
    within = (r.row_id for r in rows if r.kind == "within" and r.enterprise_id == gone.enterprise_id)
    return [gone.row_id, *within]


def installed_teams(
    settings: Settings,
    rows: RowStore,
    sealer: Sealer,
    directory: Directories,
    mask: Masker,
    clock: Callable[[], datetime],
) -> InstalledTeams:
    """The workspaces that installed Flagman, where settings let them."""
    assert settings.slack_client_secret, "the settings do not allow one without the other"
    client_secret = settings.slack_client_secret.get_secret_value()
    installations = Installations(
        rows, sealer, clock, lambda: teams.client(), settings.slack_client_id, client_secret
    )
    teams = InstalledTeams(installations, directory.of_team, settings.slack_api_url, mask.learn)
    return teams
