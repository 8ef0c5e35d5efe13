"""Posts and updates messages in Slack, and tells the kinds of its refusals apart.

A refusal is of form (the message is shown in a simpler one), of place (it goes elsewhere), because the message is gone,
or any other, also of a code that is not known here: then the call is tried again, since it may be mended.
"""

from __future__ import annotations

import asyncio
import logging
import re
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from typing import Any, TypeVar

import aiohttp
from slack_sdk.errors import SlackApiError, SlackRequestError
from slack_sdk.web.async_client import AsyncWebClient

from handlers.blocks.text import Block
from handlers.messages.message import Message, plain_form, shortest_form
from storage.projections import ProjectionStore

EVENT_TYPE = "flagman_message"
Sent = TypeVar("Sent")
# The codes are those of https://docs.slack.dev/reference/methods/chat.postMessage and chat.update.
_GONE = {"message_not_found", "cant_update_message", "edit_window_closed", "thread_not_found"}
_PLACE = {
    "cannot_dm_bot",
    "cannot_reply_to_message",
    "channel_not_found",
    "is_archived",
    "is_inactive",
    "messages_tab_disabled",
    "method_not_supported_for_channel_type",
    "no_permission",
    "not_in_channel",
    "user_disabled",
    "user_not_found",
    "users_not_found",
}
# restricted_action_read_only_channel and others of its family.
_PLACES = "restricted_action"
_FORM = {
    "block_mismatch",
    "invalid_blocks",
    "invalid_blocks_format",
    "invalid_metadata_format",
    "invalid_metadata_schema",
    "markdown_text_conflict",
    "metadata_too_large",
    "msg_blocks_too_long",
    "msg_too_long",
    "no_text",
}
_BUSY = {"internal_error", "fatal_error", "service_unavailable", "request_timeout"}
_UNREACHABLE = (aiohttp.ClientError, asyncio.TimeoutError, OSError)
_READS = {"conversations.history", "conversations.replies", "chat.getPermalink"}
_ADDRESS = re.compile(r"https?://[^\s<>|]{1,1000}")
_UPLOAD = "files.upload"
# What fails in these is not tried again: it is done without.
_OPTIONAL = {*_READS, _UPLOAD, "chat.delete"}
# Slack counts these for the whole workspace, others by channel.
_BY_WORKSPACE = {"chat.update", "conversations.open", *_READS}
RETRY_SECONDS = 2.0
NEAR_SECONDS = 3600.0
_log = logging.getLogger("flagman.sending")


class RetryLater(Exception):
    """Slack does not take it now; try again after `seconds`. What was sent may have arrived.

    `refused` says that Slack gave a reason which only a person can mend, or which is not known here.
    """

    def __init__(self, seconds: float, why: str, *, refused: bool = False) -> None:
        super().__init__(why)
        self.seconds, self.refused = seconds, refused


class MessageDeleted(Exception):
    """The message is no longer there."""


class SlackRejected(Exception):
    """Slack does not take it, and it is one of the calls that are done without."""


class FormRejected(SlackRejected):
    """Slack does not take a message in this form."""


class ChannelUnavailable(SlackRejected):
    """The bot may not write, or read, in that channel."""


