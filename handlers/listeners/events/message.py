"""Messages of people: replies in a session's thread, mentions of the bot, and direct messages."""

from __future__ import annotations

import logging
import re
from datetime import datetime, timedelta
from typing import Any

from slack_sdk.web.async_client import AsyncWebClient

from handlers.action_ids import Action, Target
from handlers.blocks.text import button, confirm, escape, mrkdwn
from handlers.context import ListenerContext
from handlers.listeners.commands import tasks
from handlers.listeners.commands.dispatch import Answer, as_written, carry_out
from handlers.listeners.commands.intent import intent_of
from handlers.listeners.commands.parser import is_thread_command, is_verb, parse, verb_of
from handlers.listeners.events.addressee import addressee
from handlers.origin import Place
from handlers.private_answers import answer_privately
from handlers.quotes import Unread, thread_before
from handlers.team_ids import qualified
from handlers.users import actor_of
from supervisor.contract.models import SessionView
from supervisor.contract.requests import ContextRequest
from supervisor.core.text.format import count
from supervisor.core.text.visible import one_line

Body = dict[str, Any]
# Slack delivers an event up to four times, the last about six minutes after the first.
REDELIVERED = timedelta(hours=1)
# Older messages are ignored, since the session may have changed since.
OLDEST = timedelta(minutes=10)
_TOO_OLD = (
    ":information_source: This message reached Flagman more than ten minutes late, so nothing was done. "
    "Send it again if it still holds."
)
_NO_COMMAND = (
    "Nothing else was done: for the command, write `{word}` alone or with what it takes (see `help`)."
)
_UNUSED = ":information_source: A command takes no files, so what is attached was not used."
_ONLY_FILES = "(No words, only what is attached.)"
_log = logging.getLogger("flagman.slack")
_PUNCTUATION = ".,:;!?*_~`'\"“”‘’„"
_MENTION = re.compile(r"^\s*<@[A-Z0-9]+(\|[^>]*)?>\s*[:,]?\s*")


async def mentioned(flagman: ListenerContext, body: Body, event: Body, client: AsyncWebClient) -> None:
    """Handle a message in a channel that mentions the bot; messages of bots are ignored."""
    if event.get("bot_id"):
        return
    text = _MENTION.sub("", str(event.get("text") or ""))
    await _receive(flagman, body, event, client, text, mentioned=True)


async def written(
    flagman: ListenerContext, body: Body, event: Body, client: AsyncWebClient, context: Any
) -> None:
    """Handle any other message that the bot can read: a reply in a session's thread, or a direct message."""
    if event.get("subtype") in ("message_changed", "message_deleted"):
        if (event.get("previous_message") or {}).get("bot_id") and _is_deletion(event):
            await flagman.deletions.receive(str(event["channel"]), event["previous_message"])
        else:
            await _altered(flagman, body, event, client)
        return
    bot = context.get("bot_user_id")
    text, direct = str(event.get("text") or ""), event.get("channel_type") == "im"
    if event.get("subtype") not in (None, "thread_broadcast", "file_share") or event.get("bot_id"):
        return
    named = bool(bot) and f"<@{bot}" in text
    if named:
        # Mentions are delivered as app_mention, too, except in direct messages.
        if not direct:
            return
        text = _MENTION.sub("", text)
    # A direct message needs no mention to be a command, but a reply in a thread is for its session.
    addressed = named or (direct and "thread_ts" not in event)
    await _receive(flagman, body, event, client, text, mentioned=addressed)


