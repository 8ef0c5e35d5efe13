"""What Slack knows of people, groups and channels, for the walls around sessions."""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Collection, Mapping
from typing import Any

import aiohttp
from slack_sdk.errors import SlackApiError
from slack_sdk.web.async_client import AsyncWebClient

from handlers.origin import channel_of
from handlers.users import GROUP_SECONDS, GroupUnknown, NameUnknown, People, code_of, user_of
from supervisor.core.errors import FlagmanError, NotAllowed
from supervisor.core.events import Actor
from supervisor.core.events.base import ActorKind
from supervisor.core.messages import Json
from supervisor.core.persona import Approvers, NameFound, NameKind
from supervisor.core.rights import check_standing

# What was read of a person or a channel counts for a minute, and for an hour where Slack cannot be asked again.
FRESH_SECONDS, STALE_SECONDS = 60.0, 3600.0
MOST_PAGES = 20
_PAGE = 1000
# Slack's codes for a person who is not there.
_NO_PERSON = {"user_not_found", "users_not_found", "user_not_visible", "invalid_user_id"}
_UNREACHABLE = (SlackApiError, aiohttp.ClientError, TimeoutError, OSError)
_log = logging.getLogger("flagman.people")


class ActorUnknown(FlagmanError):
    """Slack does not say who a person is, or who is in a channel, so no right can be given."""

    code = "actor_unknown"

    def __init__(self, what: str) -> None:
        super().__init__(
            f"Slack does not say {what} right now, so nothing was done. Please try again in a moment."
        )


class _Recent:
    """Answers of Slack by key, each with the time when it was read."""

    def __init__(self) -> None:
        self._rows: dict[str, tuple[float, Any]] = {}

    def get(self, key: str, seconds: float = FRESH_SECONDS) -> Any:
        at, value = self._rows.get(key, (0.0, None))
        return value if at and time.monotonic() - at < seconds else None

    def put(self, key: str, value: Any) -> None:
        self._rows[key] = (time.monotonic(), value)


