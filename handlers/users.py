"""People in Slack: the actor of a payload, with name, time zone and the user groups that a policy names."""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Collection
from typing import Any

import aiohttp
from slack_sdk.errors import SlackApiError
from slack_sdk.web.async_client import AsyncWebClient

from handlers.markup import readable, unnamed
from supervisor.core.errors import FlagmanError
from supervisor.core.events import Actor
from supervisor.core.persona import NameFound

FRESH_SECONDS = 60.0
# The most seconds to wait for Slack: a listener has to acknowledge within three seconds in all.
NAME_SECONDS, GROUP_SECONDS = 0.5, 1.5
# As many people, channels and groups of one message are looked up; more stay ids.
MOST_NAMES = 20
# Slack's codes for a plan without user groups.
_NO_GROUPS = {"paid_teams_only", "plan_upgrade_required"}
_UNREACHABLE = (aiohttp.ClientError, TimeoutError, OSError)
_log = logging.getLogger("flagman.people")


class GroupUnknown(FlagmanError):
    """The members of a group cannot be read from Slack, so no person counts as a member."""

    code = "group_unknown"

    def __init__(self, group: str, *, plan: bool = False, lasting: bool = False) -> None:
        """`lasting`: it does not pass by itself, since there is no such group, or the plan has none."""
        self.lasting = plan or lasting
        why = (
            f"This workspace's plan has no user groups, so nobody counts as a member of {group}. "
            "Name users in the persona's approvals instead."
            if plan
            else f"Slack does not say who is in {group} right now. Please try again in a moment."
        )
        super().__init__(why)


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
    """The person who sent a command, click, view or event."""
    user = body.get("user")
    if isinstance(user, dict):
        return Actor(id=f"slack:{user['id']}", name=str(user.get("name") or user.get("username") or ""))
    if body.get("user_id"):
        return Actor(id=f"slack:{body['user_id']}", name=str(body.get("user_name") or ""))
    event = body.get("event") or {}
    return Actor(id=f"slack:{event.get('user', 'unknown')}")


def user_of(actor: Actor) -> str:
    """The id in Slack of the person who acts, or whose key acts; empty for a program."""
    kind, _, user = actor.person.partition(":")
    return user if kind == "slack" else ""


