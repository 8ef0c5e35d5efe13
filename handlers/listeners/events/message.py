"""What people write: replies in a session's thread, mentions of the bot, direct messages."""

from __future__ import annotations

import logging
import re
from datetime import timedelta
from typing import Any

import aiohttp
from slack_sdk.errors import SlackApiError
from slack_sdk.web.async_client import AsyncWebClient

from handlers.blocks.text import mrkdwn
from handlers.context import ListenerContext
from handlers.listeners.commands.dispatch import Answer, carry_out
from handlers.listeners.commands.parser import is_verb, parse, readable
from handlers.origin import Place
from handlers.users import actor_of
from supervisor.contract.models import SessionView
from supervisor.contract.requests import ContextRequest

Body = dict[str, Any]
# Slack delivers an event up to four times, the last about six minutes after the first.
REDELIVERED = timedelta(hours=1)
_log = logging.getLogger("flagman.slack")
_MENTION = re.compile(r"^\s*<@[A-Z0-9]+(\|[^>]*)?>\s*[:,]?\s*")


async def mentioned(flagman: ListenerContext, body: Body, event: Body, client: AsyncWebClient) -> None:
    """A message in a channel that names the bot."""
    text = _MENTION.sub("", readable(str(event.get("text") or "")))
    await _receive(flagman, body, event, client, text, mentioned=True)


async def written(
    flagman: ListenerContext, body: Body, event: Body, client: AsyncWebClient, context: Any
) -> None:
    """Any message that the bot can read: a reply in a session's thread, or a direct message."""
    bot = context.get("bot_user_id")
    text, direct = str(event.get("text") or ""), event.get("channel_type") == "im"
    if event.get("subtype") not in (None, "thread_broadcast", "file_share") or event.get("bot_id"):
        return
    named = bool(bot) and f"<@{bot}" in text
    if named:
        # The mention itself is delivered as app_mention; direct messages have no such event.
        if not direct:
            return
        text = _MENTION.sub("", text)
    # Alone with the bot nobody needs to mention it, but a reply to a session is for the session.
    addressed = named or (direct and "thread_ts" not in event)
    await _receive(flagman, body, event, client, readable(text), mentioned=addressed)


async def _receive(
    flagman: ListenerContext, body: Body, event: Body, client: AsyncWebClient, text: str, *, mentioned: bool
) -> None:
    """Carry out a command, or pass a message on to the session of the thread, once a delivery."""
    channel, thread_ts = str(event["channel"]), str(event.get("thread_ts") or "")
    delivery = f"{channel}:{event['ts']}"
    if await flagman.rows.delivered(delivery):
        return
    session_id = await flagman.rows.session_at(f"{channel}:{thread_ts}") if thread_ts else None
    word = text.strip().split(maxsplit=1)[0] if text.strip() else ""
    if mentioned and (is_verb(word) or not session_id):
        answer = await _command(flagman, body, event, text, session_id or "")
    elif session_id and text.strip():
        answer = await _tell_session(flagman, body, event, session_id, text, mentioned=mentioned)
    else:
        return
    await flagman.rows.deliver(delivery, REDELIVERED)
    await _answer(client, event, answer)


async def _answer(client: AsyncWebClient, event: Body, answer: Answer) -> None:
    """Say what was done; it was done also where that cannot be said."""
    try:
        await client.chat_postEphemeral(
            channel=str(event["channel"]),
            user=str(event["user"]),
            thread_ts=str(event.get("thread_ts") or "") or None,
            text=answer.text,
            blocks=list(answer.blocks),
        )
    except (SlackApiError, aiohttp.ClientError, OSError) as error:
        _log.warning("an answer could not be shown: %s", error)


async def _command(flagman: ListenerContext, body: Body, event: Body, text: str, session_id: str) -> Answer:
    command = parse(text or "help", thread_session=session_id, slash="@Flagman")
    actor = await flagman.people.named(actor_of(body))
    # One thread is about one session: a second one begins its own.
    root = "" if session_id else str(event.get("thread_ts") or event["ts"])
    place = Place(str(event["channel"]), str(event["user"]), root)
    return await carry_out(flagman, command, actor, place, f"{event['channel']}:{event['ts']}")


async def _tell_session(
    flagman: ListenerContext, body: Body, event: Body, session_id: str, text: str, *, mentioned: bool
) -> Answer:
    actor = await flagman.people.named(actor_of(body))
    told = await flagman.sessions(actor).tell(
        session_id,
        ContextRequest.of(text=text),
        kind="mention" if mentioned else "reply",
        delivery=f"slack:{event['channel']}:{event['ts']}",
    )
    receipt = _receipt(told.session, told.heard)
    return Answer(receipt, (mrkdwn(receipt),))


def _receipt(session: SessionView, heard: str) -> str:
    """What becomes of a message to a session, for the person who wrote it."""
    if heard == "answered":
        return ":speech_balloon: Passed on as the answer."
    if session.waiting_for == "human_approval_required":
        return ":memo: Noted for the agent. The proposed call still waits for *Approve* or *Deny*."
    if session.waiting_for == "children_running":
        return ":memo: Noted for the agent; it reads it when its sub-agents have ended."
    if session.status == "paused":
        return ":memo: Noted for the agent; it reads it when somebody resumes the session."
    return ":memo: Noted; the agent reads it at its next step."
