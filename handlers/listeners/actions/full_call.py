"""The button View full call, and those that turn the pages of its modal."""

from __future__ import annotations

from typing import Any

from slack_bolt.async_app import AsyncAck
from slack_sdk.errors import SlackApiError
from slack_sdk.web.async_client import AsyncWebClient

from handlers.action_ids import Target
from handlers.context import ListenerContext
from handlers.modals.full_call import full_call_modal
from handlers.users import actor_of
from supervisor.core.commands.approvals import expect_seen
from supervisor.core.errors import CallChanged

Body = dict[str, Any]


async def open_full_call(flagman: ListenerContext, ack: AsyncAck, body: Body, client: AsyncWebClient) -> None:
    """Show the first page."""
    actor = actor_of(body)
    session, call = await flagman.call_of(Target.of_click(body), actor)
    view = full_call_modal(session, call, 0, flagman.mask)
    await client.views_open(trigger_id=body["trigger_id"], view=view)
    await ack()
    # The summary of the audit tells approvals by who has looked from others.
    await flagman.services.audit.mark_opened(session.id, call.call_id, call.call.digest, actor)


async def turn_page(flagman: ListenerContext, ack: AsyncAck, body: Body, client: AsyncWebClient) -> None:
    """Show another page in the same modal; of a call that has changed meanwhile, the first one, which says so."""
    target = Target.of_click(body)
    session, call = await flagman.call_of(target, actor_of(body))
    try:
        expect_seen(call, target.first[1])
        view = full_call_modal(session, call, int(target.extra), flagman.mask)
    except CallChanged:
        view = full_call_modal(session, call, 0, flagman.mask, changed=True)
    try:
        await client.views_update(view_id=body["view"]["id"], hash=body["view"].get("hash"), view=view)
    except SlackApiError as error:
        # An earlier click has already turned the page, or the modal is closed.
        if error.response.get("error") not in ("hash_conflict", "not_found"):
            raise
    await ack()
