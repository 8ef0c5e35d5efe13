"""The form that denies a proposed call."""

from __future__ import annotations

from typing import Any

from slack_bolt.async_app import AsyncAck

from handlers.action_ids import Target
from handlers.context import ListenerContext
from handlers.modals.modal import value_of
from handlers.users import actor_of
from supervisor.contract.requests import DecisionRequest

Body = dict[str, Any]


async def deny(flagman: ListenerContext, ack: AsyncAck, body: Body, view: Body) -> None:
    target = Target.of_form(view)
    await flagman.sessions(actor_of(body)).decide_all(
        target.session_id,
        target.call_ids,
        DecisionRequest.of(verdict="deny", reason=value_of(view, "reason")),
        expected_digests=target.expected_digests,
    )
    await ack()
