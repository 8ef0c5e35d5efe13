"""Events API: events in Slack's envelope, sent if the app subscribes to them."""

import time

from bot.playground import seed
from bot.playground.store import Json
from bot.playground.transport.delivery import Delivery
from bot.playground.workspace import Workspace, new_id

# By kind of channel: the event's `channel_type`, and the subscription that it requires.
KINDS = {
    "public": ("channel", "message.channels"),
    "private": ("group", "message.groups"),
    "mpim": ("mpim", "message.mpim"),
    "im": ("im", "message.im"),
}


class Events:
    """Selection and sending of the events that the bot receives."""

    def __init__(self, workspace: Workspace, delivery: Delivery) -> None:
        self._workspace = workspace
        self._delivery = delivery

    def posted(self, channel: seed.Channel, message: Json) -> None:
        """Send the event of a new message, and an `app_mention` if it mentions the bot."""
        shared = {"subtype": "file_share"} if message.get("files") and "bot_id" not in message else {}
        self._message(channel, {**message, **shared, "event_ts": message["ts"]})
        mentioned = f"<@{seed.BOT_USER}>" in str(message.get("text", ""))
        if mentioned and not channel.is_im and "bot_id" not in message and self._bot_is_in(channel):
            mention = {**message, "type": "app_mention", "channel": channel.id, "event_ts": message["ts"]}
            self._send("app_mention", mention)

    def changed(self, channel: seed.Channel, message: Json, before: Json) -> None:
        """Send the event of an edited message."""
        body = {"message": message, "previous_message": before}
        self._hidden(channel, "message_changed", body, message)

    def deleted(self, channel: seed.Channel, message: Json) -> None:
        """Send the event of a deleted message."""
        body = {"deleted_ts": message["ts"], "previous_message": message}
        self._hidden(channel, "message_deleted", body, message)

    def reacted(self, channel: seed.Channel, message: Json, user: str, name: str, *, added: bool) -> None:
        """Send the event of a reaction that was added or removed."""
        kind = "reaction_added" if added else "reaction_removed"
        event = {
            "type": kind,
            "user": user,
            "reaction": name,
            "item": {"type": "message", "channel": channel.id, "ts": message["ts"]},
            "item_user": message.get("user"),
            "event_ts": self._workspace.next_ts(),
        }
        if self._bot_is_in(channel):
            self._send(kind, event)

    def joined(self, channel: seed.Channel, user: str, inviter: str | None) -> None:
        """Send the event of a person or the bot joining a channel."""
        event: Json = {
            "type": "member_joined_channel",
            "user": user,
            "channel": channel.id,
            "channel_type": "G" if channel.is_private else "C",
            "team": seed.TEAM_ID,
            "event_ts": self._workspace.next_ts(),
            **({"inviter": inviter} if inviter else {}),
        }
        if self._bot_is_in(channel):
            self._send("member_joined_channel", event)

    def home_opened(self, user: str, channel: str, tab: str, view: Json | None) -> None:
        """Send the event of a person opening the app's home."""
        event = {
            "type": "app_home_opened",
            "user": user,
            "channel": channel,
            "tab": tab,
            "event_ts": self._workspace.next_ts(),
            **({"view": view} if view else {}),
        }
        self._send("app_home_opened", event)

    def person_changed(self, user: Json) -> None:
        """Send the event of an account that was changed."""
        event = {"type": "user_change", "user": user, "event_ts": self._workspace.next_ts()}
        self._send("user_change", event)

    def stopped(self, channel: seed.Channel, thread_ts: str, user: str) -> None:
        """Send the event of a person stopping the agent session of a thread."""
        event = {
            "type": "agent_session_stopped",
            "user": user,
            "channel": channel.id,
            "thread_ts": thread_ts,
            "streaming_message_ts": [],
            "event_ts": self._workspace.next_ts(),
        }
        self._send("agent_session_stopped", event)

    def _bot_is_in(self, channel: seed.Channel) -> bool:
        return self._workspace.is_member(channel.id, seed.BOT_USER)

    def _hidden(self, channel: seed.Channel, subtype: str, body: Json, message: Json) -> None:
        stamp = self._workspace.next_ts()
        frame = {"type": "message", "subtype": subtype, "hidden": True, "ts": stamp, "event_ts": stamp}
        self._message(channel, {**frame, **body})

    def _message(self, channel: seed.Channel, event: Json) -> None:
        kind, subscription = KINDS[channel.kind]
        if self._bot_is_in(channel):
            self._send(subscription, {**event, "channel": channel.id, "channel_type": kind})

    def _is_shared(self, event: Json) -> bool:
        place = event.get("channel") or (event.get("item") or {}).get("channel")
        channel = self._workspace.channels.get(str(place))
        return channel is not None and channel.is_shared

    def _send(self, subscription: str, event: Json) -> None:
        if subscription not in self._workspace.manifest.events:
            return
        authorization = {
            "enterprise_id": None,
            "team_id": seed.TEAM_ID,
            "user_id": seed.BOT_USER,
            "is_bot": True,
            "is_enterprise_install": False,
        }
        self._delivery.tell(
            {
                "token": seed.VERIFICATION_TOKEN,
                "team_id": seed.TEAM_ID,
                "context_team_id": seed.TEAM_ID,
                "context_enterprise_id": None,
                "api_app_id": seed.APP_ID,
                "event": event,
                "type": "event_callback",
                "event_id": new_id("Ev"),
                "event_time": int(time.time()),
                "authorizations": [authorization],
                "is_ext_shared_channel": self._is_shared(event),
                "event_context": new_id("4-"),
            }
        )
