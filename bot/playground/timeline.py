"""Changes of messages: each is stored, shown on the pages, and then sent to the app as an event."""

import asyncio

from bot.playground import seed
from bot.playground.hub import Hub
from bot.playground.store import Json
from bot.playground.transport.events import Events
from bot.playground.workspace import Workspace

STATUS_SECONDS = 120.0
TOMBSTONE: Json = {
    "type": "message",
    "subtype": "tombstone",
    "user": seed.SLACKBOT,
    "text": "This message was deleted.",
    "hidden": True,
    "parent_user_id": seed.SLACKBOT,
}
NO_REPLIES: Json = {
    "reply_count": 0,
    "reply_users_count": 0,
    "latest_reply": "0000000000.000000",
    "reply_users": [],
    "is_locked": False,
    "subscribed": False,
}


def is_tombstone(message: Json) -> bool:
    """Return whether the message is the placeholder of a deleted one that has replies."""
    return message.get("subtype") == "tombstone"


class Timeline:
    """All changes of messages."""

    def __init__(self, workspace: Workspace, hub: Hub, events: Events) -> None:
        self._workspace = workspace
        self._store = workspace.store
        self._hub = hub
        self._events = events
        self._status_ends: dict[tuple[str, str], asyncio.TimerHandle] = {}

    def post(self, channel: seed.Channel, message: Json) -> Json:
        """Post a message; a reply also changes the counts of its parent."""
        self._store.put_message(channel.id, message)
        self._publish("posted", channel, message)
        self._refresh_parent(channel, message)
        self._events.posted(channel, message)
        return message

    def change(self, channel: seed.Channel, message: Json, *, told: bool = True) -> Json:
        """Replace a message of the same `ts`; with `told` the app receives an event."""
        before = self._store.message(channel.id, message["ts"])
        self._store.put_message(channel.id, message)
        self._publish("changed", channel, message)
        if told:
            self._tell_changed(channel, message, before or {"ts": message["ts"]})
        return message

    def _tell_changed(self, channel: seed.Channel, message: Json, before: Json) -> None:
        """Send the app a change event, with the counts of the thread before and after."""
        shown, was = (self._workspace.shown(channel.id, body) for body in (message, before))
        self._events.changed(channel, shown, was)

    def delete(self, channel: seed.Channel, message: Json) -> None:
        """Delete a message; if it has replies, a tombstone takes its place."""
        if self._store.repliers(channel.id, message["ts"]):
            self._bury(channel, message)
            return
        self._store.remove_message(channel.id, message["ts"])
        self._publish("deleted", channel, message)
        self._refresh_parent(channel, message)
        self._events.deleted(channel, message)
        self._clear_tombstone(channel, message.get("thread_ts"))

    def _bury(self, channel: seed.Channel, message: Json) -> None:
        """Replace a message by a tombstone, which Slack reports to the app as a change.

        See https://github.com/42wim/matterbridge/issues/600 and
        https://github.com/slack-edge/slack-edge/pull/10.
        """
        ts = message["ts"]
        stone = {**TOMBSTONE, "ts": ts, "thread_ts": ts}
        self._store.put_message(channel.id, stone)
        self._publish("changed", channel, stone)
        self._tell_changed(channel, stone, message)

    def _clear_tombstone(self, channel: seed.Channel, thread_ts: str | None) -> None:
        """Remove the tombstone of a thread whose last reply was deleted."""
        stone = self._store.message(channel.id, thread_ts) if thread_ts else None
        if stone is None or not is_tombstone(stone) or self._store.repliers(channel.id, stone["ts"]):
            return
        self._store.remove_message(channel.id, stone["ts"])
        self._publish("deleted", channel, stone)
        self._events.deleted(channel, {**stone, **NO_REPLIES})

    def whisper(self, channel: seed.Channel, user: str, message: Json) -> None:
        """Show an ephemeral message to one person."""
        self._workspace.whisper(user, channel.id, message)
        self._publish_ephemeral("posted", channel.id, user, {**message, "ephemeral": True})

    def change_whisper(self, user: str, message: Json) -> bool:
        """Replace an ephemeral message; return False if it is gone."""
        found = self._workspace.unwhisper(user, message["ts"])
        if not found:
            return False
        self._workspace.whisper(user, found[0], message)
        self._publish_ephemeral("changed", found[0], user, {**message, "ephemeral": True})
        return True

    def end_whisper(self, user: str, ts: str) -> bool:
        """Remove an ephemeral message; return False if it is already gone."""
        found = self._workspace.unwhisper(user, ts)
        if found:
            self._publish_ephemeral("deleted", found[0], user, found[1])
        return found is not None

    def status(self, channel: seed.Channel, thread_ts: str, status: str) -> None:
        """Show the bot's status in a thread; an empty one clears it."""
        key = (channel.id, thread_ts)
        if self._workspace.statuses.get(key, "") == status:
            return
        self._workspace.statuses[key] = status
        self._end_later(channel, thread_ts, status)
        body = {"channel": channel.id, "thread_ts": thread_ts, "status": status}
        self._hub.publish("status", body, self._workspace.audience(channel))

    def agent(self, channel: seed.Channel, thread_ts: str, status: str) -> None:
        """Show the status of the agent session of a thread."""
        self._workspace.agents[channel.id, thread_ts] = status
        body = {"channel": channel.id, "thread_ts": thread_ts, "agent": status}
        self._hub.publish("agent", body, self._workspace.audience(channel))

    def _end_later(self, channel: seed.Channel, thread_ts: str, status: str) -> None:
        earlier = self._status_ends.pop((channel.id, thread_ts), None)
        if earlier:
            earlier.cancel()
        if status:
            end = asyncio.get_running_loop().call_later(STATUS_SECONDS, self.status, channel, thread_ts, "")
            self._status_ends[channel.id, thread_ts] = end

    def react(self, channel: seed.Channel, message: Json, user: str, name: str, *, added: bool) -> bool:
        """Add or remove a reaction; return False if that changes nothing."""
        reactions: dict[str, list[str]] = {row["name"]: row["users"] for row in message.get("reactions", ())}
        users = reactions.setdefault(name, [])
        if (user in users) == added:
            return False
        if added:
            users.append(user)
        else:
            users.remove(user)
        rows = [{"name": key, "users": who, "count": len(who)} for key, who in reactions.items() if who]
        self.change(channel, {**message, "reactions": rows}, told=False)
        self._events.reacted(channel, message, user, name, added=added)
        return True

    def _publish(self, change: str, channel: seed.Channel, message: Json) -> None:
        shown = None if change == "deleted" else self._workspace.shown(channel.id, message)
        body = {"change": change, "channel": channel.id, "ts": message["ts"], "message": shown}
        if message.get("thread_ts"):
            body["thread_ts"] = message["thread_ts"]
        self._hub.publish("message", body, self._workspace.audience(channel))

    def _publish_ephemeral(self, change: str, channel: str, user: str, message: Json) -> None:
        shown = None if change == "deleted" else message
        body = {"change": change, "channel": channel, "ts": message["ts"], "message": shown}
        if message.get("thread_ts"):
            body["thread_ts"] = message["thread_ts"]
        self._hub.publish("ephemeral", body, frozenset({user}))

    def _refresh_parent(self, channel: seed.Channel, message: Json) -> None:
        thread_ts = message.get("thread_ts")
        if not thread_ts or thread_ts == message["ts"]:
            return
        parent = self._store.message(channel.id, thread_ts)
        if parent:
            self._publish("changed", channel, parent)
        if "bot_id" in message:
            self.status(channel, thread_ts, "")