class SlackDirectory:
    """The directory of `supervisor.contract.directory`. Before `connect` it knows programs only.

    `admins` are ids of people or keys, and `teams` the ids of further workspaces whose members have rights.
    """

    def __init__(self, admins: Collection[str], teams: Collection[str]) -> None:
        self._admins, self._teams = frozenset(admins), frozenset(teams)
        self._client: AsyncWebClient | None = None
        self._people: People | None = None
        self._own: frozenset[str] = frozenset()
        self._users, self._channels = _Recent(), _Recent()

    def connect(self, client: AsyncWebClient, people: People, identity: Mapping[str, Any]) -> None:
        """Ask this client from now on; `identity` is the answer of `auth.test`."""
        self._client, self._people = client, people
        self._own = frozenset(
            str(identity[name]) for name in ("team_id", "enterprise_id") if identity.get(name)
        )

    async def identify(self, actor: Actor) -> Actor:
        """The actor with kind, team and whether it is an admin; for a key, those of its owner. Raises ActorUnknown."""
        is_admin = bool(self._admins & {who.removeprefix("slack:") for who in actor.ids})
        user = user_of(actor)
        if not user:
            return actor.model_copy(update={"admin": actor.admin or is_admin})
        found = await self._user(user)
        kind, team = self._kind(found), str(found.get("team_id") or "")
        if actor.kind == "program" and kind == "member":
            kind = "program"
        if actor.id != actor.person:
            # A key has the rights of an admin by its scope, and never more than its owner.
            is_admin = actor.admin and (is_admin or not self._admins)
        admin = is_admin and kind in ("member", "program")
        return actor.model_copy(update={"kind": kind, "team": team, "admin": admin})

    def _kind(self, user: Mapping[str, Any]) -> ActorKind:
        teams = {
            str(user.get("team_id") or ""),
            *map(str, (user.get("enterprise_user") or {}).get("teams") or []),
        }
        if user.get("deleted"):
            return "deactivated"
        if user.get("is_bot") or user.get("is_workflow_bot") or user.get("id") == "USLACKBOT":
            return "bot"
        if user.get("is_stranger") or not teams & (self._own | self._teams):
            return "external"
        if user.get("is_restricted") or user.get("is_ultra_restricted"):
            return "guest"
        return "member"

    async def _user(self, user: str) -> Mapping[str, Any]:
        if (known := self._users.get(user)) is not None:
            return known  # type: ignore[no-any-return]
        try:
            if self._client is None:
                raise TimeoutError
            async with asyncio.timeout(GROUP_SECONDS):
                answer: Any = await self._client.users_info(user=user)
        except _UNREACHABLE as error:
            if (known := self._users.get(user, STALE_SECONDS)) is not None:
                return known  # type: ignore[no-any-return]
            _log.error("person %s cannot be read: %r", user, error)
            raise ActorUnknown("who you are") from error
        self._users.put(user, answer["user"])
        return answer["user"]  # type: ignore[no-any-return]

    async def in_groups(self, actor: Actor, groups: Collection[str]) -> Actor:
        """The actor with those of the groups of which the person is a member now. Raises GroupUnknown."""
        if not user_of(actor) or self._people is None:
            return actor
        return await self._people.in_groups(actor, groups)

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
        person = name.removeprefix("slack:")
        # Not one of the answers that are kept: whether an account is active counts for a minute at decisions.
        try:
            async with asyncio.timeout(GROUP_SECONDS):
                if self._client is None:
                    raise TimeoutError
                answer: Any = await self._client.users_info(user=person)
        except _UNREACHABLE as error:
            if code_of(error) in _NO_PERSON:
                return NameFound(exists=False, said=f"Slack knows no person `{person}`")
            raise NameUnknown(error) from error
        if answer["user"].get("deleted"):
            return NameFound(exists=False, said=f"the account `{person}` is deactivated")
        return NameFound(exists=True)

    async def _look_up_team(self, team: str) -> NameFound:
        if team in self._own | self._teams:
            return NameFound(exists=True)
        try:
            async with asyncio.timeout(GROUP_SECONDS):
                if self._client is None or not team.startswith("T"):
                    # There is no method that tells of an organization.
                    raise TimeoutError
                answer: Any = await self._client.team_info(team=team)
        except _UNREACHABLE as error:
            if code_of(error) == "team_not_found":
                return NameFound(exists=False, said=f"Slack knows no workspace `{team}`")
            raise NameUnknown(error) from error
        exists = (answer.get("team") or {}).get("id") == team
        return NameFound(exists=exists, said="" if exists else f"Slack knows no workspace `{team}`")

    async def reach(self, rule: Approvers, without: Collection[str]) -> int:
        """How many people could approve by the rule, without those left out. Raises GroupUnknown."""
        gone = {who.removeprefix("slack:") for who in without}
        named = {user.removeprefix("slack:") for user in rule.users} - gone
        members: set[str] = set()
        for group in rule.groups if self._people else ():
            assert self._people
            try:
                members |= await self._people.members_of(group)
            except GroupUnknown as unknown:
                if not unknown.lasting:
                    raise
        able = 0
        for who in sorted(named | (members - gone)):
            able += await self._is_able(who, rule, named=who in named)
            if able >= rule.quorum:
                break
        return able

    async def _is_able(self, who: str, rule: Approvers, *, named: bool) -> bool:
        """Whether a person or key could approve; one that cannot be read may be able."""
        if who.startswith("api:"):
            return True
        try:
            actor = await self.identify(Actor(id=f"slack:{who}"))
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
        if not user or actor.id != actor.person or self._client is None:
            # A key sees by its scopes what its owner does not ask for.
            return False
        about = await self._channel(channel)
        if about.get("is_im"):
            return None
        is_open = not about.get("is_private") and not about.get("is_mpim")
        if not about or (is_open and actor.kind == "member"):
            return bool(about)
        return user in await self._members(channel)

    async def _channel(self, channel: str) -> Mapping[str, Any]:
        """The channel as Slack describes it; empty for one that the bot does not see."""
        if (known := self._channels.get(channel)) is not None:
            return known  # type: ignore[no-any-return]
        found: Mapping[str, Any]
        try:
            async with asyncio.timeout(GROUP_SECONDS):
                assert self._client
                answer: Any = await self._client.conversations_info(channel=channel)
            found = answer["channel"]
        except _UNREACHABLE as error:
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
                    assert self._client
                    answer: Any = await self._client.conversations_members(
                        channel=channel, cursor=cursor, limit=_PAGE
                    )
                    members.update(answer.get("members") or [])
                    cursor = (answer.get("response_metadata") or {}).get("next_cursor") or ""
                    if not cursor:
                        break
        except _UNREACHABLE as error:
            return self._stale(key, error)  # type: ignore[no-any-return]
        self._channels.put(key, frozenset(members))
        return frozenset(members)

    def _stale(self, key: str, error: Exception) -> Any:
        known = self._channels.get(key, STALE_SECONDS)
        if known is None:
            _log.error("channel %s cannot be read: %r", key, error)
            raise ActorUnknown("who is in this channel") from error
        return known
