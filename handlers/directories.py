"""The directories of all workspaces as one, which asks the workspace of each actor."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import Any, Protocol

from slack_sdk.web.async_client import AsyncWebClient

from handlers.directory import SlackDirectory
from handlers.team_ids import team_of
from handlers.users import ActorUnknown, NameUnknown, People
from supervisor.core.errors import FlagmanError
from supervisor.core.events import Actor
from supervisor.core.events.base import workspace_of
from supervisor.core.messages import Json
from supervisor.core.persona import Approvers, NameFound, NameKind


class WorkspaceGone(FlagmanError):
    """Flagman was removed from a workspace, so nothing can be asked or shown there."""

    code = "workspace_gone"
    lasting = True

    def __init__(self, team: str) -> None:
        super().__init__(
            f"Flagman is not installed in the workspace {team}; somebody there can install it again."
            if team
            else "Ids without a workspace are those of the first one, and there is none; write T0123ABCD/U0123ABCD."
        )


class Team(Protocol):
    """A workspace in which Flagman is installed. `client` is for listeners, and `outbox` for the worker."""

    @property
    def key(self) -> str: ...
    @property
    def client(self) -> AsyncWebClient: ...
    @property
    def outbox(self) -> AsyncWebClient: ...
    @property
    def directory(self) -> SlackDirectory: ...
    @property
    def people(self) -> People: ...


class Teams(Protocol):
    """The workspaces in which Flagman is installed."""

    async def of(self, key: str) -> Team:
        """The workspace. Raises WorkspaceGone."""
        ...

    async def keys(self) -> list[str]:
        """Those that are installed; the empty key stands for the first one."""
        ...


class Directories:
    """The directory of `supervisor.contract`; `home` is that of the first workspace."""

    def __init__(self, admins: Collection[str], teams: Collection[str]) -> None:
        self._admins, self._admitted = admins, teams
        self.home = self.of_team("")
        self._teams: Teams | None = None

    def of_team(self, key: str) -> SlackDirectory:
        """A directory for a workspace, which is not connected as yet."""
        return SlackDirectory(self._admins, self._admitted, key)

    def attach(self, teams: Teams) -> None:
        """Ask these workspaces from now on."""
        self._teams = teams

    async def at(self, key: str) -> SlackDirectory:
        """The directory of a workspace. Raises WorkspaceGone."""
        if self._teams is not None and (key or not self.home.connected):
            return (await self._teams.of(key)).directory
        if key:
            raise WorkspaceGone(key)
        return self.home

    async def _of(self, actor: Actor) -> SlackDirectory:
        return self.home if actor.workspace is None else await self.at(actor.workspace)

    async def _where(self, origin: Json) -> SlackDirectory:
        key = workspace_of(origin)
        return await self.at(key) if key else self.home

    def connect(self, people: People, identity: Mapping[str, Any] | None = None) -> None:
        """Ask these people of the first workspace from now on; see `SlackDirectory`."""
        self.home.connect(people, identity)

    @property
    def connected(self) -> bool:
        """Whether any workspace is asked."""
        return self.home.connected or self._teams is not None

    async def address_of(self, key: str) -> str:
        """The address of a workspace, for links; empty where it is not known."""
        try:
            return (await self.at(key)).workspace
        except WorkspaceGone:
            return ""

    async def client_of(self, key: str) -> AsyncWebClient | None:
        """The client of a workspace; None where Slack is not asked. Raises WorkspaceGone."""
        return (await self.at(key)).client

    async def identify(self, actor: Actor) -> Actor:
        return await (await self._of(actor)).identify(actor)

    async def is_active(self, person: str) -> bool:
        """Whether an account is active, as known within the last minute; True where Slack does not say it."""
        try:
            return (await self.identify(Actor(id=person))).kind != "deactivated"
        except (ActorUnknown, WorkspaceGone):
            return True

    async def in_groups(self, actor: Actor, groups: Collection[str], *, recent: bool = False) -> Actor:
        return await (await self._of(actor)).in_groups(actor, groups, recent=recent)

    async def sees(self, actor: Actor, origin: Json) -> bool | None:
        return await (await self._of(actor)).sees(actor, origin)

    async def may_post(self, actor: Actor, origin: Json) -> bool | None:
        return await (await self._where(origin)).may_post(actor, origin)

    async def owns(self, actor: Actor, origin: Json) -> bool:
        return await (await self._of(actor)).owns(actor, origin)

    async def reach(self, rule: Approvers, without: Collection[str], workspace: str = "") -> int:
        return await (await self.at(workspace)).reach(rule, without)

    async def look_up(self, kind: NameKind, name: str) -> NameFound:
        """As that of `SlackDirectory`: a person in their workspace, anything else in any that is installed."""
        if kind == "person":
            try:
                return await (await self.at(team_of(name))).look_up(kind, name)
            except WorkspaceGone as gone:
                return NameFound(exists=False, said=str(gone).removesuffix("."))
        keys = [""] if self.home.connected or self._teams is None else []
        keys += [key for key in (await self._teams.keys() if self._teams else ()) if key not in keys]
        found = [await (await self.at(key)).look_up(kind, name) for key in keys]
        if not found:
            raise NameUnknown(None)
        return next((one for one in found if one.exists), found[0])
