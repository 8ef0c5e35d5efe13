"""The form that launches an agent."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from slack_bolt.async_app import AsyncAck

from handlers.context import ListenerContext
from handlers.modals.launch import chosen_persona, limits_of, place_before, place_of
from handlers.modals.modal import value_of
from handlers.users import actor_of
from supervisor.contract.requests import LaunchRequest, LimitsRequest

Body = dict[str, Any]
# How long the persona that a person chose last is remembered.
REMEMBERED = timedelta(days=180)


async def launch(flagman: ListenerContext, ack: AsyncAck, body: Body, view: Body) -> None:
    """Launch a session, only once even if Slack delivers the submission several times."""
    actor, task, persona = actor_of(body), value_of(view, "task"), chosen_persona(view)
    if not task.strip():
        await ack(response_action="errors", errors={"task": "Please write what the agent shall do."})
        return
    sessions, place, limits = flagman.sessions(actor), place_of(view, actor, flagman.team), limits_of(view)
    if place.shown and place.channel != place_before(view).channel:
        # Where the form was opened the person is already.
        await sessions.access.check_place(place.origin())
    await sessions.launch(
        LaunchRequest.of(persona=persona, task=task, limits=LimitsRequest.of(**limits) if limits else None),
        origin=place.origin(),
        idempotency_key=f"slack:{view['id']}",
    )
    await flagman.rows.choose(actor.id, persona, REMEMBERED)
    await ack()
