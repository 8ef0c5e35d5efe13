"""The forms that resume a session with a message to the agent, and that cancel it."""

from __future__ import annotations

from typing import Any

from slack_bolt.async_app import AsyncAck

from handlers.action_ids import Target
from handlers.context import ListenerContext
from handlers.modals.modal import value_of
from handlers.users import actor_of
from supervisor.contract.requests import CancelRequest, ResumeRequest

Body = dict[str, Any]


async def resume(flagman: ListenerContext, ack: AsyncAck, body: Body, view: Body) -> None:
    """End the pause for which the form was opened, but no later one."""
    target = Target.of_form(view)
    request = ResumeRequest.of(context=value_of(view, "context"))
    await flagman.sessions(actor_of(body)).resume(
        target.session_id, request, pause_number=target.pause_number
    )
    await ack()


async def cancel(flagman: ListenerContext, ack: AsyncAck, body: Body, view: Body) -> None:
    """End the session, with a reason where one was given."""
    request = CancelRequest.of(reason=value_of(view, "reason"))
    await flagman.sessions(actor_of(body)).cancel(Target.of_form(view).session_id, request)
    await ack()
