"""The buttons of a question: its options, and the one that opens a form for another answer."""

from __future__ import annotations

from typing import Any

from slack_bolt.async_app import AsyncAck
from slack_sdk.web.async_client import AsyncWebClient

from handlers.action_ids import Target
from handlers.context import ListenerContext
from handlers.modals.answer import answer_modal
from handlers.users import actor_of
from supervisor.contract.requests import AnswerRequest

Body = dict[str, Any]


async def choose(flagman: ListenerContext, ack: AsyncAck, body: Body) -> None:
    """Answer with the option of the button."""
    target = Target.of_click(body)
    session, call = await flagman.call_of(target, actor_of(body))
    request = AnswerRequest.of(call_id=call.call_id, answer=call.options[int(target.extra)])
    await flagman.sessions(actor_of(body)).answer(session.id, request)
    await ack()


async def open_answer(flagman: ListenerContext, ack: AsyncAck, body: Body, client: AsyncWebClient) -> None:
    """Open the form for a written answer."""
    session, call = await flagman.call_of(Target.of_click(body), actor_of(body))
    await client.views_open(trigger_id=body["trigger_id"], view=answer_modal(session, call, flagman.mask))
    await ack()