async def _receive(
    flagman: ListenerContext, body: Body, event: Body, client: AsyncWebClient, text: str, *, mentioned: bool
) -> None:
    """Carry out a command, or send a message to the session of the thread; once for each delivery.

    `text` is in Slack's markup; outside of the threads of sessions it is a command or a task.
    """
    channel, thread_ts = str(event["channel"]), str(event.get("thread_ts") or "")
    delivery = f"{qualified(flagman.team, channel)}:{event['ts']}"
    if await flagman.rows.delivered(delivery):
        return
    session_id = (
        await flagman.rows.session_at(Place(channel, thread_ts=str(thread_ts), team=flagman.team).key)
        if thread_ts
        else None
    )
    if not mentioned and not session_id:
        return
    text = await as_written(flagman, text) if mentioned else await flagman.people.readable(text)
    said = bool(text.strip() or event.get("files"))
    if (mentioned or said) and _is_old(event, flagman.clock()):
        answer = _say(_TOO_OLD)
    elif not session_id:
        answer = await _asked(flagman, body, event, client, text)
    elif mentioned and (not said or (text.strip() and _is_command(flagman, text))):
        answer = await _command(flagman, body, event, text, session_id)
        answer = _with_note(answer, _UNUSED) if event.get("files") else answer
    elif said:
        answer = await _tell_session(flagman, body, event, session_id, text, mentioned=mentioned)
        if mentioned and text.strip() and is_verb(word := text.split(maxsplit=1)[0].strip(_PUNCTUATION)):
            answer = _with_hint(answer, word, session_id)
    else:
        return
    await flagman.rows.deliver(delivery, REDELIVERED)
    await answer_privately({"event": event}, client, answer.text, answer.blocks)


def _with_hint(answer: Answer, word: str, session_id: str) -> Answer:
    """Return the receipt of a message that begins like a command; for `cancel` with a button that cancels."""
    text = f"{answer.text} {_NO_COMMAND.format(word=word.lower())}"
    if verb_of(word) != "cancel":
        return _say(text)
    sure = confirm(
        "Cancel this session?",
        "It stops now, and so do its sub-agents; nothing that it proposed will run.",
        "Cancel it",
    )
    value = Target(session_id).encode()
    cancel = button("Cancel session", Action.CANCEL, value, style="danger", confirm=sure)
    return Answer(text, (mrkdwn(text), {"type": "actions", "elements": [cancel]}))


def _is_command(flagman: ListenerContext, text: str) -> bool:
    return is_thread_command(text, {persona.name for persona in flagman.supervisor.personas.all()})


def _is_old(event: Body, now: datetime) -> bool:
    """Return whether the message was written more than `OLDEST` ago, by its own time stamps."""
    sent = float(str(event.get("event_ts") or event["ts"]))
    written = min(sent, float(str(event["ts"])))
    return now.timestamp() - written > OLDEST.total_seconds()


def _is_deletion(event: Body) -> bool:
    """Return whether the message was deleted; one with replies is replaced by a tombstone."""
    return event["subtype"] == "message_deleted" or (event.get("message") or {}).get("subtype") == "tombstone"


async def _altered(flagman: ListenerContext, body: Body, event: Body, client: AsyncWebClient) -> None:
    """Tell the agent that a message was edited or deleted, which it may have read."""
    before, after = event.get("previous_message") or {}, event.get("message") or {}
    if before.get("subtype") == "tombstone":
        return
    is_deleted = _is_deletion(event)
    message = before if is_deleted else after
    channel, thread_ts, author = str(event["channel"]), message.get("thread_ts"), message.get("user")
    if not author or not thread_ts or message.get("bot_id"):
        return
    old, new = (_MENTION.sub("", str(m.get("text") or "")) for m in (before, after))
    if not is_deleted and old == new:
        return
    session_id = await flagman.rows.session_at(
        Place(channel, thread_ts=str(thread_ts), team=flagman.team).key
    )
    stamp = str(event.get("event_ts") or event.get("ts") or message["ts"])
    delivery = f"{qualified(flagman.team, channel)}:{stamp}"
    if not session_id or await flagman.rows.delivered(delivery):
        return
    about = {**message, "channel": channel, "ts": stamp, "event_ts": stamp, "user": author}
    if _is_old(about, flagman.clock()):
        return
    old, new = [await flagman.people.readable(words) for words in (old, new)]
    text = (
        f"(Deleted their earlier message, which no longer counts: {old})"
        if is_deleted
        else f"(Edited an earlier message. It was: {old})\nIt is now: {new}"
    )
    body = {**body, "event": about}
    answer = await _tell_session(
        flagman, body, about, session_id, text, mentioned=False, answers=False, earlier=old
    )
    await flagman.rows.deliver(delivery, REDELIVERED)
    await answer_privately({"event": about}, client, answer.text, answer.blocks)


