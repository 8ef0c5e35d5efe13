"""Actions of people apart from clicks: posting, commands, reactions, joining and leaving."""

from collections.abc import Sequence
from typing import Any

from bot.playground import seed
from bot.playground.errors import Refusal, SlackError
from bot.playground.objects import conversation_object
from bot.playground.people import payloads
from bot.playground.people.input import as_sent, escaped
from bot.playground.playground import Playground
from bot.playground.store import Json
from bot.playground.transport.link import Ack
from bot.playground.workspace import new_id

MESSAGE_CHARACTERS = 12_000
FAILURES = {
    "not_connected": "Flagman is not connected.",
    "timeout": "Flagman did not answer within 3 seconds.",
    "http_timeout": "Flagman did not answer within 3 seconds.",
    "http_error": "Flagman answered with an error.",
    "connection_failed": "Flagman could not be reached.",
}
TIMEOUTS = ("timeout", "http_timeout")


def outcome(playground: Playground, user: str, ack: Ack, *, refused: str = "dispatch_failed") -> Json:
    """Return the answer to the page; if the app failed to respond, also show the user a toast."""
    if ack.ok:
        return {"ok": True, "ack_ms": round(ack.ms, 2)}
    code = "operation_timeout" if ack.error in TIMEOUTS else refused
    text = FAILURES.get(ack.error, "Something went wrong.")
    playground.toast(user, code, text)
    return {"ok": False, "error": code, "message": text, "ack_ms": round(ack.ms, 2)}


def _need_open(channel: seed.Channel) -> None:
    """Raise Refusal if the channel is archived."""
    if channel.is_archived:
        raise Refusal(400, "is_archived", "This channel is archived.")


