"""The buttons that resume a session, and the menu with everything else that one does with it."""

from __future__ import annotations

from typing import Any

from slack_bolt.async_app import AsyncAck, AsyncRespond
from slack_sdk.web.async_client import AsyncWebClient

from handlers.action_ids import Action, Target
from handlers.context import ListenerContext
from handlers.listeners.actions import allow, approval, edit_call, reminder, subagent
from handlers.listeners.commands.dispatch import cancelled, log_of
from handlers.modals.cancel import cancel_modal
from handlers.modals.resume import resume_modal
from handlers.private_answers import answer_privately
from handlers.users import actor_of
from supervisor.contract.requests import CancelRequest, PauseRequest, ResumeRequest
from supervisor.core.errors import AlreadyEnded, InvalidInput

Body = dict[str, Any]


async def choose(
    flagman: ListenerContext, ack: AsyncAck, body: Body, respond: AsyncRespond, client: AsyncWebClient
) -> None:
    """Do what was chosen from a menu, as the button of that action does. Raises InvalidInput for a strange option."""
    chosen = str((body["actions"][0].get("selected_option") or {}).get("value") or "")
    action, _, value = chosen.partition("|")
    body = {**body, "actions": [{**body["actions"][0], "action_id": action, "value": value}]}
    match action:
        case Action.PAUSE:
            await pause(flagman, ack, body, client)
        case Action.COMPACT:
            await compact(flagman, ack, body, client)
        case Action.LOG:
            await show_log(flagman, ack, body, respond, client)
        case Action.SNOOZE_HOUR:
            await reminder.snooze_an_hour(flagman, ack, body)
        case Action.SNOOZE_MORNING:
            await reminder.snooze_until_morning(flagman, ack, body)
        case Action.EDIT:
            await edit_call.open_edit(flagman, ack, body, client)
        case Action.RESPOND:
            await approval.open_response(flagman, ack, body, client)
        case Action.ALLOW:
            await allow.open_form(flagman, ack, body, client)
        case Action.INSTEAD:
            await approval.open_instead(flagman, ack, body, client)
        case Action.CANCEL:
            await open_cancel(flagman, ack, body, client)
        case _:
            raise InvalidInput("That menu is not one of Flagman's; please use the newest message.")


async def review(flagman: ListenerContext, ack: AsyncAck) -> None:
    """Slack opens the address of the button."""
    await ack()


async def pause(flagman: ListenerContext, ack: AsyncAck, body: Body, client: AsyncWebClient) -> None:
    await flagman.sessions(actor_of(body)).pause(Target.of_click(body).session_id, PauseRequest())
    await ack()
    await subagent.refresh(flagman, body, client)


async def resume(flagman: ListenerContext, ack: AsyncAck, body: Body, client: AsyncWebClient) -> None:
    """End the pause that the message shows, but no later one."""
    target = Target.of_click(body)
    await flagman.sessions(actor_of(body)).resume(
        target.session_id, ResumeRequest(), pause_number=target.pause_number
    )
    await ack()
    await subagent.refresh(flagman, body, client)


async def compact(flagman: ListenerContext, ack: AsyncAck, body: Body, client: AsyncWebClient) -> None:
    """Have the earlier steps summed up, and end the pause as `resume` does."""
    target = Target.of_click(body)
    await flagman.sessions(actor_of(body)).resume(
        target.session_id, ResumeRequest(compact=True), pause_number=target.pause_number
    )
    await ack()
    await subagent.refresh(flagman, body, client)


async def open_resume(flagman: ListenerContext, ack: AsyncAck, body: Body, client: AsyncWebClient) -> None:
    """Open the form for a message to the agent. Raises AlreadyEnded."""
    session = await flagman.session_of(Target.of_click(body), actor_of(body))
    if session.ended:
        raise AlreadyEnded(f"This session was already {session.lifecycle}.")
    await approval.opener(body, client)(trigger_id=body["trigger_id"], view=resume_modal(session))
    await ack()


async def open_cancel(flagman: ListenerContext, ack: AsyncAck, body: Body, client: AsyncWebClient) -> None:
    """Open the form that cancels, for who may. Raises NotAllowed or AlreadyEnded."""
    target = Target.of_click(body)
    session = (await flagman.sessions(actor_of(body)).access.operator(target.session_id, "cancel")).session
    if session.ended:
        raise AlreadyEnded(f"This session was already {session.lifecycle}.")
    await approval.opener(body, client)(trigger_id=body["trigger_id"], view=cancel_modal(session))
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