async def _asked(
    flagman: ListenerContext, body: Body, event: Body, client: AsyncWebClient, text: str
) -> Answer:
    """Carry out a command outside of the threads of sessions, or launch a task with what goes along."""
    files, notes = tasks.attached(event)
    intent = intent_of(text, {persona.name for persona in flagman.supervisor.personas.all()})
    if intent.kind == "command" and not (files and not text.strip()):
        answer = await _command(flagman, body, event, text, "")
        return _with_note(answer, _UNUSED) if files else answer
    if not text.strip():
        return _say(":information_source: Write in the same message what to do with the file.")
    channel, stamp, thread_ts = str(event["channel"]), str(event["ts"]), str(event.get("thread_ts") or "")
    quoted = ""
    if thread_ts:
        try:
            quoted = await thread_before(client, flagman.people, channel, thread_ts, stamp)
        except Unread as unread:
            notes.append(f":warning: The messages of this thread did not go along. {unread}")
    task = tasks.Task(
        text=intent.task,
        channel=channel,
        user=str(event["user"]),
        thread_ts=thread_ts or stamp,
        team=flagman.team,
        delivery=f"{qualified(flagman.team, channel)}:{stamp}",
        quoted=quoted,
        files=files,
    )
    return await tasks.receive(flagman, task, intent, await flagman.people.named(actor_of(body)), notes)


def _with_note(answer: Answer, note: str) -> Answer:
    return Answer(f"{answer.text}\n{note}", (*answer.blocks, mrkdwn(note)))


async def _command(flagman: ListenerContext, body: Body, event: Body, text: str, session_id: str) -> Answer:
    command = parse(text or "help", thread_session=session_id, slash="@Flagman")
    actor = await flagman.people.named(actor_of(body))
    # A thread has one session; a second one begins its own thread.
    root = "" if session_id else str(event.get("thread_ts") or event["ts"])
    place = Place(str(event["channel"]), str(event["user"]), root, flagman.team)
    return await carry_out(flagman, command, actor, place, f"{event['channel']}:{event['ts']}")


async def _tell_session(
    flagman: ListenerContext,
    body: Body,
    event: Body,
    session_id: str,
    text: str,
    *,
    mentioned: bool,
    answers: bool = True,
    earlier: str = "",
) -> Answer:
    """Send a message to the session of the thread, or to a sub-agent; `earlier` is the one that it is about."""
    actor = await flagman.people.named(actor_of(body))
    files, notes = tasks.attached(event)
    if not text.strip() and not files:
        return _say("\n".join(notes))
    below, words = await addressee(flagman, session_id, earlier or text, answers=answers)
    text = text if earlier else words
    told = await flagman.sessions(actor).tell(
        below.id if below else session_id,
        ContextRequest.of(text=text if text.strip() else _ONLY_FILES),
        kind="mention" if mentioned else "reply",
        delivery=f"slack:{event['channel']}:{event['ts']}",
        answers=answers and bool(text.strip()),
        files=files,
    )
    receipt = _receipt(told.session, told.heard)
    name = one_line(below.lineage.name, 60) if below and below.lineage else ""
    whom = f" It is for the sub-agent *{escape(name)}*." if name else ""
    taken = f" {count(len(files), 'file')} went along." if files else ""
    return _say("\n".join([f"{receipt}{whom}{taken}", *notes]))


def _say(text: str) -> Answer:
    return Answer(text, (mrkdwn(text),))


def _receipt(session: SessionView, heard: str) -> str:
    """Return a sentence for the author of a message on how the session uses it."""
    if heard == "answered":
        return ":speech_balloon: Passed on as the answer."
    if session.waiting_for == "human_approval_required":
        return ":memo: Noted for the agent. The proposed call still waits for *Approve* or *Deny*."
    if session.waiting_for == "children_running":
        return ":memo: Noted for the agent; it reads it when its sub-agents have ended."
    if session.status == "paused":
        return ":memo: Noted for the agent; it reads it when somebody resumes the session."
    return ":memo: Noted; the agent reads it at its next step."
