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
    call_id, seen = target.first
    request = DecisionRequest.of(
        verdict="deny", reason=value_of(view, "reason"), digest=seen.digest, request=seen.request
    )
    await flagman.sessions(actor_of(body)).decide(target.session_id, call_id, request)
    await ack()
