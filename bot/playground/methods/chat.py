"""The methods `chat.*`, `reactions.*` and `assistant.threads.*`."""

from typing import Any

from bot.playground import seed
from bot.playground.block_kit.blocks import check_message_blocks
from bot.playground.block_kit.schema import at
from bot.playground.errors import SlackError
from bot.playground.methods.call import Call, Method
from bot.playground.store import Json
from bot.playground.timeline import is_tombstone
from bot.playground.workspace import new_id

TEXT_CHARACTERS = 40_000
UPDATE_CHARACTERS = 4_000
METADATA_BYTES = 16_000


def _content(call: Call, most: int = TEXT_CHARACTERS) -> Json:
    """Return the text, blocks and attachments that were given. Raises SlackError if one is invalid."""
    text = call.text("text")
    blocks, attachments = call.args.get("blocks"), call.structure("attachments")
    if len(text) > most:
        raise SlackError("msg_too_long")
    content: Json = {}
    if call.args.get("text") is not None:
        content["text"] = text
    if blocks not in (None, ""):
        content["blocks"] = _checked(call, blocks)
    if attachments:
        content["attachments"] = attachments
    return content


def _checked(call: Call, blocks: Any) -> list[Json]:
    checked = check_message_blocks(blocks)
    for index, block in enumerate(checked):
        if call.playground.settings.agents_error and block["type"] in ("plan", "task_card"):
            raise SlackError(
                "invalid_blocks", [at(f"unsupported type: {block['type']}", f"/blocks/{index}/type")]
            )
    return checked


def _require_text(content: Json) -> None:
    if (
        not str(content.get("text", "")).strip()
        and not content.get("blocks")
        and not content.get("attachments")
    ):
        raise SlackError("no_text")


def _metadata(call: Call) -> Json | None:
    metadata = call.structure("metadata")
    if metadata is None or metadata == {}:
        return None
    if not isinstance(metadata, dict) or not isinstance(metadata.get("event_type"), str):
        raise SlackError("invalid_metadata_format")
    if not isinstance(metadata.get("event_payload"), dict):
        raise SlackError("invalid_metadata_schema")
    if len(str(metadata)) > METADATA_BYTES:
        raise SlackError("metadata_too_large")
    return {"event_type": metadata["event_type"], "event_payload": metadata["event_payload"]}


async def post_message(call: Call) -> Json:
    """Post a message (`chat.postMessage`)."""
    channel = call.channel(member=not _writes_anywhere(call), archived="is_archived")
    content = _content(call)
    _require_text(content)
    workspace = call.playground.workspace
    thread_ts = call.thread(channel)
    broadcast = thread_ts is not None and call.flag("reply_broadcast")
    parts: Json = {
        "text": "",
        **content,
        "thread_ts": thread_ts,
        "subtype": "thread_broadcast" if broadcast else None,
        "metadata": _metadata(call),
        "username": call.text("username") or None,
        "icons": {"emoji": call.text("icon_emoji")} if call.text("icon_emoji") else None,
        "mrkdwn": False if not call.flag("mrkdwn", default=True) else None,
    }
    if thread_ts:
        parent = call.playground.store.message(channel.id, thread_ts) or {}
        parts["parent_user_id"] = parent.get("user")
    message = workspace.bot_message(workspace.next_ts(), parts.items())
    call.playground.timeline.post(channel, message)
    return {"channel": channel.id, "ts": message["ts"], "message": message}


def _writes_anywhere(call: Call) -> bool:
    """Return whether the bot may post into public channels that it is not in, and update what it posted there."""
    scopes = call.playground.workspace.manifest.scopes or frozenset()
    return call.playground.settings.chat_write_public or "chat:write.public" in scopes


def _own(call: Call, channel: seed.Channel, refusal: str) -> Json:
    message = call.playground.store.message(channel.id, call.need("ts"))
    if message is None or is_tombstone(message):
        raise SlackError("message_not_found")
    if message.get("bot_id") != seed.BOT_ID:
        raise SlackError(refusal)
    return message


