"""Posts and updates messages in Slack, at the rates that Slack allows."""

from __future__ import annotations

import asyncio
import logging
import re
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import contextmanager, suppress
from datetime import UTC, datetime, timedelta
from typing import Any, NamedTuple, TypeVar

import aiohttp
from slack_sdk.errors import SlackApiError, SlackRequestError
from slack_sdk.web.async_client import AsyncWebClient

from handlers.blocks.text import Block
from handlers.messages.message import Message, full_text, plain_form, shortest_form, with_plan
from handlers.projection import refusals, turns
from handlers.projection.marks import mark_of, metadata, named
from handlers.projection.message_rows import Row
from handlers.projection.refusals import (
    READS,
    STATUS,
    UPLOAD,
    ChannelUnavailable,
    FormRejected,
    MessageDeleted,
    RetryLater,
    SlackRejected,
    TurnLater,
    problem_of,
)
from handlers.projection.turns import Rank, Rate
from handlers.users import Recent
from storage.projections import ProjectionStore

_Sent = TypeVar("_Sent")
_UNREACHABLE = (aiohttp.ClientError, asyncio.TimeoutError, OSError)
_ADDRESS = re.compile(r"https?://[^\s<>|]{1,1000}")
# Slack limits these methods by workspace, and others by channel.
_BY_WORKSPACE = {"chat.update", "conversations.open", STATUS, *READS}
# How far apart the clocks of workers and of Slack may be, in seconds.
SKEW_SECONDS = 2 * 3600.0
# The scope to post into public channels that the bot is not in.
PUBLIC = "chat:write.public"
# A feature that a workspace was found not to have is tried again after a day; what is known of it is read anew after
# some seconds.
PLANS, LACKING_FOR, LACKING_SECONDS = "plans", timedelta(days=1), 60.0
_log = logging.getLogger("flagman.sending")


class Posted(NamedTuple):
    """The position of a message; without `thread_ts` it is no reply, even if a reply was requested."""

    ts: str
    thread_ts: str


