"""The form that answers a question."""

from __future__ import annotations

from typing import Any

from slack_bolt.async_app import AsyncAck

from handlers.action_ids import Target
from handlers.context import ListenerContext
from handlers.modals.modal import value_of
from handlers.users import actor_of

Body = dict[str, Any]


async def answer(flagman: ListenerContext, ack: AsyncAck, body: Body, view: Body) -> None:
    target = Target.of_form(view)
    text = value_of(view, "answer")
    await flagman.supervisor.answer(target.session_id, target.call_ids[0], text, actor_of(body))
    await ack()
