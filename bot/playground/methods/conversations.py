"""The methods `conversations.*` and `users.conversations`."""

import base64
import re
from typing import Any

from bot.playground import seed
from bot.playground.errors import SlackError
from bot.playground.methods.call import Call, Method
from bot.playground.objects import conversation_object
from bot.playground.store import Json
from bot.playground.workspace import BEGINNING, FOREVER, as_ts, microseconds

TIME = re.compile(r"^\d{1,12}(\.\d{1,6})?$")
HISTORY_MOST = 999
LIST_MOST = 1000
MOST_IN_A_GROUP = 8
KINDS: dict[str, seed.Kind] = {
    "public_channel": "public",
    "private_channel": "private",
    "mpim": "mpim",
    "im": "im",
}


def _cursor(kind: str, value: str) -> str:
    return base64.b64encode(f"{kind}:{value}".encode()).decode()


def _from_cursor(call: Call, kind: str) -> str | None:
    text = call.text("cursor")
    if not text:
        return None
    try:
        found, _, value = base64.b64decode(text, validate=True).decode().partition(":")
    except ValueError as error:
        raise SlackError("invalid_cursor") from error
    if found != kind:
        raise SlackError("invalid_cursor")
    return value


def _time(call: Call, name: str, default: str) -> str:
    text = call.text(name)
    if not text or text == "now":
        return default
    if not TIME.match(text):
        raise SlackError(f"invalid_ts_{name}")
    seconds, _, fraction = text.partition(".")
    return f"{seconds}.{fraction.ljust(6, '0')}"


def _window(call: Call) -> tuple[str, str]:
    """Return exclusive bounds of `ts`; with `inclusive` they are moved outwards by one microsecond."""
    after, before = _time(call, "oldest", BEGINNING), _time(call, "latest", FOREVER)
    if call.flag("inclusive"):
        after = as_ts(max(0, microseconds(after) - 1))
        # A `ts` after FOREVER has one digit more, and would sort before all others as text.
        before = before if before == FOREVER else as_ts(microseconds(before) + 1)
    return after, before


def _page(messages: list[Json], limit: int, kind: str) -> Json:
    """Return a page of at most `limit` messages, with a cursor if there are more."""
    more = len(messages) > limit
    page: Json = {"messages": messages[:limit], "has_more": more, "pin_count": 0}
    if more:
        page["response_metadata"] = {"next_cursor": _cursor(kind, messages[limit - 1]["ts"])}
    return page


async def history(call: Call) -> Json:
    """Return the messages of a channel, newest first (`conversations.history`)."""
    channel = call.channel(member=True)
    limit = call.number("limit", 100, HISTORY_MOST)
    after, before = _window(call)
    before = _from_cursor(call, "next_ts") or before
    workspace = call.playground.workspace
    found = workspace.store.history(channel.id, after, before, limit + 1)
    with_metadata = call.flag("include_all_metadata")
    shown = [workspace.shown(channel.id, body, metadata=with_metadata) for body in found]
    return _page(shown, limit, "next_ts")


async def replies(call: Call) -> Json:
    """Return a parent and its replies, oldest first (`conversations.replies`)."""
    channel = call.channel(member=True)
    limit = call.number("limit", 1000, LIST_MOST)
    after, before = _window(call)
    cursor = _from_cursor(call, "next_ts")
    workspace = call.playground.workspace
    asked = workspace.store.message(channel.id, call.need("ts"))
    if asked is None:
        raise SlackError("thread_not_found")
    thread_ts = str(asked.get("thread_ts") or asked["ts"])
    parent = workspace.store.message(channel.id, thread_ts)
    found = workspace.store.replies(channel.id, thread_ts, cursor or after, before, limit + 1)
    # As in Slack, the first page begins with the parent even if its `ts` is outside of the bounds.
    messages = [parent, *found] if parent and cursor is None else found
    with_metadata = call.flag("include_all_metadata")
    shown = [workspace.shown(channel.id, body, metadata=with_metadata) for body in messages]
    return _page(shown, limit, "next_ts")


def _slice(call: Call, items: list[Any], name: str) -> Json:
    limit = call.number("limit", 100, LIST_MOST)
    start = int(_from_cursor(call, "offset") or 0)
    end = start + limit
    cursor = _cursor("offset", str(end)) if end < len(items) else ""
    return {name: items[start:end], "response_metadata": {"next_cursor": cursor}}


