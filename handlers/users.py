"""People in Slack: the actor of a payload, with name, time zone and the user groups that a policy names."""

from __future__ import annotations

import asyncio
import logging
import time
from collections import OrderedDict
from collections.abc import Collection, Mapping
from typing import Any

import aiohttp
from slack_sdk.errors import SlackApiError
from slack_sdk.web.async_client import AsyncWebClient

from handlers.markup import readable, unnamed
from handlers.team_ids import actor_id, bare
from supervisor.core.errors import FlagmanError
from supervisor.core.events import Actor
from supervisor.core.persona import NameFound

# What was read counts for a minute, and for an hour where Slack cannot be asked again; so many rows are kept.
FRESH_SECONDS, STALE_SECONDS, KEPT = 60.0, 3600.0, 10_000
# The most seconds to wait for Slack: a listener has to acknowledge within three seconds in all.
NAME_SECONDS, GROUP_SECONDS = 0.5, 1.5
# The most people, channels and groups of one message that are looked up; others are shown by id.
MOST_NAMES = 20
# Slack's codes for a plan without user groups.
_NO_GROUPS = {"paid_teams_only", "plan_upgrade_required"}
_NO_GROUP, _NO_SCOPE = "no_such_subteam", "missing_scope"
# In a payload, the workspace for which Flagman got it.
TEAM = "flagman_team"
UNREACHABLE = (SlackApiError, aiohttp.ClientError, TimeoutError, OSError)
_log = logging.getLogger("flagman.people")


class GroupUnknown(FlagmanError):
    """The members of a group cannot be read from Slack, so no person counts as a member."""

    code = "group_unknown"

    def __init__(self, group: str, why: str = "") -> None:
        super().__init__(
            why or f"Slack does not say who is in {group} right now. Please try again in a moment."
        )


class GroupLost(GroupUnknown):
    """As `GroupUnknown`, until somebody changes the persona, the app or the plan."""

    lasting = True


class ActorUnknown(FlagmanError):
    """Slack does not say who a person is, or who is in a channel, so no right can be given."""

    code = "actor_unknown"

    def __init__(self, what: str) -> None:
        super().__init__(
            f"Slack does not say {what} right now, so nothing was done. Please try again in a moment."
        )


class NameUnknown(FlagmanError):
    """Slack does not say whether a person, group or team exists."""

    code = "name_unknown"

    def __init__(self, error: BaseException | None) -> None:
        code = code_of(error)
        why = f"Slack does not say ({code or 'no answer'})."
        super().__init__("This workspace's plan has no user groups." if code in _NO_GROUPS else why)


class ZoneUnknown(FlagmanError):
    """The time zone of a person cannot be read from Slack, so `09:00` has no meaning."""

    code = "zone_unknown"

    def __init__(self) -> None:
        super().__init__("Slack does not say your time zone right now. Please try again in a moment.")


def actor_of(body: dict[str, Any]) -> Actor:
    """Return the person who sent a command, click, view or event; the router has entered its workspace as `TEAM`."""
    user, team = body.get("user"), str(body.get(TEAM) or "")
    if isinstance(user, dict):
        return Actor(id=actor_id(team, user["id"]), name=str(user.get("name") or user.get("username") or ""))
    if body.get("user_id"):
        return Actor(id=actor_id(team, body["user_id"]), name=str(body.get("user_name") or ""))
    event = body.get("event") or {}
    return Actor(id=actor_id(team, event.get("user", "unknown")))


def name_of(user: Mapping[str, Any]) -> str:
    """Return the name that Slack shows of a person, as `users.info` describes them."""
    profile = user.get("profile") or {}
    return str(profile.get("display_name") or user.get("real_name") or user.get("name") or "")


def user_of(actor: Actor) -> str:
    """Return the id in its workspace of the person who acts, or whose key acts; empty for a program."""
    return bare(actor.person) if actor.person.startswith("slack:") else ""


