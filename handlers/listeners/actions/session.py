"""The buttons Pause, Resume, Compact, Cancel and Log on a session's messages."""

from __future__ import annotations

from typing import Any

from slack_bolt.async_app import AsyncAck, AsyncRespond
from slack_sdk.web.async_client import AsyncWebClient

from handlers.action_ids import Target
from handlers.context import ListenerContext
from handlers.listeners.commands.dispatch import cancelled, log_of
from handlers.modals.resume import resume_modal
from handlers.private_answers import answer_privately
from handlers.users import actor_of
from supervisor.contract.requests import CancelRequest, PauseRequest, ResumeRequest
from supervisor.core.errors import AlreadyEnded

Body = dict[str, Any]


async def pause(flagman: ListenerContext, ack: AsyncAck, body: Body) -> None:
    await flagman.sessions(actor_of(body)).pause(Target.of_click(body).session_id, PauseRequest())
    await ack()


async def resume(flagman: ListenerContext, ack: AsyncAck, body: Body) -> None:
    """End the pause that the message shows, but no later one."""
    target = Target.of_click(body)
    await flagman.sessions(actor_of(body)).resume(
        target.session_id, ResumeRequest(), pause_number=target.pause_number
    )
    await ack()


async def compact(flagman: ListenerContext, ack: AsyncAck, body: Body) -> None:
    """Have the earlier steps summed up, and end the pause as `resume` does."""
    target = Target.of_click(body)
    await flagman.sessions(actor_of(body)).resume(
        target.session_id, ResumeRequest(compact=True), pause_number=target.pause_number
    )
    await ack()


async def open_resume(flagman: ListenerContext, ack: AsyncAck, body: Body, client: AsyncWebClient) -> None:
    """Open the form for a message to the agent. Raises AlreadyEnded."""
    session = await flagman.session_of(Target.of_click(body), actor_of(body))
    if session.ended:
        raise AlreadyEnded(f"This session was already {session.lifecycle}.")
    await client.views_open(trigger_id=body["trigger_id"], view=resume_modal(session))
    await ack()


async def cancel(flagman: ListenerContext, ack: AsyncAck, body: Body, respond: AsyncRespond) -> None:
    """End the session. A message that only the person sees, which has no state of its own, says so."""
    session = await flagman.sessions(actor_of(body)).cancel(Target.of_click(body).session_id, CancelRequest())
    await ack()
    if (body.get("container") or {}).get("is_ephemeral"):
        await respond(text=cancelled(session.id), replace_original=True)


async def show_log(
    flagman: ListenerContext, ack: AsyncAck, body: Body, respond: AsyncRespond, client: AsyncWebClient
) -> None:
    """Show the end of the log, only to the person who clicked."""
    answer = await log_of(flagman, Target.of_click(body).session_id, actor_of(body))
    await ack()
    await answer_privately(body, client, answer.text, answer.blocks, respond)
