"""The buttons of a question: its options, the one that opens a form for another answer, and that to decline it."""

from __future__ import annotations

from typing import Any

from slack_bolt.async_app import AsyncAck
from slack_sdk.web.async_client import AsyncWebClient

from handlers.action_ids import Target
from handlers.context import ListenerContext
from handlers.modals.answer import answer_modal
from handlers.users import actor_of
from supervisor.contract.requests import AnswerRequest
from supervisor.core.errors import IllegalEvent
from supervisor.core.state import Call

Body = dict[str, Any]


async def choose(flagman: ListenerContext, ack: AsyncAck, body: Body) -> None:
    """Answer with the option of the button."""
    target = Target.of_click(body)
    session, call = await flagman.call_of(target, actor_of(body))
    shown = shown_request(target, call)
    option = int(target.extra)
    if option >= len(call.options):
        raise IllegalEvent("That question was already answered.")
    request = AnswerRequest.of(call_id=call.call_id, answer=call.options[option], request=shown)
    await flagman.sessions(actor_of(body)).answer(session.id, request)
    await ack()


async def decline(flagman: ListenerContext, ack: AsyncAck, body: Body) -> None:
    """Decline what a server asks for."""
    target = Target.of_click(body)
    session, call = await flagman.call_of(target, actor_of(body))
    request = AnswerRequest.of(call_id=call.call_id, action="decline", request=shown_request(target, call))
    await flagman.sessions(actor_of(body)).answer(session.id, request)
    await ack()


def shown_request(target: Target, call: Call) -> int | None:
    """Return the number of the request of a server that was shown; None for a question of the agent."""
    return target.seen[call.call_id].request if call.inputs.asked else None


async def open_answer(flagman: ListenerContext, ack: AsyncAck, body: Body, client: AsyncWebClient) -> None:
    """Open the form for a written answer."""
    session, call = await flagman.call_of(Target.of_click(body), actor_of(body))
    await client.views_open(trigger_id=body["trigger_id"], view=answer_modal(session, call, flagman.mask))
    await ack()