class Recent:
    """Answers of Slack by key, each with the time when it was read; the least recently read are forgotten."""

    def __init__(self) -> None:
        self._rows: OrderedDict[str, tuple[float, Any]] = OrderedDict()

    def get(self, key: str, seconds: float = FRESH_SECONDS) -> Any:
        """The answer, where it is not older than `seconds`; otherwise None."""
        at, value = self._rows.get(key, (0.0, None))
        return value if at and time.monotonic() - at < seconds else None

    def put(self, key: str, value: Any) -> None:
        self._rows[key] = (time.monotonic(), value)
        self._rows.move_to_end(key)
        while len(self._rows) > KEPT:
            self._rows.popitem(last=False)


class People:
    """Reads people, who are remembered for a minute, and group memberships."""

    def __init__(self, client: AsyncWebClient) -> None:
        self.client = client
        self._handles: tuple[float, dict[str, str]] = (0.0, {})
        self._readings: dict[str, asyncio.Future[frozenset[str]]] = {}
        self._channels: dict[str, str] = {}
        self._users, self._members = Recent(), Recent()

    async def user(self, user: str) -> Mapping[str, Any]:
        """The person as Slack describes them now, or within the last hour. Raises one of UNREACHABLE."""
        known: Mapping[str, Any] | None = self._users.get(user)
        if known is not None:
            return known
        try:
            async with asyncio.timeout(GROUP_SECONDS):
                answer: Any = await self.client.users_info(user=user)
        except UNREACHABLE:
            known = self._users.get(user, STALE_SECONDS)
            if known is None:
                raise
            return known
        self._users.put(user, answer["user"])
        return answer["user"]  # type: ignore[no-any-return]

    async def zone(self, actor: Actor) -> str:
        """Return the IANA time zone that the person has chosen in Slack. Raises ZoneUnknown."""
        user = bare(actor.id.partition(":")[2])
        try:
            found = await self.user(user)
        except UNREACHABLE as error:
            _log.error("the time zone of %s cannot be read: %r", user, error)
            raise ZoneUnknown from error
        return str(found.get("tz") or "UTC")

    async def named(self, actor: Actor) -> Actor:
        """Return the actor with the display name in Slack; unchanged where it cannot be read."""
        if actor.name:
            return actor
        return actor.model_copy(update={"name": await self._label(f"@{bare(actor.id.partition(':')[2])}")})

    async def readable(self, text: str) -> str:
        """Return what the person saw in their message; what Slack does not name stays an id."""
        marks = unnamed(text)[:MOST_NAMES]
        labels = await asyncio.gather(*map(self._label, marks))
        return readable(text, dict(zip(marks, labels, strict=True)))

    async def _label(self, mark: str) -> str:
        """Return how Slack shows `@U1`, `#C1` or `!subteam^S1`; empty where it does not say."""
        try:
            async with asyncio.timeout(NAME_SECONDS):
                match mark[0]:
                    case "@":
                        return await self._name_of(mark[1:])
                    case "#":
                        return await self._channel_of(mark[1:])
                handles = {ident: handle for handle, ident in (await self._group_ids()).items()}
        except UNREACHABLE as error:
            _log.warning("the name of %s cannot be read: %r", mark, error)
            return ""
        handle = handles.get(mark.removeprefix("!subteam^"))
        return f"@{handle}" if handle else ""

    async def _name_of(self, user: str) -> str:
        return name_of(await self.user(user))

    async def _channel_of(self, channel: str) -> str:
        if channel not in self._channels:
            answer: Any = await self.client.conversations_info(channel=channel)
            self._channels[channel] = str(answer["channel"].get("name") or "")
        return self._channels[channel]

    async def in_groups(self, actor: Actor, asked: Collection[str], *, recent: bool = False) -> Actor:
        """Return the actor with those of the groups that the person is a member of now. Raises GroupUnknown.

        A person who was removed from a group has lost the right, so only with `recent` do memberships of the last
        minute count.
        """
        ordered, user = sorted(asked), user_of(actor)
        members = await asyncio.gather(*map(self.recent_members if recent else self.members_of, ordered))
        groups = [group for group, found in zip(ordered, members, strict=True) if user in found]
        return actor.model_copy(update={"groups": tuple(groups)})

    async def look_up(self, group: str) -> NameFound:
        """Whether there is such a group, by its handle or id, and whether anybody is in it. Raises NameUnknown."""
        unknown = NameFound(exists=False, said=f"Slack knows no user group `{group}`")
        try:
            async with asyncio.timeout(GROUP_SECONDS):
                handles = await self._group_ids()
        except UNREACHABLE as error:
            raise NameUnknown(error) from error
        if group not in handles and group not in handles.values():
            return unknown
        try:
            members = await self.members_of(group)
        except GroupUnknown as problem:
            if code_of(problem.__cause__) == _NO_GROUP:
                return unknown
            raise NameUnknown(problem.__cause__) from problem
        return NameFound(
            exists=True, said="" if members else f"nobody is a member of the user group `{group}`"
        )

    async def members_of(self, group: str) -> frozenset[str]:
        """Return the ids of the people in a group at this moment; requests at the same time share one reading.

        Raises GroupUnknown.
        """
        reading = self._readings.get(group)
        if reading is None:
            reading = self._readings[group] = asyncio.ensure_future(self._read_members(group))
            reading.add_done_callback(lambda _: self._readings.pop(group, None))
        return await asyncio.shield(reading)

    async def recent_members(self, group: str) -> frozenset[str]:
        """As `members_of`, or as it was within the last minute: for lists and for whom to tell, not for decisions."""
        known: frozenset[str] | GroupLost | None = self._members.get(group)
        if isinstance(known, GroupLost):
            raise known
        return await self.members_of(group) if known is None else known

    async def _read_members(self, group: str) -> frozenset[str]:
        try:
            async with asyncio.timeout(GROUP_SECONDS):
                ident = (await self._group_ids()).get(group, group)
                answer: Any = await self.client.usergroups_users_list(usergroup=ident)
        except UNREACHABLE as error:
            _log.error("the members of group %s cannot be read: %r", group, error)
            why = _why_lost(group, code_of(error))
            if not why:
                raise GroupUnknown(group) from error
            lost = GroupLost(group, why)
            self._members.put(group, lost)
            raise lost from error
        found = frozenset(answer.get("users") or [])
        self._members.put(group, found)
        return found

    async def group_ids(self) -> Mapping[str, str]:
        """The ids of the user groups by their handles, as within the last minute. Raises one of UNREACHABLE."""
        async with asyncio.timeout(GROUP_SECONDS):
            return await self._group_ids()

    async def _group_ids(self) -> dict[str, str]:
        at, handles = self._handles
        if not at or time.monotonic() - at > FRESH_SECONDS:
            answer: Any = await self.client.usergroups_list()
            handles = {str(g["handle"]): str(g["id"]) for g in answer.get("usergroups") or []}
            self._handles = (time.monotonic(), handles)
        return handles


def _why_lost(group: str, code: str) -> str:
    """Return why by Slack's code nobody is a member of a group until somebody changes something; otherwise empty."""
    nobody = f"so nobody counts as a member of {group}"
    if code in _NO_GROUPS:
        return f"This workspace's plan has no user groups, {nobody}. Name users in the persona instead."
    if code == _NO_GROUP:
        return f"Slack knows no user group {group}, {nobody}. Correct its name in the persona."
    if code == _NO_SCOPE:
        return f"Flagman may not read user groups, {nobody}. Give its app the scope usergroups:read."
    return ""


def code_of(error: BaseException | None) -> str:
    """Slack's code in an error of its client; empty where it is another error."""
    response: Any = getattr(error, "response", None)
    data = getattr(response, "data", None)
    return str(data.get("error", "")) if isinstance(data, dict) else ""
