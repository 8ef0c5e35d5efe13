"""The form that answers a question."""

from __future__ import annotations

from typing import Any

from slack_bolt.async_app import AsyncAck

from handlers.action_ids import Target
from handlers.context import ListenerContext
from handlers.listeners.actions.question import shown_request
from handlers.messages.requests.server_questions import read_form
from handlers.modals.modal import value_of
from handlers.users import actor_of
from supervisor.contract.requests import AnswerRequest
from supervisor.core.errors import IllegalEvent

Body = dict[str, Any]


async def answer(flagman: ListenerContext, ack: AsyncAck, body: Body, view: Body) -> None:
    target, actor = Target.of_form(view), actor_of(body)
    session, call = await flagman.call_of(target, actor)
    shown = shown_request(target, call)
    if call.inputs.asked:
        asked = call.inputs.open
        if asked is None or shown != call.request:
            raise IllegalEvent("That question was already answered.")
        content, wrong = read_form(asked.request, view["state"]["values"])
        if wrong:
            await ack(response_action="errors", errors=wrong)
            return
        request = AnswerRequest.of(call_id=call.call_id, content=content, request=shown)
    else:
        request = AnswerRequest.of(call_id=call.call_id, answer=value_of(view, "answer"))
    await flagman.sessions(actor).answer(session.id, request)
    await ack()
