"""The form that answers a question."""

from __future__ import annotations

from typing import Any

from slack_bolt.async_app import AsyncAck

from handlers.action_ids import Target
from handlers.context import ListenerContext
from handlers.modals.modal import value_of
from handlers.users import actor_of
from supervisor.contract.requests import AnswerRequest

Body = dict[str, Any]


async def answer(flagman: ListenerContext, ack: AsyncAck, body: Body, view: Body) -> None:
    target = Target.of_form(view)
    request = AnswerRequest.of(call_id=target.call_ids[0], answer=value_of(view, "answer"))
    await flagman.sessions(actor_of(body)).answer(target.session_id, request)
    await ack()
