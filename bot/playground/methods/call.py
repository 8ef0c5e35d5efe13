"""A call of a Web API method and the parsing of its arguments."""

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
    """The playground and the arguments of one call."""

    playground: Playground
    args: Json

    def text(self, name: str, default: str = "") -> str:
        """Return an argument as a string."""
        value = self.args.get(name)
        return default if value is None else str(value)

    def need(self, name: str) -> str:
        """Return an argument that is required. Raises SlackError `invalid_arguments` if it is missing."""
        value = self.text(name)
        if not value:
            raise SlackError("invalid_arguments", [f"missing required field: {name}"])
        return value

    def flag(self, name: str, *, default: bool = False) -> bool:
        """Return a boolean argument, given as JSON or in one of the spellings in `TRUE`."""
        value = self.args.get(name)
        return default if value is None else value is True or str(value) in TRUE

    def number(self, name: str, default: int, most: int) -> int:
        """Return a positive integer, limited to `most`. Raises SlackError for any other value."""
        text = self.text(name)
        if not text:
            return default
        if not text.isdigit() or int(text) < 1:
            raise SlackError("invalid_limit" if name == "limit" else "invalid_arguments")
        return min(int(text), most)

    def structure(self, name: str) -> Any:
        """Return an argument as JSON, parsed if it came as a string. Raises SlackError."""
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
        """Return the channel that the argument names. Raises SlackError.

        With `member` the bot has to be in it; `archived` is the error code for an archived channel. A private
        channel is reported as not found to those who are not in it.
        """
        return visible_channel(self.playground, self.text(name), member=member, archived=archived)

    def thread(self, channel: seed.Channel) -> str | None:
        """Return the `ts` of the thread to post in, or None; a reply's `ts` stands for its thread.

        If that message does not exist, Slack answers ok and posts to the channel itself; only the missing
        `thread_ts` in the response tells: https://github.com/slack-go/slack/issues/1571
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
        """Return the person that the argument names. Raises SlackError `user_not_found`."""
        person = self.playground.workspace.people.get(self.text(name))
        if person is None:
            raise SlackError("user_not_found")
        return person


def visible_channel(
    playground: Playground, name: str, *, member: bool = False, archived: str | None = None
) -> seed.Channel:
    """Return a channel by its id, its name or a user id; see `Call.channel`. Raises SlackError."""
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
