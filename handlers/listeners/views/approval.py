"""The windows that decide on a proposed call: the one that shows all of it approves, a form denies."""

from __future__ import annotations

from typing import Any

from slack_bolt.async_app import AsyncAck
from slack_sdk.web.async_client import AsyncWebClient

from handlers.action_ids import Target
from handlers.context import ListenerContext
from handlers.listeners.actions.approval import decide_all
from handlers.middleware import message_of
from handlers.modals.full_call import refused_modal
from handlers.modals.modal import value_of
from handlers.users import actor_of
from supervisor.contract.requests import ContextRequest, DecisionRequest
from supervisor.core.errors import FlagmanError

Body = dict[str, Any]


async def deny(flagman: ListenerContext, ack: AsyncAck, body: Body, view: Body) -> None:
    target = Target.of_form(view)
    call_id, seen = target.first
    common = value_of(view, "common") if "common" in view["state"]["values"] else ""
    reason = " – ".join(filter(None, (common, value_of(view, "reason"))))
    request = DecisionRequest.of(verdict="deny", reason=reason, digest=seen.digest, request=seen.request)
    await flagman.sessions(actor_of(body)).decide(target.session_id, call_id, request)
    await ack(response_action="clear")


async def respond(flagman: ListenerContext, ack: AsyncAck, body: Body, view: Body) -> None:
    """Answer the call in place of running it."""
    target = Target.of_form(view)
    call_id, seen = target.first
    request = DecisionRequest.of(
        verdict="respond", reason=value_of(view, "reason"), digest=seen.digest, request=seen.request
    )
    await flagman.sessions(actor_of(body)).decide(target.session_id, call_id, request)
    await ack(response_action="clear")


async def instead(flagman: ListenerContext, ack: AsyncAck, body: Body, view: Body) -> None:
    """Withdraw the calls that wait, with other instructions for the agent."""
    request = ContextRequest.of(text=value_of(view, "text"), instead=True)
    await flagman.sessions(actor_of(body)).tell(Target.of_form(view).session_id, request, kind="reply")
    await ack()


async def deny_all(
    flagman: ListenerContext, ack: AsyncAck, body: Body, view: Body, client: AsyncWebClient
) -> None:
    """Deny all calls as they were shown, and tell the person which of them were refused, and why."""
    target = Target.of_form(view)
    await decide_all(flagman, ack, body, client, target, "deny", value_of(view, "reason"))


async def approve_all(
    flagman: ListenerContext, ack: AsyncAck, body: Body, view: Body, client: AsyncWebClient
) -> None:
    """Approve all calls that the window listed, and tell the person which of them were refused, and why."""
    await decide_all(flagman, ack, body, client, Target.of_form(view), "approve")


async def approve(flagman: ListenerContext, ack: AsyncAck, body: Body, view: Body) -> None:
    """Approve the call as the window showed it; a refusal takes the place of the call."""
    target = Target.of_form(view)
    call_id, seen = target.first
    request = DecisionRequest.of(verdict="approve", digest=seen.digest, request=seen.request)
    try:
        await flagman.sessions(actor_of(body)).decide(target.session_id, call_id, request)
    except FlagmanError as error:
        if error.fault:
            raise
        sentence = message_of(error, flagman.command, flagman.mask)
        await ack(response_action="update", view=refused_modal(sentence))
        return
    await ack()
