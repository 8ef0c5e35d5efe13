"""The listener for the slash command: without arguments it opens a form, otherwise it carries out the command."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from slack_bolt.async_app import AsyncAck
from slack_sdk.web.async_client import AsyncWebClient

from handlers.context import ListenerContext
from handlers.listeners.commands.dispatch import as_written, carry_out
from handlers.listeners.commands.parser import parse
from handlers.listeners.shortcuts.launch import launch_form
from handlers.origin import Place
from handlers.users import actor_of


async def run_command(
    flagman: ListenerContext, ack: AsyncAck, body: dict[str, Any], client: AsyncWebClient
) -> None:
    text = await as_written(flagman, str(body.get("text") or ""))
    command = parse(text, slash=flagman.command)
    if command.verb == "delegate":
        # It names a person by a mention, which has the id.
        command = replace(command, rest=str(body["text"]).strip().partition(" ")[2])
    place = Place(str(body["channel_id"]), str(body["user_id"]), team=flagman.team)
    if command.verb == "form":
        view = await launch_form(flagman, actor_of(body), place)
        await client.views_open(trigger_id=body["trigger_id"], view=view)
        await ack()
        return
    answer = await carry_out(flagman, command, actor_of(body), place, str(body["trigger_id"]))
    await ack(text=answer.text, blocks=list(answer.blocks), response_type="ephemeral")
