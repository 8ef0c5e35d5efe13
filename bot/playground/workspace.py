"""The workspace: people, channels, and messages as Slack shows them."""

import secrets
import time
from collections.abc import Iterable
from typing import Any

from bot.playground import seed
from bot.playground.store import Json, Store

FOREVER = "9999999999.999999"
BEGINNING = "0000000000.000000"
JOINED = 1_732_500_000


def new_id(prefix: str) -> str:
    """An id such as Slack gives."""
    return prefix + secrets.token_hex(5).upper()


def microseconds(ts: str) -> int:
    """A message time as a number."""
    seconds, _, fraction = ts.partition(".")
    return int(seconds) * 1_000_000 + int(fraction or 0)


def as_ts(moment: int) -> str:
    """A message time as Slack writes it: ten digits, a point and six digits, so that text order is time order."""
    return f"{moment // 1_000_000:010d}.{moment % 1_000_000:06d}"


class Workspace:
    """Reads and writes of the state; who is told about a change is not its matter."""

    def __init__(self, store: Store, manifest: seed.Manifest) -> None:
        self.store = store
        self.manifest = manifest
        self.people = {person.id: person for person in (*seed.PEOPLE, seed.BOT)}
        self.channels = {channel.id: channel for channel in (*seed.CHANNELS, *seed.DIRECT)}
        self.groups = {group.id: group for group in seed.GROUPS}
        self.ephemerals: dict[str, list[tuple[str, Json]]] = {person: [] for person in self.people}
        self.statuses: dict[tuple[str, str], str] = {}
        self._last = microseconds(store.last_ts() or BEGINNING)
        if store.mark("seeded") is None:
            self._seed()

    def _seed(self) -> None:
        everybody = [person.id for person in seed.PEOPLE]
        for channel in seed.CHANNELS:
            bot = [seed.BOT_USER] if channel.id in seed.BOT_IS_IN else []
            self.store.join(channel.id, everybody + bot)
        for direct in seed.DIRECT:
            self.store.join(direct.id, [str(direct.user), seed.BOT_USER])
        self.store.set_mark("seeded", "1")

    def next_ts(self) -> str:
        """A new message time: unique, and later than each before, even if the clock was set back."""
        self._last = max(self._last + 1, time.time_ns() // 1000)
        return as_ts(self._last)

    def is_member(self, channel: str, user: str) -> bool:
        """Whether a user is a member of a channel."""
        return user in self.store.members(channel)

    def direct_channel(self, user: str) -> seed.Channel | None:
        """The direct messages of a person with the bot."""
        return next((channel for channel in seed.DIRECT if channel.user == user), None)

    def audience(self, channel: seed.Channel) -> frozenset[str] | None:
        """Who may see a channel; None is everybody."""
        return frozenset({channel.user}) if channel.user else None

    def shown(self, channel: str, body: Json, *, metadata: bool = True) -> Json:
        """A message with what Slack derives: the counts of its thread."""
        message = body if metadata else {key: part for key, part in body.items() if key != "metadata"}
        if body.get("thread_ts") not in (None, body["ts"]):
            return message
        replies = self.store.repliers(channel, body["ts"])
        if not replies:
            return message
        users = list(dict.fromkeys(user for _, user in replies))
        return {
            **message,
            "thread_ts": body["ts"],
            "reply_count": len(replies),
            "reply_users_count": len(users),
            "latest_reply": replies[-1][0],
            "reply_users": users[:5],
            "is_locked": False,
            "subscribed": seed.BOT_USER in users or body.get("user") == seed.BOT_USER,
        }

    def view_of(self, channel: str, user: str, thread_ts: str | None, limit: int) -> list[Json]:
        """What a person sees in a channel or a thread, oldest first, their ephemerals mixed in."""
        if thread_ts:
            parent = self.store.message(channel, thread_ts)
            found = self.store.replies(channel, thread_ts, BEGINNING, FOREVER, 100_000)[-limit:]
            found = [parent, *found] if parent else found
        else:
            found = self.store.history(channel, BEGINNING, FOREVER, limit)
        whispers = [
            body
            for place, body in self.ephemerals.get(user, ())
            if place == channel and body.get("thread_ts") == (thread_ts or None)
        ]
        messages = [self.shown(channel, body) for body in found] + whispers
        return sorted(messages, key=lambda message: str(message["ts"]))

    def profile(self, person: seed.Person) -> Json:
        """A user as `users.info` shows it."""
        names = {
            "real_name": person.real_name,
            "real_name_normalized": person.real_name,
            "display_name": person.name,
            "display_name_normalized": person.name,
        }
        bot = {"bot_id": seed.BOT_ID, "api_app_id": seed.APP_ID} if person.is_bot else {}
        contact = {} if person.is_bot else {"email": f"{person.name}@example.com"}
        return {
            "id": person.id,
            "team_id": seed.TEAM_ID,
            "name": person.name,
            "deleted": False,
            "color": person.color,
            "real_name": person.real_name,
            "tz": person.tz,
            "tz_label": person.tz_label,
            "tz_offset": person.tz_offset,
            "profile": {**names, **contact, **bot, "team": seed.TEAM_ID},
            "is_admin": person.is_admin,
            "is_owner": person.is_admin,
            "is_primary_owner": person.is_admin,
            "is_restricted": False,
            "is_ultra_restricted": False,
            "is_bot": person.is_bot,
            "is_app_user": False,
            "updated": JOINED,
        }

    def conversation(self, channel: seed.Channel) -> Json:
        """A channel as `conversations.info` shows it."""
        if channel.user:
            return {
                "id": channel.id,
                "created": JOINED,
                "is_archived": False,
                "is_im": True,
                "is_org_shared": False,
                "context_team_id": seed.TEAM_ID,
                "user": channel.user,
                "is_open": True,
            }
        described = {"creator": seed.PEOPLE[0].id, "last_set": JOINED}
        return {
            "id": channel.id,
            "name": channel.name,
            "name_normalized": channel.name,
            "is_channel": True,
            "is_group": False,
            "is_im": False,
            "is_mpim": False,
            "is_private": False,
            "is_archived": False,
            "is_general": False,
            "is_shared": False,
            "created": JOINED,
            "creator": seed.PEOPLE[0].id,
            "context_team_id": seed.TEAM_ID,
            "is_member": self.is_member(channel.id, seed.BOT_USER),
            "topic": {"value": "", **described},
            "purpose": {"value": channel.purpose, **described},
            "num_members": len(self.store.members(channel.id)),
        }

    def find_channel(self, name: str) -> seed.Channel | None:
        """By id, by `#name`, or the direct messages of a user id."""
        if name in self.channels:
            return self.channels[name]
        if name in self.people:
            return self.direct_channel(name)
        plain = name.removeprefix("#")
        return next((channel for channel in seed.CHANNELS if channel.name == plain), None)

    def find_person(self, handle: str) -> seed.Person | None:
        """By name, in any case."""
        return next((person for person in self.people.values() if person.name == handle.lower()), None)

    def whisper(self, user: str, channel: str, body: Json) -> None:
        """Keep an ephemeral message, in memory only, as Slack's clients do."""
        self.ephemerals[user].append((channel, {**body, "ephemeral": True}))

    def unwhisper(self, user: str, ts: str) -> tuple[str, Json] | None:
        """Forget an ephemeral message; gives what it was."""
        found = next((row for row in self.ephemerals[user] if row[1]["ts"] == ts), None)
        if found:
            self.ephemerals[user].remove(found)
        return found

    def bot_message(self, ts: str, parts: Iterable[tuple[str, Any]]) -> Json:
        """The frame of a message by the bot, with what is given and not None."""
        profile = {
            "id": seed.BOT_ID,
            "app_id": seed.APP_ID,
            "user_id": seed.BOT_USER,
            "name": seed.BOT_REAL_NAME,
            "deleted": False,
            "updated": JOINED,
            "team_id": seed.TEAM_ID,
        }
        return {
            "type": "message",
            "user": seed.BOT_USER,
            "bot_id": seed.BOT_ID,
            "app_id": seed.APP_ID,
            "team": seed.TEAM_ID,
            "ts": ts,
            "bot_profile": profile,
            **{name: value for name, value in parts if value is not None},
        }
