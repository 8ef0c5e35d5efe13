"""Answers that only the person who clicked or wrote sees, at the place of the click or message."""

from __future__ import annotations

import logging
from collections.abc import Iterator, Sequence
from typing import Any

import aiohttp
from slack_bolt.async_app import AsyncRespond
from slack_sdk.errors import SlackApiError
from slack_sdk.web.async_client import AsyncWebClient

from handlers.blocks.text import Block

_UNREACHABLE = (SlackApiError, aiohttp.ClientError, TimeoutError, OSError)
_log = logging.getLogger("flagman.slack")


async def answer_privately(
    body: dict[str, Any],
    client: AsyncWebClient,
    text: str,
    blocks: Sequence[Block] = (),
    respond: AsyncRespond | None = None,
) -> None:
    """Answer the person behind a click, a form or an event; a last failure is only logged, since the work is done.

    In a thread the answer appears in it. A message without replies has no thread in which it could appear, and an
    address for responses may have expired: then it comes in the channel, and last as a direct message.
    """
    shown = list(blocks)
    channel, thread_ts, user = _place_of(body)
    problem: Exception | None = None
    for way in _ways(
        channel, thread_ts, user, responds=respond is not None and bool(body.get("response_url"))
    ):
        try:
            if way == "thread":
                await client.chat_postEphemeral(
                    channel=channel, user=user, thread_ts=thread_ts, text=text, blocks=shown or None
                )
            elif way == "response" and respond is not None:
                answer = await respond(
                    text=text, blocks=shown or None, response_type="ephemeral", replace_original=False
                )
                if answer.status_code != 200 or '"ok":false' in answer.body.replace(" ", ""):
                    continue
            elif way == "channel":
                await client.chat_postEphemeral(channel=channel, user=user, text=text, blocks=shown or None)
            else:
                await client.chat_postMessage(channel=user, text=text, blocks=shown or None)
        except _UNREACHABLE as error:
            problem = error
        else:
            return
    _log.warning("the message “%s” could not be shown: %r", text, problem)


def _ways(channel: str, thread_ts: str, user: str, *, responds: bool) -> Iterator[str]:
    if channel and user and thread_ts:
        yield "thread"
    if responds:
        yield "response"
    if channel and user:
        yield "channel"
    if user:
        yield "direct"


def _place_of(body: dict[str, Any]) -> tuple[str, str, str]:
    """Return channel, thread and person of a payload; empty where it has none."""
    if event := body.get("event"):
        return (
            str(event.get("channel") or ""),
            str(event.get("thread_ts") or ""),
            str(event.get("user") or ""),
        )
    message, container = body.get("message") or {}, body.get("container") or {}
    channel = (body.get("channel") or {}).get("id") or container.get("channel_id")
    thread_ts = message.get("thread_ts") or container.get("thread_ts")
    if thread_ts == container.get("message_ts"):
        # The first message of a thread is read in the channel.
        thread_ts = None
    return str(channel or ""), str(thread_ts or ""), str((body.get("user") or {}).get("id") or "")
