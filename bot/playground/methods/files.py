"""The methods `files.*`, the upload of file contents, and the download."""

import logging
import mimetypes
import secrets
import time
from collections.abc import AsyncIterator
from functools import partial
from pathlib import PurePosixPath
from urllib.parse import quote

from aiohttp import BodyPartReader, web

from bot.playground import seed
from bot.playground.block_kit.blocks import check_message_blocks
from bot.playground.errors import Refusal, SlackError
from bot.playground.methods.call import Call, Method, visible_channel
from bot.playground.playground import Playground
from bot.playground.store import Json
from bot.playground.workspace import new_id

LARGEST = 50 * 1024 * 1024
PREVIEW_CHARACTERS = 1000
log = logging.getLogger(__name__)


def _about(base_url: str, file_id: str, name: str, size: int, user: str = seed.BOT_USER) -> Json:
    mimetype = mimetypes.guess_type(name)[0] or "application/octet-stream"
    suffix = PurePosixPath(name).suffix.lstrip(".").lower() or "text"
    url = f"{base_url}/playground/files/{file_id}"
    return {
        "id": file_id,
        "created": int(time.time()),
        "timestamp": int(time.time()),
        "name": name,
        "title": name,
        "mimetype": mimetype,
        "filetype": suffix,
        "pretty_type": suffix.upper(),
        "user": user,
        "user_team": seed.TEAM_ID,
        "editable": False,
        "size": size,
        "mode": "snippet" if mimetype.startswith("text/") else "hosted",
        "is_external": False,
        "is_public": True,
        "url_private": url,
        "url_private_download": f"{url}?download=1",
        "permalink": url,
        "channels": [],
        "groups": [],
        "ims": [],
        "shares": {},
    }


async def get_upload_url(call: Call) -> Json:
    """Return the URL for one upload (`files.getUploadURLExternal`)."""
    name, length = call.need("filename"), call.need("length")
    if not length.isdigit() or int(length) == 0:
        raise SlackError("invalid_arguments", ["length must be a positive integer"])
    if int(length) > LARGEST:
        raise SlackError("file_upload_size_restricted")
    playground = call.playground
    file_id = new_id("F")
    playground.store.put_file(_about(playground.base_url, file_id, name, int(length)), None)
    token = secrets.token_urlsafe(24)
    playground.uploads[token] = file_id
    return {"upload_url": f"{playground.base_url}/upload/v1/{token}", "file_id": file_id}


async def receive(playground: Playground, request: web.Request) -> web.Response:
    """Store an uploaded file, sent as the raw body or in a multipart form."""
    file_id = playground.uploads.pop(request.match_info["token"], None)
    about = playground.store.file(file_id) if file_id else None
    if about is None:
        return web.Response(status=404, text="not found")
    content = await _uploaded(request)
    if len(content) > LARGEST:
        return web.Response(status=413, text="too large")
    if about["mimetype"].startswith("text/") or about["filetype"] in ("json", "md", "log", "yaml", "yml"):
        about["preview"] = content[: 4 * PREVIEW_CHARACTERS].decode(errors="replace")[:PREVIEW_CHARACTERS]
    playground.store.put_file({**about, "size": len(content)}, content)
    return web.Response(text=f"OK - {len(content)}")


async def _uploaded(request: web.Request) -> bytes:
    """Read the body in chunks, because the application may limit the size of bodies that are read at once."""
    content = bytearray()
    async for piece in _pieces(request):
        content += piece
        if len(content) > LARGEST:
            break
    return bytes(content)


async def _pieces(request: web.Request) -> AsyncIterator[bytes]:
    if not request.content_type.startswith("multipart/"):
        async for piece in request.content.iter_any():
            yield piece
        return
    async for part in await request.multipart():
        if isinstance(part, BodyPartReader) and part.filename:
            while piece := await part.read_chunk():
                yield piece


async def attach(playground: Playground, person: seed.Person, request: web.Request) -> Json:
    """Store a file that a person is about to attach to a message; the body has its content. Raises Refusal."""
    name = PurePosixPath(request.query.get("name", "")).name or "file"
    content = await _uploaded(request)
    if len(content) > LARGEST:
        raise Refusal(413, "file_too_large", f"A file has at most {LARGEST // 2**20} MB here.")
    file_id = new_id("F")
    about = _about(playground.base_url, file_id, request.query.get("name", name), len(content), person.id)
    about["preview"] = content[: 4 * PREVIEW_CHARACTERS].decode(errors="replace")[:PREVIEW_CHARACTERS]
    if about["mode"] != "snippet":
        del about["preview"]
    playground.store.put_file(about, content)
    return {"ok": True, "file": about}


def attached(playground: Playground, person: seed.Person, ids: object) -> list[Json]:
    """Return the files of these ids, which the person has stored. Raises Refusal."""
    if not isinstance(ids, list):
        raise Refusal(400, "invalid_files", "`files` is a list of the ids of stored files.")
    found = [playground.store.file(str(file_id)) for file_id in ids]
    if any(about is None or about["user"] != person.id for about in found):
        raise Refusal(404, "file_not_found", "There is no such file of this person.")
    return [about for about in found if about]


