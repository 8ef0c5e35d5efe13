"""`/agent …` arrives here."""

from __future__ import annotations

from typing import Any

from slack_bolt.async_app import AsyncAck, AsyncApp
from slack_sdk.web.async_client import AsyncWebClient

from handlers.context import ListenerContext
from handlers.listeners.commands.dispatch import carry_out
from handlers.listeners.commands.parser import parse, readable
from handlers.modals.full_call import launch_form
from handlers.origin import Place
from handlers.users import actor_of


def register(app: AsyncApp, flagman: ListenerContext) -> None:
    """Listen to the slash command."""

    @app.command(flagman.command)
    async def agent(ack: AsyncAck, body: dict[str, Any], client: AsyncWebClient) -> None:
        command = parse(readable(str(body.get("text") or "")), slash=flagman.command)
        place = Place(str(body["channel_id"]), str(body["user_id"]))
        if command.verb == "form":
            form = launch_form(flagman.supervisor.personas.all(), place)
            await client.views_open(trigger_id=body["trigger_id"], view=form)
            await ack()
            return
        answer = await carry_out(flagman, command, actor_of(body), place, str(body["trigger_id"]))
        await ack(text=answer.text, blocks=list(answer.blocks), response_type="ephemeral")
