"""Opens the form that hands a message to an agent, with its thread and its files."""

from __future__ import annotations

from typing import Any

from slack_bolt.async_app import AsyncAck
from slack_sdk.web.async_client import AsyncWebClient

from handlers.blocks.text import not_a_member
from handlers.context import ListenerContext
from handlers.listeners.commands import tasks
from handlers.modals.hand_over import hand_over_modal
from handlers.quotes import quoted
from handlers.team_ids import qualified
from handlers.users import actor_of, user_of

_OUTSIDE = (
    f":warning: {not_a_member('this conversation')} Until then the message goes along without its thread, and the card "
    "comes to you directly."
)


async def open_hand_over(
    flagman: ListenerContext, ack: AsyncAck, body: dict[str, Any], client: AsyncWebClient
) -> None:
    """Keep the message, and open the form."""
    message, channel, user = body["message"], str(body["channel"]["id"]), user_of(actor_of(body))
    stamp = str(message.get("ts") or body.get("message_ts"))
    files, notes = tasks.attached(message)
    inside = await tasks.membership(client, channel) != "none"
    task = tasks.Task(
        text="",
        channel=channel if inside else user,
        user=user,
        team=flagman.team,
        thread_ts=str(message.get("thread_ts") or stamp) if inside else "",
        delivery=f"handed:{qualified(flagman.team, channel)}:{stamp}:{body.get('action_ts', '')}",
        quoted=await quoted(flagman.people, [{**message, "ts": stamp}], "a message that was handed over"),
        files=files,
    )
    await flagman.rows.offer(task.delivery, task.model_dump_json().encode(), tasks.KEPT)
    where = f"Posts in the thread of that message in {task.place.shown}." if task.place.shown else ""
    where = where or ("Posts in the thread of that message." if inside else _OUTSIDE)
    view = hand_over_modal(
        flagman.supervisor.personas.all(),
        await flagman.services.places.default_persona(task.place.origin()),
        await flagman.people.readable(str(message.get("text") or "")),
        [file.name for file in files],
        "\n".join([where, *notes]),
        task.delivery,
    )
    await client.views_open(trigger_id=body["trigger_id"], view=view)
    await ack()
