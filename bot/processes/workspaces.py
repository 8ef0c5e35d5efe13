"""What the web process does for the workspaces that install Flagman: whose request it is, and what is kept current."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import replace

from aiohttp import web
from slack_bolt import BoltContext
from slack_bolt.async_app import AsyncApp
from slack_bolt.authorization import AuthorizeResult
from slack_sdk.web.async_client import AsyncWebClient

from bot.compose import Core
from bot.install import flow
from bot.install.states import States
from bot.install.teams import InstalledTeam, InstalledTeams
from bot.processes.removal import Removal, removed_alone
from bot.settings import Settings
from handlers.context import ListenerContext
from handlers.directories import WorkspaceGone
from handlers.middleware import CONTEXT
from handlers.projection.file_upload import FileUploads
from storage.connection import end
from storage.errors import StorageError
from storage.marks import OnceStore
from supervisor.core.errors import FlagmanError

# Seconds after which workspaces are looked for that were installed or removed by another process.
LOOK_SECONDS = 5.0
NOT_INSTALLED = (
    ":information_source: Flagman is not installed in this workspace any more, so nothing was done. Install it again "
    f"at `{flow.INSTALL}` of its address."
)
_log = logging.getLogger("flagman.install")
# Keeps something of a workspace current until it is cancelled.
Keep = Callable[[InstalledTeam, ListenerContext], Awaitable[None]]


class Workspaces:
    """Finds the context of the listeners of a workspace; `first` is that of SLACK_BOT_TOKEN, with its authorization."""

    def __init__(
        self,
        parts: Core,
        base: ListenerContext,
        first: AuthorizeResult | None,
        client: AsyncWebClient,
        *,
        whole: bool = False,
    ) -> None:
        """`whole`: SLACK_BOT_TOKEN is one of a whole organisation."""
        self._parts, self._base, self._first, self._client, self._whole = parts, base, first, client, whole
        self._contexts: dict[str, tuple[InstalledTeam, ListenerContext]] = {}

    async def authorize(
        self, context: BoltContext, enterprise_id: str | None, team_id: str | None
    ) -> AuthorizeResult | None:
        """What Bolt asks for each request: the bot of the workspace; None where Flagman is not installed there."""
        teams, first = self._parts.teams, self._first
        if teams is None or (first and self._is_first(first, enterprise_id, team_id)):
            return first
        team = await teams.sent_by(team_id or "", enterprise_id or "")
        if team is None:
            return None
        context[CONTEXT] = self._context(team)
        return AuthorizeResult(
            enterprise_id=enterprise_id,
            team_id=team_id,
            bot_id=team.bot_id,
            bot_user_id=team.bot_user_id,
            bot_token=team.client.token,
        )

    def _is_first(self, first: AuthorizeResult, enterprise_id: str | None, team_id: str | None) -> bool:
        return team_id == first.team_id or (self._whole and enterprise_id == first.enterprise_id)

    async def at(self, key: str) -> tuple[ListenerContext, AsyncWebClient]:
        """The context and the client of a workspace by its key. Raises WorkspaceGone."""
        if not key and self._first:
            return self._base, self._client
        if self._parts.teams is None:
            raise WorkspaceGone(key)
        team = await self._parts.teams.of(key)
        return self._context(team), team.client

    def _context(self, team: InstalledTeam) -> ListenerContext:
        known = self._contexts.get(team.key)
        if known is None or known[0] is not team:
            files = FileUploads(
                team.client, self._parts.artifacts(), self._parts.rows, self._parts.mask, team.key
            )
            context = replace(self._base, people=team.people, files=files, workspace=team.url, team=team.key)
            self._contexts[team.key] = known = (team, context)
        return known[1]

    async def keep(self, teams: InstalledTeams, keep: Keep, again: asyncio.Event) -> None:
        """Keep each installed workspace current, those that come and until they go; `again` looks for them at once."""
        running: dict[str, tuple[InstalledTeam, asyncio.Task[None]]] = {}
        try:
            while True:
                again.clear()
                await self._look(teams, keep, running)
                try:
                    async with asyncio.timeout(LOOK_SECONDS):
                        await again.wait()
                except TimeoutError:
                    continue
        finally:
            await end([task for _, task in running.values()])

    async def _look(
        self, teams: InstalledTeams, keep: Keep, running: dict[str, tuple[InstalledTeam, asyncio.Task[None]]]
    ) -> None:
        try:
            found: dict[str, InstalledTeam] = {}
            for key in await teams.keys():
                if not key and self._first:
                    continue
                try:
                    found[key] = await teams.of(key)
                except FlagmanError as error:
                    _log.debug("the workspace %s is left out: %s", key, error)
        except StorageError as error:
            _log.info("workspaces are not looked for: %s", error)
            return
        for key, (team, task) in list(running.items()):
            if found.get(key) is not team or task.done():
                await end([task])
                del running[key]
        for key in found.keys() - running.keys():
            task = asyncio.create_task(_kept(keep, found[key], self._context(found[key])))
            running[key] = (found[key], task)


async def _kept(keep: Keep, team: InstalledTeam, context: ListenerContext) -> None:
    await keep(team, context)


@asynccontextmanager
async def installing(parts: Core, app: AsyncApp, workspaces: Workspaces, keep: Keep) -> AsyncIterator[None]:
    """Take installations and removals, and keep what is shown in each workspace current."""
    teams, again = parts.teams, asyncio.Event()
    receive = Removal(parts, teams, again.set).receive if teams else removed_alone
    app.event("app_uninstalled")(receive)
    app.event("tokens_revoked")(receive)
    if teams is None:
        yield
        return
    await teams.installations.reseal()
    kept = asyncio.create_task(workspaces.keep(teams, keep, again))
    try:
        yield
    finally:
        await end([kept])


def mount_install(web_app: web.Application, parts: Core, settings: Settings) -> None:
    """Add the pages on which workspaces install Flagman, where they can."""
    teams, secret = parts.teams, settings.slack_client_secret
    if teams is None or secret is None:
        return

    async def done(key: str) -> None:
        await Removal(parts, teams, lambda: None).restored(key)

    flow.mount(
        web_app,
        teams,
        States(OnceStore(parts.redis)),
        settings.slack_client_id,
        secret.get_secret_value(),
        settings.authorize_url,
        done,
    )
