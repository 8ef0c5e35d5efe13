"""The buttons for a failed sub-agent, and the window that shows any of them."""

from __future__ import annotations

from typing import Any, Literal

from slack_bolt.async_app import AsyncAck
from slack_sdk.errors import SlackApiError
from slack_sdk.web.async_client import AsyncWebClient

from handlers.action_ids import Action, Target, View
from handlers.blocks.text import Block
from handlers.context import ListenerContext
from handlers.listeners.commands.log_entries import log_blocks
from handlers.messages.subagents import Subagents
from handlers.modals.subagent import subagent_modal
from handlers.users import actor_of
from supervisor.contract.requests import ChildRequest
from supervisor.core.errors import FlagmanError
from supervisor.core.events import Actor
from supervisor.session_log.render.mask import masked_events

Body = dict[str, Any]
# Characters of the log's end.
LOG_SHOWN = 2500

VERDICTS: dict[str, Literal["retry", "skip", "stop"]] = {
    Action.CHILD_RETRY: "retry",
    Action.CHILD_SKIP: "skip",
    Action.CHILD_STOP: "stop",
}


async def decide(flagman: ListenerContext, ack: AsyncAck, body: Body) -> None:
    target = Target.of_click(body)
    verdict = VERDICTS[body["actions"][0]["action_id"]]
    request = ChildRequest.of(verdict=verdict)
    await flagman.sessions(actor_of(body)).decide_child(target.session_id, target.extra, request)
    await ack()


async def look(flagman: ListenerContext, ack: AsyncAck, body: Body, client: AsyncWebClient) -> None:
    """Open the window of a sub-agent. Raises SessionNotFound for a person who does not see it."""
    view = await _window(flagman, Target.of_click(body), actor_of(body))
    await client.views_open(trigger_id=body["trigger_id"], view=view)
    await ack()


async def refresh(flagman: ListenerContext, body: Body, client: AsyncWebClient) -> None:
    """Show the window anew in which a button was clicked, if it is one of a sub-agent."""
    shown = body.get("view") or {}
    if shown.get("callback_id") != View.CHILD:
        return
    view = await _window(flagman, Target.of_form(shown), actor_of(body))
    try:
        await client.views_update(view_id=shown["id"], hash=shown.get("hash"), view=view)
    except SlackApiError as error:
        # A later click has already shown it anew, or the window is closed.
        if error.response.get("error") not in ("hash_conflict", "not_found"):
            raise


async def _window(flagman: ListenerContext, target: Target, actor: Actor) -> Block:
    session = await flagman.session_of(target, actor)
    below, addresses = {}, await flagman.cards([session])
    for child in session.children:
        try:
            below[child.id] = await flagman.supervisor.get(child.id)
        except FlagmanError:
            continue
    addresses |= {session.lineage.parent: addresses[session.id]} if session.lineage else {}
    events = masked_events(await flagman.supervisor.sessions.events(session.id), flagman.mask)
    entries, _ = log_blocks(session, list(events), LOG_SHOWN)
    return subagent_modal(session, Subagents(below, addresses), flagman.mask, entries)