class People:
    """Actions that are not clicks; each raises Refusal if it is not possible."""

    def __init__(self, playground: Playground) -> None:
        self._playground = playground
        self._workspace = playground.workspace

    def person(self, user: Any) -> seed.Person:
        """Return the acting person. Raises Refusal for a bot or a deactivated account."""
        person = self._workspace.people.get(str(user))
        if person is None or person.is_bot:
            raise Refusal(404, "user_not_found", "There is no such person in the workspace.")
        if person.deleted:
            raise Refusal(400, "user_disabled", f"The account of {person.real_name} was deactivated.")
        return person

    def stop(self, person: seed.Person, channel: seed.Channel, thread_ts: Any) -> Json:
        """Stop the agent session of a thread; its status changes only when the app sets another one. Raises Refusal."""
        if self._workspace.agents.get((channel.id, str(thread_ts))) != "processing":
            raise Refusal(409, "not_processing", "There is nothing to stop in this thread.")
        self._playground.events.stopped(channel, str(thread_ts), person.id)
        return {"ok": True}

    def channel(self, person: seed.Person, name: Any) -> seed.Channel:
        """Return a channel that the person can see. Raises Refusal."""
        channel = self._workspace.find_channel(str(name))
        if channel is None or not self._workspace.sees(channel, person.id):
            raise Refusal(404, "channel_not_found", "There is no such channel for this person.")
        return channel

    def message(self, channel: seed.Channel, ts: Any) -> Json:
        """Return the stored message. Raises Refusal if there is none."""
        message = self._workspace.store.message(channel.id, str(ts))
        if message is None:
            raise Refusal(404, "message_not_found", "This message is no longer there.")
        return message

    def post(
        self,
        person: seed.Person,
        channel: seed.Channel,
        text: str,
        thread_ts: str | None,
        files: Sequence[Json] = (),
    ) -> Json:
        """Post a message with files, to a thread if `thread_ts` is given."""
        if not text.strip() and not files:
            raise Refusal(400, "no_text", "A message needs a text.")
        if len(text) > MESSAGE_CHARACTERS:
            raise Refusal(400, "msg_too_long", f"A message has at most {MESSAGE_CHARACTERS} characters.")
        if not self._workspace.is_member(channel.id, person.id):
            raise Refusal(400, "not_in_channel", f"{person.real_name} is not in this channel.")
        _need_open(channel)
        foreign = {"user_team": person.team_id, "source_team": person.team_id} if person.is_external else {}
        message: Json = {
            "type": "message",
            "user": person.id,
            "client_msg_id": new_id("m"),
            "team": person.team_id,
            **foreign,
            "text": as_sent(self._workspace, text),
            "ts": self._workspace.next_ts(),
        }
        if files:
            message |= {"files": list(files), "upload": True}
        if thread_ts:
            parent = self.message(channel, thread_ts)
            message["thread_ts"] = str(parent.get("thread_ts") or parent["ts"])
            message["parent_user_id"] = str(parent.get("user"))
        self._playground.timeline.post(channel, message)
        return {"ok": True, "ts": message["ts"], "message": message}

    async def command(self, person: seed.Person, channel: seed.Channel, body: Json) -> Json:
        """Enter a slash command; the app's response is shown to this person."""
        name, typed = str(body.get("command", "")), str(body.get("text") or "").strip()
        known = next((row for row in self._workspace.manifest.commands if row.command == name), None)
        if known is None or person.is_external:
            # People of other workspaces have no commands, because the app is not installed there.
            raise Refusal(400, "invalid_command", f"{name} is not a valid command.")
        _need_open(channel)
        if body.get("thread_ts"):
            raise Refusal(400, "not_in_threads", f"{name} is not supported in threads. Sorry!")
        text = as_sent(self._workspace, typed, labels=True) if known.should_escape else escaped(typed)
        payload = payloads.slash_command(self._playground, person, channel, name, text)
        ack = await self._playground.delivery.ask("slash_commands", payload)
        answer = outcome(self._playground, person.id, ack)
        if not ack.ok:
            answer["message"] = f"{name} failed: {answer['message']}"
        if ack.payload:
            answer["response"] = ack.payload
            self._respond(person, channel, ack.payload)
        return answer

    def _respond(self, person: seed.Person, channel: seed.Channel, body: Json) -> None:
        try:
            self._playground.responses.say(channel, person.id, body)
        except SlackError as refusal:
            self._playground.toast(person.id, refusal.code, f"Flagman's answer was refused: {refusal.code}")

    def home(self, person: seed.Person, tab: str) -> Json:
        """Open the app's home."""
        direct = self._workspace.direct_channel(person.id)
        view = self._playground.modals.homes.get(person.id)
        shown = view if tab == "home" else None
        self._playground.events.home_opened(person.id, direct.id, tab, shown)
        return {"ok": True, "view": view}

    def react(self, person: seed.Person, channel: seed.Channel, ts: Any, name: str, *, remove: bool) -> Json:
        """Add a reaction or remove it."""
        if not name.strip(":"):
            raise Refusal(400, "invalid_name", "A reaction needs a name.")
        message = self.message(channel, ts)
        timeline = self._playground.timeline
        timeline.react(channel, message, person.id, name.strip(":"), added=not remove)
        return {"ok": True}

    def join(self, person: seed.Person, channel: seed.Channel, member: str, *, leave: bool) -> Json:
        """Add a person or the bot to a channel, or remove them from it."""
        if member not in self._workspace.people or channel.kind in ("im", "mpim"):
            raise Refusal(404, "user_not_found", "There is no such person to add here.")
        was = self._workspace.is_member(channel.id, member)
        told = self._workspace.audience(channel)
        if leave:
            self._workspace.store.leave(channel.id, member)
        elif not was:
            self._workspace.store.join(channel.id, [member])
            self._playground.events.joined(channel, member, person.id if person.id != member else None)
        shown = conversation_object(self._workspace, channel)
        everybody = told and told | (self._workspace.audience(channel) or frozenset())
        self._playground.hub.publish("channel", {"channel": shown}, everybody)
        return {"ok": True}

    def delete(self, person: seed.Person, channel: seed.Channel, ts: Any) -> Json:
        """Delete a message of the person's own."""
        message = self.message(channel, ts)
        if message.get("user") != person.id:
            raise Refusal(400, "cant_delete_message", "Only the author can delete a message.")
        self._playground.timeline.delete(channel, message)
        return {"ok": True}

    def dismiss(self, person: seed.Person, ts: Any) -> Json:
        """Hide an ephemeral message."""
        if not self._playground.timeline.end_whisper(person.id, str(ts)):
            raise Refusal(404, "message_not_found", "This message is no longer there.")
        return {"ok": True}