class SlackSender:
    """Sends to one workspace; waits that Slack imposes are kept in the store, and every process keeps to them."""

    def __init__(self, client: AsyncWebClient, waits: ProjectionStore) -> None:
        self._client, self._waits = client, waits

    async def post(self, channel: str, thread_ts: str, session_id: str, message: Message) -> str:
        """The ts of the new message. Raises RetryLater, MessageDeleted or ChannelUnavailable."""
        return await self._in_some_form(
            message, lambda blocks: self._post(channel, thread_ts, session_id, message, blocks)
        )

    async def direct(self, user: str) -> str:
        """The direct conversation with a person. Raises RetryLater or SlackRejected."""
        opened = await self._call("conversations.open", user, users=user)
        return str(opened["channel"]["id"])

    async def _post(
        self, channel: str, thread_ts: str, session_id: str, message: Message, blocks: tuple[Block, ...]
    ) -> str:
        payload = {"session": session_id, "key": message.key}
        answer = await self._call(
            "chat.postMessage",
            channel,
            channel=channel,
            thread_ts=thread_ts or None,
            text=message.text,
            blocks=_named(blocks, session_id, message.key),
            metadata={"event_type": EVENT_TYPE, "event_payload": payload},
            unfurl_links=False,
            unfurl_media=False,
        )
        return str(answer["ts"])

    async def update(self, channel: str, ts: str, message: Message) -> None:
        """Make a message of the bot show `message`. Raises RetryLater, MessageDeleted or ChannelUnavailable."""
        await self._in_some_form(message, lambda blocks: self._update(channel, ts, message, blocks))

    @staticmethod
    async def _in_some_form(message: Message, send: Callable[[tuple[Block, ...]], Awaitable[Sent]]) -> Sent:
        """As it is, else in plain text, else without the buttons that need what does not fit."""
        last = ""
        for blocks in (message.blocks, plain_form(message), shortest_form(message)):
            try:
                return await send(blocks)
            except FormRejected as refused:
                last = str(refused)
                _log.warning("Slack refused a form of %s (%s)", message.key, last)
        raise RetryLater(RETRY_SECONDS, f"every form of {message.key}: {last}", refused=True)

    async def delete(self, channel: str, ts: str) -> None:
        """Delete a message of the bot; one that is deleted already is no error. Raises RetryLater or SlackRejected."""
        with suppress(MessageDeleted):
            await self._call("chat.delete", channel, channel=channel, ts=ts)

    async def _update(self, channel: str, ts: str, message: Message, blocks: tuple[Block, ...]) -> None:
        await self._call(
            "chat.update", channel, channel=channel, ts=ts, text=message.text, blocks=list(blocks)
        )

    async def permalink(self, channel: str, ts: str) -> str:
        """The address of a message; empty where Slack does not say."""
        try:
            answer = await self._call("chat.getPermalink", channel, channel=channel, message_ts=ts)
        except (RetryLater, MessageDeleted, SlackRejected) as problem:
            _log.info("%s in %s has no link: %s", ts, channel, problem)
            return ""
        found = str(answer.get("permalink") or "")
        return found if _ADDRESS.fullmatch(found) else ""

    async def find(
        self, channel: str, thread_ts: str, session_id: str, key: str, *, since: float
    ) -> list[str]:
        """The ts of every post of a message, in no order; empty where it cannot be looked up."""

        def is_it(message: dict[str, Any]) -> bool:
            return _is(message, session_id, key)

        try:
            return [ts async for ts in self._look(channel, thread_ts, since, is_it)]
        except ChannelUnavailable:
            return []
        except SlackRejected as refused:
            # Better shown twice than never: a person waits for it.
            _log.warning("%s: %s cannot be looked up: %s", session_id, key, refused)
            return []

    async def has_file(self, channel: str, thread_ts: str, name: str, *, since: float) -> bool:
        """Whether a file of that name was shared in the thread. Raises as `post`."""

        def has_it(message: dict[str, Any]) -> bool:
            return any(file.get("name") == name for file in message.get("files") or ())

        return bool([ts async for ts in self._look(channel, thread_ts, since, has_it)])

    async def upload(
        self, channel: str, thread_ts: str, name: str, content: str | bytes, *, comment: str = ""
    ) -> None:
        """Share a file, in a thread if one is named. Raises as `post`."""
        await self._respect_waits(_UPLOAD, channel)
        try:
            await self._client.files_upload_v2(
                channel=channel,
                thread_ts=thread_ts or None,
                filename=name,
                title=name,
                content=content,
                initial_comment=comment or None,
            )
        except SlackApiError as error:
            raise await self._problem(_UPLOAD, channel, error) from error
        except (SlackRequestError, *_UNREACHABLE) as error:
            raise RetryLater(RETRY_SECONDS, f"{_UPLOAD}: {type(error).__name__}") from error

    async def _look(
        self, channel: str, thread_ts: str, since: float, is_it: Callable[[dict[str, Any]], bool]
    ) -> AsyncIterator[str]:
        """The ts of each message that is it, from shortly before `since` on; the hour after `since` may suffice."""
        common: dict[str, Any] = {"channel": channel, "limit": 200, "include_all_metadata": True}
        if thread_ts:
            common["ts"] = thread_ts
        method = "conversations.replies" if thread_ts else "conversations.history"
        for oldest, latest in _windows(since, whole=bool(thread_ts)):
            cursor: str | None = None
            found = False
            while True:
                answer = await self._call(
                    method, channel, **common, oldest=oldest, latest=latest, cursor=cursor
                )
                for message in answer.get("messages") or []:
                    if is_it(message):
                        found = True
                        yield str(message["ts"])
                cursor = (answer.get("response_metadata") or {}).get("next_cursor")
                if not cursor:
                    break
            if found:
                return

    async def _call(self, method: str, scope: str, **arguments: Any) -> Any:
        scope = "" if method in _BY_WORKSPACE else scope
        await self._respect_waits(method, scope)
        body = {key: value for key, value in arguments.items() if value is not None}
        try:
            if method in _READS:
                return await self._client.api_call(method, http_verb="GET", params=body)
            return await self._client.api_call(method, json=body)
        except SlackApiError as error:
            raise await self._problem(method, scope, error) from error
        except _UNREACHABLE as error:
            raise RetryLater(RETRY_SECONDS, f"{method}: {type(error).__name__}") from error

    async def _respect_waits(self, method: str, scope: str) -> None:
        until = await self._waits.rate_limited_until(f"{method}:{scope}")
        if until is not None:
            left = until - datetime.now(UTC).timestamp()
            if left > 0:
                raise RetryLater(left, f"{method} is rate limited")

    async def _problem(self, method: str, scope: str, error: SlackApiError) -> Exception:
        response: Any = error.response
        # Behind a proxy the answer may be no JSON; then it is the bare HTTP response.
        data, status = getattr(response, "data", None), getattr(response, "status_code", 503)
        code = str(data.get("error", "")) if isinstance(data, dict) else ""
        if status == 429 or code in ("ratelimited", "rate_limited"):
            seconds = _seconds(response.headers)
            until = datetime.now(UTC) + timedelta(seconds=seconds)
            await self._waits.set_rate_limit(f"{method}:{scope}", until)
            return RetryLater(seconds, f"{method} is rate limited")
        if status >= 500 or code in _BUSY:
            return RetryLater(RETRY_SECONDS, f"{method}: {code or status}")
        if code in _GONE:
            return MessageDeleted(code)
        if code in _PLACE or code.startswith(_PLACES):
            return ChannelUnavailable(code)
        if code in _FORM:
            return FormRejected(code)
        if method in _OPTIONAL:
            return SlackRejected(code or f"status {status}")
        return RetryLater(RETRY_SECONDS, f"{method}: {code or status}", refused=True)


