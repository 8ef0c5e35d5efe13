"""State of the workspace: people, channels, and messages in the form in which Slack shows them."""

import secrets
import time
from collections import defaultdict
from collections.abc import Collection, Iterable
from dataclasses import asdict
from typing import Any

from bot.playground import seed
from bot.playground.store import Json, Store

FOREVER = "9999999999.999999"
BEGINNING = "0000000000.000000"
JOINED = 1_732_500_000


def new_id(prefix: str) -> str:
    """Return a new id in Slack's format."""
    return prefix + secrets.token_hex(5).upper()


def microseconds(ts: str) -> int:
    """Return a `ts` as a number of microseconds."""
    seconds, _, fraction = ts.partition(".")
    return int(seconds) * 1_000_000 + int(fraction or 0)


def as_ts(moment: int) -> str:
    """Return microseconds as a `ts`: ten digits, a point and six digits, which sorts by time as text."""
    return f"{moment // 1_000_000:010d}.{moment % 1_000_000:06d}"


class Workspace:
    """Queries and changes of the state; notifying pages and the app is up to the callers."""

    def __init__(self, store: Store, manifest: seed.Manifest) -> None:
        self.store = store
        self.manifest = manifest
        self.people = {person.id: person for person in (*seed.PEOPLE, seed.BOT)}
        self.people |= {row["id"]: seed.Person(**row) for row in store.arranged("person")}
        self.channels = {channel.id: channel for channel in (*seed.CHANNELS, *seed.DIRECT)}
        for row in store.arranged("channel"):
            self.channels[row["id"]] = seed.Channel(**{**row, "teams": tuple(row["teams"])})
        self.groups = {group.id: group for group in seed.GROUPS}
        self.ephemerals: dict[str, list[tuple[str, Json]]] = defaultdict(list)
        self.agents: dict[tuple[str, str], str] = {}
        self.statuses: dict[tuple[str, str], str] = {}
        self._last = microseconds(store.last_ts() or BEGINNING)
        if store.mark("seeded") is None:
            self._seed()

    def _seed(self) -> None:
        everybody = [person.id for person in seed.PEOPLE]
        for channel in seed.CHANNELS:
            bot = [seed.BOT_USER] if channel.id in seed.BOT_IS_IN else []
            people = list(seed.ON_CALL) if channel.is_private else everybody
            self.store.join(channel.id, people + bot)
        for direct in seed.DIRECT:
            self.store.join(direct.id, [str(direct.user), seed.BOT_USER])
        self.store.set_mark("seeded", "1")

    def next_ts(self) -> str:
        """Return a new `ts`, later than all before, even if the clock was set back."""
        self._last = max(self._last + 1, time.time_ns() // 1000)
        return as_ts(self._last)

    def is_member(self, channel: str, user: str) -> bool:
        """Return whether a user is a member of a channel."""
        return user in self.store.members(channel)

    def put_person(self, person: seed.Person) -> None:
        """Add or change a person; a deactivated person is removed from all channels."""
        self.people[person.id] = person
        self.store.arrange("person", person.id, asdict(person))
        if person.deleted:
            for channel in self.channels.values():
                if not channel.is_im:
                    self.store.leave(channel.id, person.id)

    def put_channel(self, channel: seed.Channel, members: Collection[str] | None) -> None:
        """Add or change a channel; `members` of None keeps the present members."""
        self.channels[channel.id] = channel
        self.store.arrange("channel", channel.id, asdict(channel))
        if members is not None:
            for user in self.store.members(channel.id):
                if user not in members:
                    self.store.leave(channel.id, user)
            self.store.join(channel.id, members)

    def direct_channel(self, user: str) -> seed.Channel:
        """Return the direct messages between a user and the bot; create them if needed."""
        found = next((channel for channel in self.channels.values() if channel.user == user), None)
        if found is None:
            found = seed.Channel(new_id("D"), "directmessage", user=user, kind="im")
            self.put_channel(found, [user, seed.BOT_USER])
        return found

    def group_messages(self, users: Collection[str]) -> tuple[seed.Channel, bool]:
        """Return the group messages of these users and the bot, and whether they existed before."""
        everybody = [*users, seed.BOT_USER]
        for channel in self.channels.values():
            if channel.kind == "mpim" and set(self.store.members(channel.id)) == set(everybody):
                return channel, True
        names = "--".join(self.people[user].name for user in everybody)
        channel = seed.Channel(new_id("C"), f"mpdm-{names}-1", kind="mpim")
        self.put_channel(channel, everybody)
        return channel, False

    def has_scope(self, scope: str) -> bool:
        """Return whether the bot's token has a scope."""
        return self.manifest.scopes is None or scope in self.manifest.scopes

    def sees(self, channel: seed.Channel, user: str) -> bool:
        """Return whether a user or the bot can see a channel, which is public or has them as a member."""
        person = self.people.get(user)
        everywhere = not channel.is_private and not (person and person.sees_only_own)
        return everywhere or self.is_member(channel.id, user)

    def audience(self, channel: seed.Channel) -> frozenset[str] | None:
        """Return the ids of all who can see a channel; None means all people."""
        guests = any(person.sees_only_own for person in self.people.values())
        if not channel.is_private and not guests:
            return None
        return frozenset(user for user in self.people if self.sees(channel, user))

    def is_stranger(self, person: seed.Person) -> bool:
        """Return whether a person of another workspace shares no channel with the bot."""
        seen = (channel for channel in self.channels.values() if self.sees(channel, seed.BOT_USER))
        return person.is_external and not any(self.is_member(channel.id, person.id) for channel in seen)

    def shown(self, channel: str, body: Json, *, metadata: bool = True) -> Json:
        """Return a message with the fields that Slack derives from its thread."""
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
        """Return what a user sees in a channel or thread, oldest first, with their ephemeral messages."""
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

    def find_channel(self, name: str) -> seed.Channel | None:
        """Return a channel by its id, its `#name`, or the id of the user in direct messages."""
        if name in self.channels:
            return self.channels[name]
        if name in self.people:
            return self.direct_channel(name) if not self.people[name].is_bot else None
        return self.channel_named(name.removeprefix("#"))

    def channel_named(self, name: str) -> seed.Channel | None:
        """Return the public or private channel of this name, or None."""
        named = (channel for channel in self.channels.values() if channel.kind in ("public", "private"))
        return next((channel for channel in named if channel.name == name), None)

    def find_person(self, handle: str) -> seed.Person | None:
        """Return the person of this name, ignoring case, or None."""
        return next((person for person in self.people.values() if person.name == handle.lower()), None)

    def whisper(self, user: str, channel: str, body: Json) -> None:
        """Keep an ephemeral message in memory; like Slack's clients, the playground does not store it."""
        self.ephemerals[user].append((channel, {**body, "ephemeral": True}))

    def unwhisper(self, user: str, ts: str) -> tuple[str, Json] | None:
        """Remove an ephemeral message and return its channel id and body, or None."""
        found = next((row for row in self.ephemerals[user] if row[1]["ts"] == ts), None)
        if found:
            self.ephemerals[user].remove(found)
        return found

    def bot_message(self, ts: str, parts: Iterable[tuple[str, Any]]) -> Json:
        """Return a message of the bot with those `parts` that are not None."""
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
