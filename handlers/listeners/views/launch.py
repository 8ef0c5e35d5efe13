"""The form that launches an agent."""

from __future__ import annotations

from typing import Any

from slack_bolt.async_app import AsyncAck

from handlers.context import ListenerContext
from handlers.modals.launch import place_of
from handlers.modals.modal import value_of
from handlers.users import actor_of
from supervisor.contract.requests import LaunchRequest

Body = dict[str, Any]


async def launch(flagman: ListenerContext, ack: AsyncAck, body: Body, view: Body) -> None:
    """Launch a session, only once even if Slack delivers the submission several times."""
    actor, task = actor_of(body), value_of(view, "task")
    if not task.strip():
        await ack(response_action="errors", errors={"task": "Please write what the agent shall do."})
        return
    await flagman.sessions(actor).launch(
        LaunchRequest.of(persona=value_of(view, "persona"), task=task),
        origin=place_of(view, actor).origin(),
        idempotency_key=f"slack:{view['id']}",
    )
    await ack()