def _windows(since: float, *, whole: bool) -> list[tuple[str, str | None]]:
    """What was meant to be posted is near the time at which it was, and a channel may have said much since."""
    near, now = since + NEAR_SECONDS, datetime.now(UTC).timestamp()
    if whole or near >= now:
        return [(f"{since - 60:.6f}", None)]
    return [(f"{since - 60:.6f}", f"{near:.6f}"), (f"{near:.6f}", None)]


def _mark(session_id: str, key: str) -> str:
    return f"flagman:{session_id}:{key}"


def _named(blocks: tuple[Block, ...], session_id: str, key: str) -> list[Block]:
    """The first block carries the message's name, for a reader that keeps no metadata."""
    first, *rest = blocks
    return [{"block_id": _mark(session_id, key), **first}, *rest]


def _is(message: dict[str, Any], session_id: str, key: str) -> bool:
    payload = (message.get("metadata") or {}).get("event_payload") or {}
    if payload.get("session") == session_id and payload.get("key") == key:
        return True
    return any(block.get("block_id") == _mark(session_id, key) for block in message.get("blocks") or ())


def _seconds(headers: Any) -> float:
    for name in ("Retry-After", "retry-after"):
        value = headers.get(name)
        if isinstance(value, list):
            value = value[0] if value else None
        if value and str(value).isdigit():
            return max(float(value), 0.1)
    return 1.0