async def update(call: Call) -> Json:
    """Change a message (`chat.update`); omitted parts are kept, and `[]` removes the blocks."""
    channel = call.channel(member=not _writes_anywhere(call), archived="is_inactive")
    message = _own(call, channel, "cant_update_message")
    content = _content(call, UPDATE_CHARACTERS)
    metadata = _metadata(call)
    if not content and call.structure("metadata") is None:
        raise SlackError("no_text")
    changed = {**message, **content}
    if changed.get("blocks") == []:
        del changed["blocks"]
    _require_text({**changed, "files": None})
    if metadata:
        changed["metadata"] = metadata
    elif call.structure("metadata") == {}:
        changed.pop("metadata", None)
    changed["edited"] = {"user": seed.BOT_ID, "ts": call.playground.workspace.next_ts()}
    call.playground.timeline.change(channel, changed)
    return {"channel": channel.id, "ts": message["ts"], "text": changed.get("text", ""), "message": changed}


async def delete(call: Call) -> Json:
    """Delete a message of the bot (`chat.delete`)."""
    channel = call.channel(member=True)
    message = _own(call, channel, "cant_delete_message")
    call.playground.timeline.delete(channel, message)
    return {"channel": channel.id, "ts": message["ts"]}


async def post_ephemeral(call: Call) -> Json:
    """Post a message that one user sees (`chat.postEphemeral`)."""
    channel = call.channel(member=True, archived="is_archived")
    content = _content(call)
    _require_text(content)
    workspace = call.playground.workspace
    user = call.text("user")
    if user not in workspace.people:
        raise SlackError("user_not_found")
    if not workspace.is_member(channel.id, user):
        raise SlackError("user_not_in_channel")
    parts = {"text": "", **content, "thread_ts": call.text("thread_ts") or None}
    message = workspace.bot_message(workspace.next_ts(), parts.items())
    call.playground.timeline.whisper(channel, user, message)
    return {"message_ts": message["ts"]}


async def permalink(call: Call) -> Json:
    """Return the permalink of a message (`chat.getPermalink`)."""
    channel = call.channel()
    message = call.playground.store.message(channel.id, call.need("message_ts"))
    if message is None:
        raise SlackError("message_not_found")
    thread = message.get("thread_ts")
    suffix = f"?thread_ts={thread}&cid={channel.id}" if thread and thread != message["ts"] else ""
    path = f"/archives/{channel.id}/p{message['ts'].replace('.', '')}{suffix}"
    return {"channel": channel.id, "permalink": call.playground.base_url + path}


async def _react(call: Call, *, added: bool) -> Json:
    channel = call.channel(archived="is_archived")
    name = call.need("name").strip(":")
    message = call.playground.store.message(channel.id, call.need("timestamp"))
    if message is None or is_tombstone(message):
        raise SlackError("message_not_found")
    if not call.playground.timeline.react(channel, message, seed.BOT_USER, name, added=added):
        raise SlackError("already_reacted" if added else "no_reaction")
    return {}


async def add_reaction(call: Call) -> Json:
    """Add a reaction of the bot (`reactions.add`)."""
    return await _react(call, added=True)


async def remove_reaction(call: Call) -> Json:
    """Remove a reaction of the bot (`reactions.remove`)."""
    return await _react(call, added=False)


async def set_status(call: Call) -> Json:
    """Set the status of a thread (`assistant.threads.setStatus`); a message of the bot there clears it."""
    channel = call.channel("channel_id")
    thread_ts = call.need("thread_ts")
    call.playground.timeline.status(channel, thread_ts, call.text("status"))
    return {}


async def me_message(call: Call) -> Json:
    """Post a message in the third person (`chat.meMessage`)."""
    channel = call.channel(member=True, archived="is_archived")
    workspace = call.playground.workspace
    parts: dict[str, Any] = {"text": call.need("text"), "subtype": "me_message", "client_msg_id": new_id("m")}
    message = workspace.bot_message(workspace.next_ts(), parts.items())
    call.playground.timeline.post(channel, message)
    return {"channel": channel.id, "ts": message["ts"]}


METHODS: dict[str, Method] = {
    "chat.postMessage": post_message,
    "chat.update": update,
    "chat.delete": delete,
    "chat.postEphemeral": post_ephemeral,
    "chat.getPermalink": permalink,
    "chat.meMessage": me_message,
    "reactions.add": add_reaction,
    "reactions.remove": remove_reaction,
    "assistant.threads.setStatus": set_status,
}
