"""One call of the Web API: its arguments, however they came, and the playground they concern."""

import json
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Any

from bot.playground import seed
from bot.playground.errors import SlackError
from bot.playground.playground import Playground
from bot.playground.store import Json

TRUE = ("1", "true", "True")


@dataclass(frozen=True)
class Call:
    """What a method gets."""

    playground: Playground
    args: Json

    def text(self, name: str, default: str = "") -> str:
        """An argument as a string."""
        value = self.args.get(name)
        return default if value is None else str(value)

    def need(self, name: str) -> str:
        """An argument that must be there."""
        value = self.text(name)
        if not value:
            raise SlackError("invalid_arguments", [f"missing required field: {name}"])
        return value

    def flag(self, name: str, *, default: bool = False) -> bool:
        """A boolean, in any of the ways in which clients write it."""
        value = self.args.get(name)
        return default if value is None else value is True or str(value) in TRUE

    def number(self, name: str, default: int, most: int) -> int:
        """A positive number, cut off at the most that Slack gives."""
        text = self.text(name)
        if not text:
            return default
        if not text.isdigit() or int(text) < 1:
            raise SlackError("invalid_limit" if name == "limit" else "invalid_arguments")
        return min(int(text), most)

    def structure(self, name: str) -> Any:
        """JSON, either already parsed or as a form carries it."""
        value = self.args.get(name)
        if not isinstance(value, str):
            return value
        if not value:
            return None
        try:
            return json.loads(value)
        except ValueError as error:
            raise SlackError("invalid_arguments", [f"must be valid JSON [json-pointer:/{name}]"]) from error

    def channel(
        self, name: str = "channel", *, member: bool = False, archived: str | None = None
    ) -> seed.Channel:
        """The channel meant, in which the bot has to be if `member`.

        `archived` is the code with which an archived one is refused. That a private one exists, only its members
        learn: to all others it is not there.
        """
        return visible_channel(self.playground, self.text(name), member=member, archived=archived)

    def thread(self, channel: seed.Channel) -> str | None:
        """The thread to post in; a reply's own time leads to its thread.

        Where the message is gone altogether, Slack says ok and posts at the channel's top, and only the missing
        `thread_ts` of its answer tells: https://github.com/slack-go/slack/issues/1571
        """
        asked = self.text("thread_ts")
        if not asked:
            return None
        parent = self.playground.store.message(channel.id, asked)
        if parent is None:
            if self.playground.settings.missing_root == "post_to_channel":
                return None
            raise SlackError("thread_not_found")
        return str(parent.get("thread_ts") or asked)

    def person(self, name: str = "user") -> seed.Person:
        """The person meant."""
        person = self.playground.workspace.people.get(self.text(name))
        if person is None:
            raise SlackError("user_not_found")
        return person


def visible_channel(
    playground: Playground, name: str, *, member: bool = False, archived: str | None = None
) -> seed.Channel:
    """A channel by id, name or person, as `Call.channel` has it."""
    workspace = playground.workspace
    channel = workspace.find_channel(name)
    if channel is None or not workspace.sees(channel, seed.BOT_USER):
        raise SlackError("channel_not_found")
    if archived and channel.is_archived:
        raise SlackError(archived)
    if member and not workspace.is_member(channel.id, seed.BOT_USER):
        raise SlackError("not_in_channel")
    return channel


Method = Callable[[Call], Awaitable[Json]]
