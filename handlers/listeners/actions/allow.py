"""The button that opens the form to allow calls like one in advance, and the one that revokes that."""

from __future__ import annotations

from typing import Any

from slack_bolt.async_app import AsyncAck
from slack_sdk.web.async_client import AsyncWebClient

from handlers.context import ListenerContext
from handlers.listeners.actions.approval import opener
from handlers.modals.allow import allow_modal
from handlers.private_answers import answer_privately
from handlers.users import actor_of
from supervisor.contract.grants import GrantService
from supervisor.core.times import zone_named
from supervisor.delegations import parse_until

Body = dict[str, Any]


async def open_form(flagman: ListenerContext, ack: AsyncAck, body: Body, client: AsyncWebClient) -> None:
    """Open the form, if the person may decide on the call. Raises as `decision_on`, InvalidInput or ZoneUnknown."""
    session, call = await flagman.decision_on(body, "allow")
    zone = await flagman.people.zone(actor_of(body))

    def clock(until: str) -> str:
        return f"{parse_until(until, flagman.clock(), zone).astimezone(zone_named(zone)):%H:%M}"

    view = allow_modal(session, call, flagman.mask, clock)
    await opener(body, client)(trigger_id=body["trigger_id"], view=view)
    await ack()


async def revoke(flagman: ListenerContext, ack: AsyncAck, body: Body, client: AsyncWebClient) -> None:
    """End a grant, and say so to the person."""
    grant_id = str(body["actions"][0].get("value") or "")
    await GrantService(flagman.services, actor_of(body)).revoke(grant_id)
    await ack()
    await answer_privately(body, client, f":leftwards_arrow_with_hook: The grant `{grant_id}` has ended.")
