"""The form that resumes a session with a message to the agent."""

from __future__ import annotations

from typing import Any

from slack_bolt.async_app import AsyncAck

from handlers.action_ids import Target
from handlers.context import ListenerContext
from handlers.modals.modal import value_of
from handlers.users import actor_of
from supervisor.contract.requests import ResumeRequest

Body = dict[str, Any]


async def resume(flagman: ListenerContext, ack: AsyncAck, body: Body, view: Body) -> None:
    """End the pause for which the form was opened, but no later one."""
    target = Target.of_form(view)
    request = ResumeRequest.of(context=value_of(view, "context"))
    actor = await flagman.resumer(actor_of(body), target.session_id)
    await flagman.sessions(actor).resume(target.session_id, request, pause_number=target.pause_number)
    await ack()
