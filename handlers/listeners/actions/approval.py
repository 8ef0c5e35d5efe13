"""The buttons Approve and Deny on proposed calls."""

from __future__ import annotations

from typing import Any

from slack_bolt.async_app import AsyncAck
from slack_sdk.web.async_client import AsyncWebClient

from handlers.action_ids import Target
from handlers.context import ListenerContext
from handlers.modals.deny import deny_modal
from handlers.users import actor_of
from supervisor.contract.requests import DecisionRequest

Body = dict[str, Any]


async def approve(flagman: ListenerContext, ack: AsyncAck, body: Body) -> None:
    """Approve one call or all of a message, with the digests that the person was shown."""
    target = Target.of_click(body)
    await flagman.sessions(actor_of(body)).decide_all(
        target.session_id,
        target.call_ids,
        DecisionRequest.of(verdict="approve"),
        expected_digests=target.expected_digests,
    )
    await ack()


async def open_denial(flagman: ListenerContext, ack: AsyncAck, body: Body, client: AsyncWebClient) -> None:
    """Open the form for a reason. Raises NotAllowed for a person who may not decide on the call."""
    target = Target.of_click(body)
    session, call = await flagman.call_to_decide(target, actor_of(body), "deny")
    await client.views_open(trigger_id=body["trigger_id"], view=deny_modal(session, call, flagman.mask))
    await ack()