class People:
    """Reads names and time zones, which are cached for a minute, and group memberships."""

    def __init__(self, client: AsyncWebClient) -> None:
        self._client = client
        self._handles: tuple[float, dict[str, str]] = (0.0, {})
        self._readings: dict[str, asyncio.Future[frozenset[str]]] = {}
        self._names: dict[str, str] = {}
        self._channels: dict[str, str] = {}
        self._zones: dict[str, tuple[float, str]] = {}

    async def zone(self, actor: Actor) -> str:
        """The IANA time zone that the person has chosen in Slack. Raises ZoneUnknown."""
        user = actor.id.partition(":")[2]
        at, zone = self._zones.get(user, (0.0, ""))
        if zone and time.monotonic() - at < FRESH_SECONDS:
            return zone
        try:
            async with asyncio.timeout(GROUP_SECONDS):
                answer: Any = await self._client.users_info(user=user)
        except (SlackApiError, *_UNREACHABLE) as error:
            _log.error("the time zone of %s cannot be read: %r", user, error)
            raise ZoneUnknown from error
        zone = str(answer["user"].get("tz") or "UTC")
        self._zones[user] = (time.monotonic(), zone)
        return zone

    async def named(self, actor: Actor) -> Actor:
        """The actor with the display name in Slack; unchanged where it cannot be read."""
        if actor.name:
            return actor
        return actor.model_copy(update={"name": await self._label(f"@{actor.id.partition(':')[2]}")})

    async def readable(self, text: str) -> str:
        """What the person saw in their message; what Slack does not name stays an id."""
        marks = unnamed(text)[:MOST_NAMES]
        labels = await asyncio.gather(*map(self._label, marks))
        return readable(text, dict(zip(marks, labels, strict=True)))

    async def _label(self, mark: str) -> str:
        """How Slack shows `@U1`, `#C1` or `!subteam^S1`; empty where it does not say."""
        try:
            async with asyncio.timeout(NAME_SECONDS):
                match mark[0]:
                    case "@":
                        return await self._name_of(mark[1:])
                    case "#":
                        return await self._channel_of(mark[1:])
                handles = {ident: handle for handle, ident in (await self._group_ids()).items()}
        except (SlackApiError, *_UNREACHABLE) as error:
            _log.warning("the name of %s cannot be read: %r", mark, error)
            return ""
        handle = handles.get(mark.removeprefix("!subteam^"))
        return f"@{handle}" if handle else ""

    async def _name_of(self, user: str) -> str:
        if user not in self._names:
            answer: Any = await self._client.users_info(user=user)
            found = answer["user"]
            profile = found.get("profile") or {}
            self._names[user] = str(
                profile.get("display_name") or found.get("real_name") or found.get("name") or ""
            )
        return self._names[user]

    async def _channel_of(self, channel: str) -> str:
        if channel not in self._channels:
            answer: Any = await self._client.conversations_info(channel=channel)
            self._channels[channel] = str(answer["channel"].get("name") or "")
        return self._channels[channel]

    async def in_groups(self, actor: Actor, asked: Collection[str]) -> Actor:
        """The actor with those of the groups of which the person is a member at this moment. Raises GroupUnknown.

        A membership is read anew each time, since who was removed from a group has lost the right.
        """
        ordered, user = sorted(asked), user_of(actor)
        members = await asyncio.gather(*map(self.members_of, ordered))
        groups = [group for group, found in zip(ordered, members, strict=True) if user in found]
        return actor.model_copy(update={"groups": tuple(groups)})

    async def look_up(self, group: str) -> NameFound:
        """Whether there is such a group, by its handle or id, and whether anybody is in it. Raises NameUnknown."""
        unknown = NameFound(exists=False, said=f"Slack knows no user group `{group}`")
        try:
            async with asyncio.timeout(GROUP_SECONDS):
                handles = await self._group_ids()
        except (SlackApiError, *_UNREACHABLE) as error:
            raise NameUnknown(error) from error
        if group not in handles and group not in handles.values():
            return unknown
        try:
            members = await self.members_of(group)
        except GroupUnknown as problem:
            if code_of(problem.__cause__) == "no_such_subteam":
                return unknown
            raise NameUnknown(problem.__cause__) from problem
        return NameFound(
            exists=True, said="" if members else f"nobody is a member of the user group `{group}`"
        )

    async def members_of(self, group: str) -> frozenset[str]:
        """The ids of the people in a group at this moment; requests at the same time share one reading.

        Raises GroupUnknown.
        """
        reading = self._readings.get(group)
        if reading is None:
            reading = self._readings[group] = asyncio.ensure_future(self._read_members(group))
            reading.add_done_callback(lambda _: self._readings.pop(group, None))
        return await asyncio.shield(reading)

    async def _read_members(self, group: str) -> frozenset[str]:
        try:
            async with asyncio.timeout(GROUP_SECONDS):
                ident = (await self._group_ids()).get(group, group)
                answer: Any = await self._client.usergroups_users_list(usergroup=ident)
        except (SlackApiError, *_UNREACHABLE) as error:
            _log.error("the members of group %s cannot be read: %r", group, error)
            code = code_of(error)
            raise GroupUnknown(group, plan=code in _NO_GROUPS, lasting=code == "no_such_subteam") from error
        return frozenset(answer.get("users") or [])

    async def _group_ids(self) -> dict[str, str]:
        at, handles = self._handles
        if not at or time.monotonic() - at > FRESH_SECONDS:
            answer: Any = await self._client.usergroups_list()
            handles = {str(g["handle"]): str(g["id"]) for g in answer.get("usergroups") or []}
            self._handles = (time.monotonic(), handles)
        return handles


def code_of(error: BaseException | None) -> str:
    """Slack's code in an error of its client; empty where it is another error."""
    response: Any = getattr(error, "response", None)
    data = getattr(response, "data", None)
    return str(data.get("error", "")) if isinstance(data, dict) else ""
