"""The buttons, or the menu, with the personas that a task was offered to."""

from __future__ import annotations

from typing import Any

from slack_bolt.async_app import AsyncAck, AsyncRespond

from handlers.context import ListenerContext
from handlers.listeners.commands import tasks
from handlers.users import actor_of


async def choose(
    flagman: ListenerContext, ack: AsyncAck, body: dict[str, Any], respond: AsyncRespond
) -> None:
    """Launch the task with the persona that was chosen, and show that in place of the question."""
    action = body["actions"][0]
    value = str(action.get("value") or (action.get("selected_option") or {}).get("value") or "")
    answer = await tasks.chosen(flagman, value, await flagman.people.named(actor_of(body)))
    await ack()
    await respond(text=answer.text, blocks=list(answer.blocks), replace_original=True)