class SlackSender:
    """Sender for one workspace; rate limits that Slack imposes are stored, so that every process observes them.

    `team` is the workspace of which they are, empty for the first one.
    """

    def __init__(self, client: AsyncWebClient, waits: ProjectionStore, team: str = "") -> None:
        self._client, self._waits, self._team = client, waits, team
        self._bot_id = ""
        self._writes_anywhere = False
        self._lacking = Recent()

    async def reserve_post(self, channel: str, session_id: str, key: str, rank: Rank) -> None:
        """Take the right to post a message now. Raises TurnLater with the time until its turn."""
        await self._reserve(f"chat.postMessage:{channel}", turns.POSTS, session_id, key, rank)

    async def reserve_update(self, session_id: str, key: str, rank: Rank) -> None:
        """Take the right to update a message now. Raises TurnLater with the time until its turn.

        What running calls print has no turn: the next time there is something newer to show.
        """
        await self._reserve("chat.update:", turns.UPDATES, session_id, key, rank)

    async def reserve_status(self, session_id: str, rank: Rank) -> None:
        """Take the right to set the status of an agent session now. Raises TurnLater."""
        await self._reserve(f"{STATUS}:", turns.STATUSES, session_id, "status", rank)

    async def set_status(self, card: Row, status: str, title: str) -> None:
        """Set the status of the agent session in the thread of a card. Raises as `post`, or SlackRejected."""
        thread_ts = card.thread_ts or card.ts
        await self._call(
            STATUS, card.channel, channel_id=card.channel, thread_ts=thread_ts, status=status, title=title
        )

    async def lacks(self, feature: str) -> bool:
        """Return whether the workspace was found not to have a feature."""
        if (known := self._lacking.get(feature, LACKING_SECONDS)) is None:
            self._lacking.put(feature, known := await self._waits.lacks(self._own(feature)))
        return bool(known)

    async def note_lack(self, feature: str) -> None:
        """Have a feature of Slack not used for a day."""
        await self._waits.note_lack(self._own(feature), LACKING_FOR)
        self._lacking.put(feature, True)

    async def _reserve(self, scope: str, rate: Rate, session_id: str, key: str, rank: Rank) -> None:
        wait = await self._waits.take_slot(
            self._own(scope),
            f"{session_id}:{key}",
            interval=rate.interval,
            burst=rate.most(rank),
            rank=rank,
            waits=rank is not Rank.PROGRESS,
        )
        if wait:
            raise TurnLater(wait.total_seconds(), f"{key} waits for its turn ({scope})")

    def _own(self, what: str) -> str:
        """The name of a limit or a feature of this workspace alone."""
        return f"{what}@{self._team}" if self._team else what

    async def post(self, session_id: str, row: Row, message: Message) -> Posted:
        """Post a message in the channel and thread of `row`.

        Raises RetryLater, MessageDeleted or ChannelUnavailable.
        """

        async def send(blocks: tuple[Block, ...]) -> Posted:
            answer = await self._call(
                "chat.postMessage",
                row.channel,
                channel=row.channel,
                thread_ts=row.thread_ts or None,
                text=message.text,
                blocks=named(blocks, session_id, message.key),
                metadata=metadata(session_id, message.key),
                unfurl_links=False,
                unfurl_media=False,
            )
            # Slack may take a reply whose thread is gone, and show it in the channel.
            shown = answer.get("message")
            thread_ts = shown.get("thread_ts") if isinstance(shown, dict) else row.thread_ts
            return Posted(str(answer["ts"]), str(thread_ts or "") and row.thread_ts)

        return await self._in_some_form(session_id, row, message, send)

    async def direct(self, user: str) -> str:
        """Return the direct conversation with a person. Raises RetryLater or SlackRejected."""
        opened = await self._call("conversations.open", user, users=user)
        return str(opened["channel"]["id"])

    async def update(self, session_id: str, row: Row, message: Message) -> None:
        """Make the message at `row` show `message`. Raises RetryLater, MessageDeleted or ChannelUnavailable."""

        async def send(blocks: tuple[Block, ...]) -> None:
            await self._call(
                "chat.update",
                row.channel,
                channel=row.channel,
                ts=row.ts,
                text=message.text,
                blocks=named(blocks, session_id, message.key),
                metadata=metadata(session_id, message.key),
            )

        await self._in_some_form(session_id, row, message, send)

    async def _in_some_form(
        self,
        session_id: str,
        row: Row,
        message: Message,
        send: Callable[[tuple[Block, ...]], Awaitable[_Sent]],
    ) -> _Sent:
        """Send a message as it is, else in plain text, else in short beside a file with the whole text.

        Where Slack takes it only without its plan, plans are sent again after a day.
        """
        planned = message.plan is not None and not await self.lacks(PLANS)
        if planned:
            with _logged(message):
                return await send(with_plan(message))
        for blocks in (message.blocks, plain_form(message)):
            with _logged(message):
                sent = await send(blocks)
                if planned and blocks == message.blocks:
                    await self.note_lack(PLANS)
                return sent
        in_file = message.permits and await self._share_text(session_id, row, message)
        with _logged(message):
            return await send(shortest_form(message, in_file=in_file))
        raise RetryLater(refusals.RETRY_SECONDS, f"every form of {message.key}", refused=True)

    async def _share_text(self, session_id: str, row: Row, message: Message) -> bool:
        """Share the text of a message as a file where it belongs, once; False where Slack takes no file."""
        name = f"{session_id}-{message.key}-{message.fingerprint}.txt"
        thread_ts = row.thread_ts or row.ts
        try:
            if not await self.files(row.channel, thread_ts, name, since=row.intended_at or row.changed_at):
                await self.upload(row.channel, thread_ts, name, full_text(message))
        except (MessageDeleted, SlackRejected) as refused:
            _log.warning("%s: the text of %s is not shared: %s", session_id, message.key, refused)
            return False
        return True

    async def delete(self, channel: str, ts: str) -> None:
        """Delete a message of the bot; one that is deleted already is no error. Raises RetryLater or SlackRejected."""
        with suppress(MessageDeleted):
            await self._call("chat.delete", channel, channel=channel, ts=ts)

    async def permalink(self, channel: str, ts: str) -> str:
        """Return the address of a message; empty where Slack does not say."""
        try:
            return await self.verify(channel, ts)
        except (RetryLater, MessageDeleted, SlackRejected) as problem:
            _log.info("%s in %s has no link: %s", ts, channel, problem)
            return ""

    async def verify(self, channel: str, ts: str) -> str:
        """Return the address of a message that exists. Raises RetryLater, MessageDeleted or SlackRejected."""
        answer = await self._call("chat.getPermalink", channel, channel=channel, message_ts=ts)
        found = str(answer.get("permalink") or "")
        return found if _ADDRESS.fullmatch(found) else ""

    async def check_channel(self, channel: str) -> None:
        """Check that the bot writes in the channel; links to messages outlast its removal and the channel's archiving.

        Raises RetryLater, ChannelUnavailable or SlackRejected.
        """
        if await self._is_outside(channel) and not self._writes_anywhere:
            raise ChannelUnavailable("not_in_channel")

    async def _is_outside(self, channel: str) -> bool:
        """Whether the bot is no member of the channel.

        Raises as `check_channel`, for a private channel and an archived one, too.
        """
        answer = await self._call("conversations.info", channel, channel=channel)
        found = answer.get("channel") or {}
        if found.get("is_archived"):
            raise ChannelUnavailable("is_archived")
        headers = {str(name).lower(): str(value) for name, value in answer.headers.items()}
        self._writes_anywhere = PUBLIC in headers.get("x-oauth-scopes", "").replace(" ", "").split(",")
        outside = found.get("is_member") is False and not found.get("is_im")
        if outside and (found.get("is_private") or found.get("is_mpim")):
            raise ChannelUnavailable("not_in_channel")
        return bool(outside)

    async def find(
        self, channel: str, thread_ts: str, session_id: str, key: str, *, since: float
    ) -> list[str]:
        """Return the ts of every post of a message by the bot, in no order; empty where it cannot be looked up."""
        try:
            bot = await self._own_id()
            found = self._look(channel, thread_ts, since, lambda m: mark_of(m) == (session_id, key))
            return [str(message["ts"]) async for message in found if message.get("bot_id") == bot]
        except MessageDeleted:
            # The thread was deleted with all messages in it.
            return []
        except SlackRejected as refused:
            # A second post of the message is accepted, since a person waits for it.
            _log.warning("%s: %s cannot be looked up: %s", session_id, key, refused)
            return []

    async def _own_id(self) -> str:
        """Return the bot's own id. Another app could mark its messages as the bot does."""
        if not self._bot_id:
            self._bot_id = str((await self._call("auth.test", ""))["bot_id"])
        return self._bot_id

    async def files(self, channel: str, thread_ts: str, name: str, *, since: float) -> list[str]:
        """Return the ids of the files of a name in a thread or channel. Raises as `post`, or SlackRejected."""

        def named_so(message: dict[str, Any]) -> list[str]:
            return [str(f.get("id")) for f in message.get("files") or () if f.get("name") == name]

        found = self._look(channel, thread_ts, since, lambda m: bool(named_so(m)))
        return [ident async for message in found for ident in named_so(message)]

    async def upload(
        self, channel: str, thread_ts: str, name: str, content: str | bytes, *, comment: str = ""
    ) -> str:
        """Share a file, in a thread if one is named, and return its id. Raises as `post`, or SlackRejected."""
        await self._respect_waits(UPLOAD, channel)
        try:
            answer: Any = await self._client.files_upload_v2(
                channel=channel,
                thread_ts=thread_ts or None,
                filename=name,
                title=name,
                content=content,
                initial_comment=comment or None,
            )
        except SlackApiError as error:
            raise await self._problem(UPLOAD, channel, error) from error
        except (SlackRequestError, *_UNREACHABLE) as error:
            raise RetryLater(refusals.RETRY_SECONDS, f"{UPLOAD}: {type(error).__name__}") from error
        return str(answer["files"][0]["id"])

    async def delete_file(self, ident: str) -> None:
        """Delete a file of the bot. Raises RetryLater or SlackRejected."""
        await self._call("files.delete", "", file=ident)

    async def _look(
        self, channel: str, thread_ts: str, since: float, is_it: Callable[[dict[str, Any]], bool]
    ) -> AsyncIterator[dict[str, Any]]:
        """Yield the messages for which `is_it` is true, of a thread, or of a channel from some time before `since`.

        Once one is found in the time around `since`, later messages of the channel are not read.
        """
        common: dict[str, Any] = {"channel": channel, "limit": 200, "include_all_metadata": True}
        if thread_ts:
            common["ts"] = thread_ts
        method = "conversations.replies" if thread_ts else "conversations.history"
        for oldest, latest in [(None, None)] if thread_ts else _windows(since):
            cursor: str | None = None
            found = False
            while True:
                answer = await self._call(
                    method, channel, **common, oldest=oldest, latest=latest, cursor=cursor
                )
                for message in answer.get("messages") or []:
                    if is_it(message):
                        found = True
                        yield message
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
            if method in READS:
                return await self._client.api_call(method, http_verb="GET", params=body)
            return await self._client.api_call(method, json=body)
        except SlackApiError as error:
            raise await self._problem(method, scope, error) from error
        except _UNREACHABLE as error:
            raise RetryLater(refusals.RETRY_SECONDS, f"{method}: {type(error).__name__}") from error

    async def _respect_waits(self, method: str, scope: str) -> None:
        if left := await self._waits.rate_limited_for(self._own(f"{method}:{scope}")):
            raise RetryLater(left.total_seconds(), f"{method} is rate limited")

    async def _problem(self, method: str, scope: str, error: SlackApiError) -> Exception:
        response: Any = error.response
        # Behind a proxy the answer may be no JSON; then it is the bare HTTP response.
        data, status = getattr(response, "data", None), getattr(response, "status_code", 503)
        code = str(data.get("error", "")) if isinstance(data, dict) else ""
        if status == 429 or code in ("ratelimited", "rate_limited"):
            seconds = _seconds(response.headers)
            await self._waits.set_rate_limit(self._own(f"{method}:{scope}"), timedelta(seconds=seconds))
            return RetryLater(seconds, f"{method} is rate limited")
        return problem_of(method, status, code)


@contextmanager
def _logged(message: Message) -> Iterator[None]:
    """Log a FormRejected instead of raising it."""
    try:
        yield
    except FormRejected as refused:
        _log.warning("Slack refused a form of %s (%s)", message.key, refused)


def _windows(since: float) -> list[tuple[str, str | None]]:
    """Return the time ranges to search: first the one around `since`, then the time after it."""
    oldest, near = since - SKEW_SECONDS, since + SKEW_SECONDS
    if near >= datetime.now(UTC).timestamp():
        return [(f"{oldest:.6f}", None)]
    return [(f"{oldest:.6f}", f"{near:.6f}"), (f"{near:.6f}", None)]


def _seconds(headers: Any) -> float:
    for name in ("Retry-After", "retry-after"):
        value = headers.get(name)
        if isinstance(value, list):
            value = value[0] if value else None
        if value and str(value).isdigit():
            return max(float(value), 0.1)
    return 1.0