async def complete_upload(call: Call) -> Json:
    """Finish uploads (`files.completeUploadExternal`); the files are shared after `file_share_delay_s`.

    Until then `files.info` shows no `shares`: https://github.com/slackapi/bolt-js/issues/2115
    """
    wanted = call.structure("files")
    if not isinstance(wanted, list) or not wanted:
        raise SlackError("invalid_arguments", ["missing required field: files"])
    names = [name for name in (call.text("channel_id") or call.text("channels")).split(",") if name]
    files = [_titled(call, item) for item in wanted]
    places = [_place(call.playground, name) for name in names]
    blocks = call.args.get("blocks")
    parts: Json = {
        "text": call.text("initial_comment"),
        "blocks": check_message_blocks(blocks) if blocks else None,
        "files": files,
        "upload": True,
    }
    for file in files:
        call.playground.store.put_file(file, None)
    for place in places:
        share = partial(_share, call, place.id, parts)
        call.playground.later(call.playground.settings.file_share_delay_s, share)
    return {"files": files}


def _place(playground: Playground, name: str) -> seed.Channel:
    return visible_channel(playground, name, member=True, archived="is_archived")


def _titled(call: Call, item: Json) -> Json:
    file_id = str(item.get("id", "")) if isinstance(item, dict) else ""
    about = call.playground.store.file(file_id)
    if about is None or call.playground.store.content(file_id) is None:
        raise SlackError("file_not_found")
    return {**about, "title": item.get("title") or about["title"]}


def _share(call: Call, channel_id: str, parts: Json) -> None:
    """Post the message with the files; if the channel no longer accepts it, only log that."""
    workspace = call.playground.workspace
    try:
        channel = _place(call.playground, channel_id)
        thread_ts = call.thread(channel)
    except SlackError as refusal:
        log.info("Files are not shared in %s: %s", channel_id, refusal.code)
        return
    message = workspace.bot_message(workspace.next_ts(), {**parts, "thread_ts": thread_ts}.items())
    call.playground.timeline.post(channel, message)
    for file in parts["files"]:
        call.playground.store.put_file(
            _shared(workspace.store.file(file["id"]) or file, channel, message), None
        )


def _shared(file: Json, channel: seed.Channel, message: Json) -> Json:
    """Return the metadata of a file with one more share added."""
    share: Json = {
        "ts": message["ts"],
        "channel_name": channel.name,
        "team_id": seed.TEAM_ID,
        "share_user_id": seed.BOT_USER,
        **({"thread_ts": message["thread_ts"]} if message.get("thread_ts") else {}),
    }
    sort = "private" if channel.is_private else "public"
    before = file["shares"].get(sort, {})
    shares = {**file["shares"], sort: {**before, channel.id: [*before.get(channel.id, []), share]}}
    listing = {"public": "channels", "im": "ims"}.get(channel.kind, "groups")
    return {**file, "shares": shares, listing: [*file[listing], channel.id]}


async def file_info(call: Call) -> Json:
    """Return the metadata of a file (`files.info`)."""
    about = call.playground.store.file(call.need("file"))
    if about is None:
        raise SlackError("file_not_found")
    return {"file": about, "comments": [], "response_metadata": {"next_cursor": ""}}


async def delete_file(call: Call) -> Json:
    """Delete a file (`files.delete`); messages without other content are deleted, others show a tombstone."""
    workspace = call.playground.workspace
    about = workspace.store.file(call.need("file"))
    if about is None:
        raise SlackError("file_not_found")
    gone = {"id": about["id"], "mode": "tombstone"}
    for channel_id, shares in (place for kind in about["shares"].values() for place in kind.items()):
        for share in shares:
            channel, message = (
                workspace.channels[channel_id],
                workspace.store.message(channel_id, share["ts"]),
            )
            if message is None:
                continue
            files = [gone if file["id"] == about["id"] else file for file in message["files"]]
            if message.get("text") or any(file.get("mode") != "tombstone" for file in files):
                call.playground.timeline.change(channel, {**message, "files": files})
            else:
                call.playground.timeline.delete(channel, message)
    workspace.store.delete_file(about["id"])
    return {}


def download(
    playground: Playground, file_id: str, *, attachment: bool, token: str | None = None
) -> web.Response:
    """Return the contents of a file, with headers that keep the browser from running it.

    With a `token` it is the app that asks. As in Slack, one that may not read files gets a page for signing in.
    """
    may_read = token == playground.bot_token and playground.workspace.has_scope("files:read")
    if token is not None and not may_read:
        return web.Response(text="<!DOCTYPE html><title>Sign in</title>", content_type="text/html")
    about, content = playground.store.file(file_id), playground.store.content(file_id)
    if about is None or content is None:
        return web.json_response({"ok": False, "error": "file_not_found"}, status=404)
    image = about["mimetype"] in ("image/png", "image/jpeg", "image/gif", "image/webp")
    readable = about["mimetype"] if image else "text/plain"
    how = "attachment" if attachment else "inline"
    headers = {
        "Content-Type": readable if image else f"{readable}; charset=utf-8",
        "Content-Disposition": f"{how}; filename*=UTF-8''{quote(about['name'])}",
        "X-Content-Type-Options": "nosniff",
        "Content-Security-Policy": "sandbox",
    }
    return web.Response(body=content, headers=headers)


METHODS: dict[str, Method] = {
    "files.getUploadURLExternal": get_upload_url,
    "files.completeUploadExternal": complete_upload,
    "files.delete": delete_file,
    "files.info": file_info,
}