def _by_types(call: Call, user: str) -> list[seed.Channel]:
    """Return the conversations of the requested types that both `user` and the bot can see."""
    types = {kind.strip() for kind in call.text("types", "public_channel").split(",")}
    if types - set(KINDS):
        raise SlackError("invalid_types")
    kinds = {KINDS[name] for name in types}
    without_archived = call.flag("exclude_archived")
    workspace = call.playground.workspace
    return [
        channel
        for channel in workspace.channels.values()
        if channel.kind in kinds
        and not (without_archived and channel.is_archived)
        and workspace.sees(channel, seed.BOT_USER)
        and workspace.sees(channel, user)
    ]


async def info(call: Call) -> Json:
    """Return a conversation (`conversations.info`)."""
    conversation = conversation_object(call.playground.workspace, call.channel())
    if not call.flag("include_num_members"):
        conversation.pop("num_members", None)
    return {"channel": conversation}


async def list_all(call: Call) -> Json:
    """Return the conversations that the bot can see (`conversations.list`)."""
    workspace = call.playground.workspace
    channels = _by_types(call, seed.BOT_USER)
    return _slice(call, [conversation_object(workspace, channel) for channel in channels], "channels")


async def list_of_user(call: Call) -> Json:
    """Return the conversations of a user, by default of the bot (`users.conversations`)."""
    workspace = call.playground.workspace
    user = call.person().id if call.text("user") else seed.BOT_USER
    channels = [channel for channel in _by_types(call, user) if workspace.is_member(channel.id, user)]
    return _slice(call, [conversation_object(workspace, channel) for channel in channels], "channels")


async def members(call: Call) -> Json:
    """Return the user ids of the members (`conversations.members`)."""
    return _slice(call, call.playground.store.members(call.channel().id), "members")


async def open_direct(call: Call) -> Json:
    """Open direct messages with one person or a group of up to eight (`conversations.open`)."""
    if call.text("channel"):
        channel, before = call.channel(), True
        if channel.kind not in ("im", "mpim"):
            raise SlackError("method_not_supported_for_channel_type")
    else:
        channel, before = _opened(call)
    whole = conversation_object(call.playground.workspace, channel)
    already: Json = {"no_op": True, "already_open": True} if before else {}
    return {**already, "channel": whole if call.flag("return_im") else {"id": channel.id}}


def _opened(call: Call) -> tuple[seed.Channel, bool]:
    """Return the conversation with the users named, and whether it existed before."""
    workspace = call.playground.workspace
    users = list(dict.fromkeys(user for user in call.text("users").split(",") if user))
    if not users:
        raise SlackError("users_list_not_supplied")
    if len(users) > MOST_IN_A_GROUP:
        raise SlackError("too_many_users")
    for user in users:
        person = workspace.people.get(user)
        if person is None:
            raise SlackError("user_not_found")
        if person.deleted:
            raise SlackError("user_disabled")
        if person.is_bot:
            raise SlackError("cannot_dm_bot")
        if workspace.is_stranger(person):
            raise SlackError("invalid_user_combination")
    if len(users) == 1:
        return workspace.direct_channel(users[0]), True
    return workspace.group_messages(users)


async def join(call: Call) -> Json:
    """Add the bot to a public channel (`conversations.join`); it has to be invited to a private one."""
    channel = call.playground.workspace.find_channel(call.text("channel"))
    if channel is not None and channel.is_private:
        raise SlackError("method_not_supported_for_channel_type")
    channel = call.channel(archived="is_archived")
    workspace = call.playground.workspace
    already = workspace.is_member(channel.id, seed.BOT_USER)
    if not already:
        workspace.store.join(channel.id, [seed.BOT_USER])
        call.playground.events.joined(channel, seed.BOT_USER, None)
        call.playground.hub.publish("channel", {"channel": conversation_object(workspace, channel)})
    more: Json = {"warning": "already_in_channel"} if already else {}
    return {"channel": conversation_object(workspace, channel), **more}


METHODS: dict[str, Method] = {
    "conversations.history": history,
    "conversations.replies": replies,
    "conversations.info": info,
    "conversations.list": list_all,
    "conversations.members": members,
    "conversations.open": open_direct,
    "conversations.join": join,
    "users.conversations": list_of_user,
}
