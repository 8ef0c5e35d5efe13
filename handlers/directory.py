"""What Slack knows of people, groups and channels, for the walls around sessions."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncGenerator, Collection, Mapping
from typing import Any

from slack_sdk.web.async_client import AsyncWebClient

from handlers.origin import Place, channel_of
from handlers.team_ids import actor_id, bare, team_of
from handlers.users import (
    GROUP_SECONDS,
    STALE_SECONDS,
    UNREACHABLE,
    ActorUnknown,
    GroupUnknown,
    NameUnknown,
    People,
    Recent,
    code_of,
    name_of,
    user_of,
)
from handlers.workspaces import Home, teams_of, workspaces_of
from supervisor.core.errors import NotAllowed
from supervisor.core.events import Actor
from supervisor.core.messages import Json
from supervisor.core.persona import Approvers, NameFound, NameKind
from supervisor.core.rights import check_standing

MOST_PAGES = 20
_PAGE = 1000
# Slack's codes for a person who is not there.
_NO_PERSON = {"user_not_found", "users_not_found", "user_not_visible", "invalid_user_id"}
_log = logging.getLogger("flagman.people")


class SlackDirectory:
    """What one workspace knows; `Directories` asks that of each actor. Before `connect` it knows programs only.

    `admins` are ids of people or keys, and `teams` the ids of further workspaces whose members have rights.
    `team` is the workspace of the ids of actors, empty for the first one. `workspace` is the address of the workspace,
    once that is known. Methods that take no actor know people by their ids in the workspace alone.
    """

    def __init__(self, admins: Collection[str], teams: Collection[str], team: str = "") -> None:
        self._all_admins, self._teams, self.team = frozenset(admins), frozenset(teams), team
        self._people: People | None = None
        self._home: Home | None = None
        self.workspace = ""
        self._channels = Recent()

    def connect(
        self, people: People, identity: Mapping[str, Any] | None = None, home: Home | None = None
    ) -> None:
        """Ask these people from now on; `identity` is the answer of `auth.test`, asked for where it is not given."""
        self._people = people
        self._home = home or (Home.of(identity) if identity else None)
        self.workspace = str((identity or {}).get("url") or "")

    @property
    def _admins(self) -> frozenset[str]:
        """The ids of the admins of this workspace, and of the keys that are admins."""
        return frozenset(filter(None, map(self.local, self._all_admins)))

    def local(self, who: str) -> str:
        """The id of a person of this workspace, or of a key, as Slack has it; empty for a person of another one."""
        if who.startswith("api:"):
            return who
        own = {self.team, self._home.id} if self._home and not self.team else {self.team}
        return bare(who) if team_of(who) in own else ""

    @property
    def connected(self) -> bool:
        """Whether Slack is asked."""
        return self._people is not None

    @property
    def client(self) -> AsyncWebClient | None:
        """The client that asks Slack."""
        return self._people.client if self._people else None

    async def identify(self, actor: Actor) -> Actor:
        """The actor with kind, teams and whether it is an admin; for a key, those of its owner. Raises ActorUnknown."""
        is_admin = bool(self._admins & set(map(self.local, actor.ids)))
        user = user_of(actor)
        if not user:
            return actor.model_copy(update={"admin": actor.admin or is_admin})
        found = await self._user(user)
        kind, teams = (await self._at_home()).kind(found, self._teams), teams_of(found)
        if actor.kind == "program" and kind == "member":
            kind = "program"
        if actor.id != actor.person:
            # A key has the rights of an admin by its scope, and never more than its owner.
            is_admin = actor.admin and (is_admin or not self._admins)
        admin = is_admin and kind in ("member", "program")
        name = actor.name or name_of(found)
        return actor.model_copy(update={"name": name, "kind": kind, "teams": teams, "admin": admin})

    async def _at_home(self) -> Home:
        """Where Flagman is installed. Raises ActorUnknown."""
        if self._home is None:
            try:
                if self._people is None:
                    raise TimeoutError
                async with asyncio.timeout(GROUP_SECONDS):
                    answer: Any = await self._people.client.auth_test()
            except UNREACHABLE as error:
                raise ActorUnknown("where it is installed") from error
            self._home = Home.of(answer)
        return self._home

    async def _user(self, user: str) -> Mapping[str, Any]:
        try:
            if self._people is None:
                raise TimeoutError
            return await self._people.user(user)
        except UNREACHABLE as error:
            _log.error("person %s cannot be read: %r", user, error)
            if code_of(error) in _NO_PERSON:
                # Nobody is behind such a key, as behind that of a deactivated account.
                return {"id": user, "deleted": True}
            raise ActorUnknown("who you are") from error

    async def in_groups(self, actor: Actor, groups: Collection[str], *, recent: bool = False) -> Actor:
        """The actor with those of the groups of which the person is a member now. Raises GroupUnknown."""
        if not user_of(actor) or self._people is None:
            return actor
        return await self._people.in_groups(actor, groups, recent=recent)

    async def look_up(self, kind: NameKind, name: str) -> NameFound:
        """Whether Slack knows a person, group or team that a persona names. Raises NameUnknown where it does not say.

        A deactivated person counts as unknown. A group without members is known, and told.
        """
        if kind == "group":
            if self._people is None:
                raise NameUnknown(None)
            return await self._people.look_up(name)
        if kind == "team":
            return await self._look_up_team(name)
        person = self.local(name)
        if not person:
            return NameFound(exists=False, said=f"Flagman is in no workspace with the person `{name}`")
        # Not one of the answers that are kept: whether an account is active counts for a minute at decisions.
        try:
            async with asyncio.timeout(GROUP_SECONDS):
                if self.client is None:
                    raise TimeoutError
                answer: Any = await self.client.users_info(user=person)
        except UNREACHABLE as error:
            if code_of(error) in _NO_PERSON:
                return NameFound(exists=False, said=f"Slack knows no person `{person}`")
            raise NameUnknown(error) from error
        if answer["user"].get("deleted"):
            return NameFound(exists=False, said=f"the account `{person}` is deactivated")
        return NameFound(exists=True)

    async def _look_up_team(self, team: str) -> NameFound:
        if team in self._teams or (self._home and team == self._home.id):
            return NameFound(exists=True)
        try:
            async with asyncio.timeout(GROUP_SECONDS):
                if self.client is None or not team.startswith("T"):
                    # There is no method that tells of an organization.
                    raise TimeoutError
                answer: Any = await self.client.team_info(team=team)
        except UNREACHABLE as error:
            if code_of(error) == "team_not_found":
                return NameFound(exists=False, said=f"Slack knows no workspace `{team}`")
            raise NameUnknown(error) from error
        exists = (answer.get("team") or {}).get("id") == team
        return NameFound(exists=exists, said="" if exists else f"Slack knows no workspace `{team}`")

    async def group_ids(self) -> Mapping[str, str]:
        """The ids of user groups by their handles; none where Slack is not asked. Raises one of UNREACHABLE."""
        return await self._people.group_ids() if self._people else {}

    async def reach(self, rule: Approvers, without: Collection[str], workspace: str = "") -> int:
        """How many people could approve by the rule, without those left out. Raises GroupUnknown."""
        able = 0
        async for _ in self.able(rule, without, recent=False):
            able += 1
            if able >= rule.quorum:
                break
        return able

    async def able(
        self, rule: Approvers, without: Collection[str], *, first: Collection[str] = (), recent: bool = True
    ) -> AsyncGenerator[str]:
        """The people and keys that could approve by the rule, without those left out; those in `first` come first.

        By a rule that names nobody these are the people in `first`, and the admins. `recent`: with the groups as they
        were within the last minute. Raises GroupUnknown.
        """
        gone = set(map(self.local, without))
        users = [who for user in rule.users if (who := self.local(user))]
        found = dict.fromkeys(users)
        for group in rule.groups if self._people else ():
            assert self._people
            read = self._people.recent_members if recent else self._people.members_of
            try:
                found |= dict.fromkeys(sorted(await read(group)))
            except GroupUnknown as unknown:
                if not unknown.lasting:
                    raise
        if not rule.named:
            found = dict.fromkeys([*sorted(first), *sorted(self._admins)])
        for who in sorted(found, key=lambda who: who not in first):
            if who not in gone and await self._is_able(who, rule, named=who in users):
                yield who

    async def group_problem(self, group: str) -> str:
        """Why the members of a group cannot be read until somebody has changed something; otherwise empty."""
        try:
            if self._people:
                await self._people.recent_members(group)
        except GroupUnknown as unknown:
            return str(unknown) if unknown.lasting else ""
        return ""

    async def _is_able(self, who: str, rule: Approvers, *, named: bool) -> bool:
        """Whether a person or key could approve; one that cannot be read may be able."""
        if who.startswith("api:"):
            return True
        try:
            actor = await self.identify(Actor(id=actor_id(self.team, who)))
        except ActorUnknown:
            return True
        if named and actor.kind != "deactivated":
            return True
        try:
            check_standing(actor, guests=rule.guests, teams=rule.teams)
        except NotAllowed:
            return False
        return True

    async def sees(self, actor: Actor, origin: Json) -> bool | None:
        """Whether the person sees the channel of the origin; None for a direct conversation or none.

        Raises ActorUnknown where Slack cannot be asked.
        """
        channel, user = channel_of(origin), user_of(actor)
        if channel[:1] not in ("C", "G"):
            return None
        if not user or actor.id != actor.person or self._people is None:
            # A key sees by its scopes what its owner does not ask for.
            return False
        about = await self._channel(channel)
        if about.get("is_im"):
            return None
        is_open = not about.get("is_private") and not about.get("is_mpim")
        if not about or (is_open and await self._is_of(actor, about)):
            return bool(about)
        return user in await self._members(channel)

    async def may_post(self, actor: Actor, origin: Json) -> bool | None:
        """Whether the actor, or the owner of its key, sees the place of an origin; True for none.

        None for a channel that the bot does not see. A key without an owner sees public channels, and others by its
        scopes. Raises ActorUnknown.
        """
        channel, user = channel_of(origin), user_of(actor)
        sees_all = actor.admin or (actor.reads_all and not user)
        if not channel or channel == user:
            return True
        if self._people is None and not user:
            return True
        if channel[:1] not in ("C", "G"):
            own = channel[:1] == "D" and channel == await self._direct(user)
            return True if sees_all or own else None
        about = await self._described(channel)
        if not about:
            return None
        if sees_all:
            return True
        if not user:
            return not about.get("is_private") and not about.get("is_mpim")
        person = Actor(id=actor.person, kind="member" if actor.kind == "program" else actor.kind)
        return await self.sees(person.model_copy(update={"teams": actor.teams}), origin)

    async def owns(self, actor: Actor, origin: Json) -> bool:
        """Whether the place is the direct conversation with the person who acts. Raises ActorUnknown."""
        channel, user = channel_of(origin), user_of(actor)
        return channel[:1] == "D" and bool(user) and channel == await self._direct(user)

    async def _described(self, channel: str) -> Mapping[str, Any]:
        """As `_channel`. Raises ActorUnknown where Slack is not asked."""
        if self._people is None:
            raise ActorUnknown("who is in this channel")
        return await self._channel(channel)

    async def _direct(self, user: str) -> str:
        """The direct conversation with a person; empty where there is none."""
        if not user or self._people is None:
            return ""
        if (known := self._channels.get(f"direct {user}", STALE_SECONDS)) is not None:
            return str(known)
        try:
            async with asyncio.timeout(GROUP_SECONDS):
                answer: Any = await self._people.client.conversations_open(users=user)
        except UNREACHABLE as error:
            if not code_of(error):
                raise ActorUnknown("who is in this conversation") from error
            return ""
        self._channels.put(f"direct {user}", answer["channel"]["id"])
        return str(answer["channel"]["id"])

    async def is_direct(self, channel: str, user: str) -> bool:
        """Whether this is the direct conversation with a person; True where that is not known. Raises ActorUnknown."""
        return await self._direct(user) in ("", channel)

    async def viewers(self, channel: str) -> frozenset[str] | None:
        """Who sees a channel; None for a public one, and where that is not known.

        Raises ActorUnknown where Slack cannot be asked.
        """
        if self._people is None:
            return None
        about = await self._channel(channel)
        return await self._members(channel) if about.get("is_private") or about.get("is_mpim") else None

    async def is_outside(self, channel: str) -> bool:
        """Return whether the bot is known to be no member of a channel. Raises ActorUnknown."""
        return self._people is not None and (await self._channel(channel)).get("is_member") is False

    async def is_shown(self, channel: str, user: str) -> bool:
        """Whether a person sees a channel; True where that is not known. Raises as `viewers`."""
        if self._people is None or not await self._channel(channel):
            return True
        try:
            actor = await self.identify(Actor(id=actor_id(self.team, user)))
        except ActorUnknown:
            return True
        return await self.sees(actor, Place(channel, team=self.team).origin()) is not False

    async def _is_of(self, actor: Actor, channel: Mapping[str, Any]) -> bool:
        """Whether a member sees a public channel: in an organisation only one of a workspace of theirs."""
        if actor.kind != "member":
            return False
        workspaces = workspaces_of(channel) if (await self._at_home()).has_others else None
        return not workspaces or bool(workspaces & set(actor.teams))

    async def _channel(self, channel: str) -> Mapping[str, Any]:
        """The channel as Slack describes it; empty for one that the bot does not see."""
        if (known := self._channels.get(channel)) is not None:
            return known  # type: ignore[no-any-return]
        found: Mapping[str, Any]
        try:
            async with asyncio.timeout(GROUP_SECONDS):
                assert self._people
                answer: Any = await self._people.client.conversations_info(channel=channel)
            found = answer["channel"]
        except UNREACHABLE as error:
            if code_of(error) not in (
                "channel_not_found",
                "missing_scope",
                "method_not_supported_for_channel_type",
            ):
                return self._stale(channel, error)  # type: ignore[no-any-return]
            found = {}
        self._channels.put(channel, found)
        return found

    async def _members(self, channel: str) -> frozenset[str]:
        key = f"members {channel}"
        if (known := self._channels.get(key)) is not None:
            return known  # type: ignore[no-any-return]
        members: set[str] = set()
        cursor = ""
        try:
            async with asyncio.timeout(GROUP_SECONDS):
                for _ in range(MOST_PAGES):
                    assert self._people
                    answer: Any = await self._people.client.conversations_members(
                        channel=channel, cursor=cursor, limit=_PAGE
                    )
                    members.update(answer.get("members") or [])
                    cursor = (answer.get("response_metadata") or {}).get("next_cursor") or ""
                    if not cursor:
                        break
        except UNREACHABLE as error:
            return self._stale(key, error)  # type: ignore[no-any-return]
        self._channels.put(key, frozenset(members))
        return frozenset(members)

    def _stale(self, key: str, error: Exception) -> Any:
        known = self._channels.get(key, STALE_SECONDS)
        if known is None:
            _log.error("channel %s cannot be read: %r", key, error)
            raise ActorUnknown("who is in this channel") from error
        return known
