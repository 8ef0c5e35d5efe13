"""The button that opens the form to allow calls like one in advance, and the one that revokes that."""

from __future__ import annotations

from collections.abc import Callable
from datetime import time
from typing import Any

from slack_bolt.async_app import AsyncAck
from slack_sdk.web.async_client import AsyncWebClient

from handlers.action_ids import Target
from handlers.context import ListenerContext
from handlers.listeners.actions.approval import opener
from handlers.middleware import message_of
from handlers.modals.allow import allow_modal
from handlers.modals.full_call import refused_modal
from handlers.private_answers import answer_privately
from handlers.users import actor_of
from supervisor.contract.grants import GrantService
from supervisor.core.commands.approvals import expect_seen
from supervisor.core.errors import CallChanged
from supervisor.core.times import zone_named
from supervisor.delegations import parse_until

Body = dict[str, Any]


async def open_form(flagman: ListenerContext, ack: AsyncAck, body: Body, client: AsyncWebClient) -> None:
    """Open the form, if the person may decide on the call. Raises as `decision_on`, InvalidInput or ZoneUnknown."""
    session, call = await flagman.decision_on(body, "allow")
    view = allow_modal(session, call, flagman.mask, await _clock(flagman, body))
    await opener(body, client)(trigger_id=body["trigger_id"], view=view)
    await ack()


async def choose(flagman: ListenerContext, ack: AsyncAck, body: Body, client: AsyncWebClient) -> None:
    """Name what was chosen on the button of the form, which stays that of the call as it was shown."""
    target = Target.of_form(body["view"])
    session, call = await flagman.call_of(target, actor_of(body))
    chosen = str(body["actions"][0]["selected_option"]["value"])
    try:
        expect_seen(call, target.first[1])
        view = allow_modal(session, call, flagman.mask, await _clock(flagman, body), chosen)
    except CallChanged as changed:
        view = refused_modal(message_of(changed, flagman.command, flagman.mask))
    await client.views_update(view_id=body["view"]["id"], hash=body["view"].get("hash"), view=view)
    await ack()


async def _clock(flagman: ListenerContext, body: Body) -> Callable[[str], str]:
    """Return the function that says when a time like `in 30m` is on the person's clock. Raises ZoneUnknown."""
    zone = await flagman.people.zone(actor_of(body))

    def clock(until: str) -> str:
        at = parse_until(until, flagman.clock(), zone).astimezone(zone_named(zone))
        return "midnight" if at.time() == time() else f"{at:%H:%M}"

    return clock


async def revoke(flagman: ListenerContext, ack: AsyncAck, body: Body, client: AsyncWebClient) -> None:
    """End a grant, and say so to the person."""
    grant_id = str(body["actions"][0].get("value") or "")
    await GrantService(flagman.services, actor_of(body)).revoke(grant_id)
    await ack()
    await answer_privately(body, client, f":leftwards_arrow_with_hook: The grant `{grant_id}` has ended.")
