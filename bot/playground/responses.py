"""`response_url`s, which accept five responses within half an hour of a person's action."""

import json
import secrets
import time
from dataclasses import dataclass
from typing import Any

from bot.playground import seed
from bot.playground.block_kit.blocks import check_message_blocks
from bot.playground.errors import SlackError
from bot.playground.store import Json
from bot.playground.timeline import Timeline
from bot.playground.workspace import Workspace

USES = 5
SECONDS = 30 * 60.0
TEXT_CHARACTERS = 40_000


@dataclass
class _Response:
    channel: seed.Channel
    user: str
    until: float
    origin: str | None
    ephemeral: bool
    thread_ts: str | None
    uses: int = 0


class ResponseUrls:
    """Creation of `response_url`s and processing of the bodies posted to them."""

    def __init__(self, workspace: Workspace, timeline: Timeline) -> None:
        self._workspace = workspace
        self._timeline = timeline
        self._given: dict[str, _Response] = {}
        self.seconds = SECONDS

    def new(
        self,
        channel: seed.Channel,
        user: str,
        *,
        origin: str | None = None,
        ephemeral: bool = False,
        thread_ts: str | None = None,
    ) -> str:
        """Return the path of a new URL; `origin` is the `ts` of the message that was clicked."""
        name = f"{seed.TEAM_ID}/{secrets.randbelow(10**13)}/{secrets.token_urlsafe(18)}"
        until = time.monotonic() + self.seconds
        self._given[name] = _Response(channel, user, until, origin, ephemeral, thread_ts)
        return f"/response/{name}"

    def use(self, name: str, raw: str) -> None:
        """Process a posted body. Raises SlackError if the URL or the body is not valid."""
        response = self._given.get(name)
        if response is None or response.until < time.monotonic():
            raise SlackError("expired_url")
        if response.uses >= USES:
            raise SlackError("used_url")
        try:
            body = json.loads(raw)
        except ValueError as error:
            raise SlackError("invalid_payload") from error
        if not isinstance(body, dict):
            raise SlackError("invalid_payload")
        self._apply(response, body)
        response.uses += 1

    def say(self, channel: seed.Channel, user: str, body: Json) -> None:
        """Post a new message, visible only to `user` unless the body has `response_type: in_channel`.

        After a click in a thread it is still posted to the channel, unless the body has a `thread_ts`:
        https://github.com/slackapi/node-slack-sdk/issues/674.
        """
        parts = {**_content(body), "thread_ts": body.get("thread_ts")}
        message = self._workspace.bot_message(self._workspace.next_ts(), parts.items())
        if body.get("response_type") == "in_channel":
            self._timeline.post(channel, message)
        else:
            self._timeline.whisper(channel, user, message)

    def _apply(self, response: _Response, body: Json) -> None:
        if _truth(body.get("delete_original")):
            self._delete(response)
        elif response.origin and _truth(body.get("replace_original", True)):
            self._replace(response, _content(body))
        else:
            self.say(response.channel, response.user, body)

    def _delete(self, response: _Response) -> None:
        original = self._original(response)
        if response.ephemeral:
            self._timeline.end_whisper(response.user, str(response.origin))
        elif original:
            self._timeline.delete(response.channel, original)

    def _replace(self, response: _Response, content: Json) -> None:
        original = self._original(response)
        frame = {
            key: part
            for key, part in (original or {}).items()
            if key not in ("blocks", "text", "attachments")
        }
        if response.ephemeral:
            parts = {**content, "thread_ts": response.thread_ts}
            message = self._workspace.bot_message(str(response.origin), parts.items())
            self._timeline.change_whisper(response.user, message)
        elif original:
            edited = {"user": seed.BOT_ID, "ts": self._workspace.next_ts()}
            self._timeline.change(response.channel, {**frame, **content, "edited": edited})

    def _original(self, response: _Response) -> Json | None:
        if response.ephemeral or response.origin is None:
            return None
        return self._workspace.store.message(response.channel.id, response.origin)


def _truth(value: Any) -> bool:
    """Return whether a flag is set, as `true` or as `"true"`."""
    return value is True or str(value).lower() == "true"


def _content(body: Json) -> Json:
    text, blocks = body.get("text"), body.get("blocks")
    if not text and not blocks and not body.get("attachments"):
        raise SlackError("no_text")
    if text and len(str(text)) > TEXT_CHARACTERS:
        raise SlackError("msg_too_long")
    content: Json = {"text": str(text or "")}
    if blocks:
        content["blocks"] = check_message_blocks(blocks)
    if body.get("attachments"):
        content["attachments"] = body["attachments"]
    return content
