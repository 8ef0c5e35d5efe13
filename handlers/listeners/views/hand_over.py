"""The form that hands a message to an agent."""

from __future__ import annotations

from typing import Any

from slack_bolt.async_app import AsyncAck
from slack_sdk.web.async_client import AsyncWebClient

from handlers.context import ListenerContext
from handlers.listeners.commands import tasks
from handlers.modals.modal import value_of
from handlers.private_answers import answer_privately
from handlers.quotes import Unread, thread_before
from handlers.users import actor_of

Body = dict[str, Any]


async def launch(
    flagman: ListenerContext, ack: AsyncAck, body: Body, view: Body, client: AsyncWebClient
) -> None:
    """Launch a session with the message and its thread, once even if Slack delivers the submission several times."""
    words = value_of(view, "task")
    if not words.strip():
        await ack(response_action="errors", errors={"task": "Please write what the agent shall do."})
        return
    task = await tasks.kept(flagman, str(view["private_metadata"]), actor_of(body))
    notes: list[str] = []
    if task.thread_ts:
        try:
            thread = await thread_before(client, flagman.people, task.channel, task.thread_ts, "")
            task = task.model_copy(update={"quoted": thread or task.quoted})
        except Unread as unread:
            notes.append(f":warning: The thread of that message did not go along. {unread}")
    actor = await flagman.people.named(actor_of(body))
    await tasks.launch(flagman, task.model_copy(update={"text": words}), value_of(view, "persona"), actor)
    await ack()
    if notes:
        where = {"channel": task.channel, "thread_ts": task.thread_ts, "user": task.user}
        await answer_privately({"event": where}, client, "\n".join(notes))
