"""Opens the form that launches an agent, and shows the persona that is chosen in it."""

from __future__ import annotations

from typing import Any

from slack_bolt.async_app import AsyncAck
from slack_sdk.errors import SlackApiError
from slack_sdk.web.async_client import AsyncWebClient

from handlers.blocks.text import Block
from handlers.context import ListenerContext
from handlers.modals.launch import chosen_persona, launch_modal, place_before
from handlers.origin import Place
from handlers.users import actor_of
from supervisor.core.events import Actor

Body = dict[str, Any]


async def open_launch(flagman: ListenerContext, ack: AsyncAck, body: Body, client: AsyncWebClient) -> None:
    """Open the form; a button may name a persona, and is in the channel in which the session shall be."""
    clicked = (body.get("actions") or [{}])[0]
    channel = str((body.get("channel") or {}).get("id") or "") if body.get("actions") else ""
    view = await launch_form(
        flagman, actor_of(body), Place(channel, team=flagman.team), str(clicked.get("value") or "")
    )
    await client.views_open(trigger_id=body["trigger_id"], view=view)
    await ack()


async def launch_form(flagman: ListenerContext, actor: Actor, place: Place, chosen: str = "") -> Block:
    """Return the form with the persona `chosen`, the one that the person chose last, or that of the place."""
    personas = flagman.supervisor.personas.all()
    if chosen not in {persona.name for persona in personas}:
        chosen = await flagman.rows.last_choice(actor.id)
    if chosen not in {persona.name for persona in personas}:
        chosen = await flagman.services.places.default_persona(place.origin())
    return launch_modal(personas, place, chosen)


async def choose_persona(flagman: ListenerContext, ack: AsyncAck, body: Body, client: AsyncWebClient) -> None:
    """Show the description and the limits of the persona that was selected; what was typed stays."""
    shown = body["view"]
    view = launch_modal(
        flagman.supervisor.personas.all(), place_before(shown, flagman.team), chosen_persona(shown)
    )
    try:
        await client.views_update(view_id=shown["id"], hash=shown.get("hash"), view=view)
    except SlackApiError as error:
        # A later choice has already been shown, or the form is closed.
        if error.response.get("error") not in ("hash_conflict", "not_found"):
            raise
    await ack()
