"""The buttons Approve and Deny on proposed calls."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any, Literal

from slack_bolt.async_app import AsyncAck
from slack_sdk.web.async_client import AsyncWebClient

from handlers.action_ids import Target
from handlers.blocks.text import escape
from handlers.context import ListenerContext
from handlers.middleware import message_of
from handlers.modals.approve_all import approve_all_modal
from handlers.modals.deny import deny_all_modal, deny_modal, instead_modal, respond_modal
from handlers.private_answers import answer_privately
from handlers.users import actor_of
from supervisor.contract.models import DecisionsResult
from supervisor.contract.requests import DecisionRequest, DecisionsRequest
from supervisor.core.errors import AlreadyEnded, LogUnreadable, rebuild_error
from supervisor.core.policy import VERDICT_WORDS
from supervisor.core.state import Session
from supervisor.core.text.format import count
from supervisor.core.text.visible import one_line

Body = dict[str, Any]


async def approve(flagman: ListenerContext, ack: AsyncAck, body: Body) -> None:
    """Approve a call as the button showed it."""
    target = Target.of_click(body)
    call_id, seen = target.first
    request = DecisionRequest.of(verdict="approve", digest=seen.digest, request=seen.request)
    await flagman.sessions(actor_of(body)).decide(target.session_id, call_id, request)
    await ack()


async def approve_all(flagman: ListenerContext, ack: AsyncAck, body: Body, client: AsyncWebClient) -> None:
    """Approve all calls of a message, and tell the person which of them were refused, and why."""
    await decide_all(flagman, ack, body, client, Target.of_click(body), "approve")


async def decide_all(
    flagman: ListenerContext,
    ack: AsyncAck,
    body: Body,
    client: AsyncWebClient,
    target: Target,
    verdict: Literal["approve", "deny"],
    reason: str = "",
) -> None:
    """Decide on all calls of a button or a form as they were shown, and tell the person which were refused, and why."""
    calls = [
        {"call_id": call_id, "digest": seen.digest, "request": seen.request}
        for call_id, seen in target.seen.items()
    ]
    request = DecisionsRequest.of(verdict=verdict, reason=reason, calls=calls)
    done = await flagman.sessions(actor_of(body)).decide_each(target.session_id, request)
    await ack()
    if not all(result.decided for result in done.results):
        session = await flagman.supervisor.get(target.session_id)
        await answer_privately(body, client, each(flagman, session, done, VERDICT_WORDS[verdict]))


def each(flagman: ListenerContext, session: Session, done: DecisionsResult, verdict: str) -> str:
    """Return what happened to each call, one a line."""
    decided = sum(result.decided for result in done.results)
    lines = [f":information_source: {decided} of {count(len(done.results), 'call')} {verdict}."]
    for result in done.results:
        tool = escape(one_line(session.call(result.call_id).call.tool, 80))
        error = rebuild_error(result.code, result.detail, result.fields)
        why = message_of(error, flagman.command, flagman.mask).removeprefix(":information_source: ")
        lines.append(f"• `{result.call_id}` {tool}: {verdict.capitalize() + '.' if result.decided else why}")
    return "\n".join(lines)


async def open_denial(flagman: ListenerContext, ack: AsyncAck, body: Body, client: AsyncWebClient) -> None:
    """Open the form for a reason, if the person may decide on the call. Raises as `decision_on`."""
    session, call = await flagman.decision_on(body, "deny")
    try:
        reasons = (await flagman.supervisor.personas.load_pinned(session)).denials
    except LogUnreadable:
        reasons = ()
    await opener(body, client)(
        trigger_id=body["trigger_id"], view=deny_modal(session, call, flagman.mask, reasons)
    )
    await ack()


def opener(body: Body, client: AsyncWebClient) -> Callable[..., Awaitable[Any]]:
    """Return the method that opens a form: above the window in which the button was, if it was in one."""
    return client.views_push if (body.get("view") or {}).get("type") == "modal" else client.views_open


async def open_response(flagman: ListenerContext, ack: AsyncAck, body: Body, client: AsyncWebClient) -> None:
    """Open the form for an answer in place of a result. Raises as `decision_on`."""
    session, call = await flagman.decision_on(body, "respond")
    await opener(body, client)(trigger_id=body["trigger_id"], view=respond_modal(session, call, flagman.mask))
    await ack()


async def open_instead(flagman: ListenerContext, ack: AsyncAck, body: Body, client: AsyncWebClient) -> None:
    """Open the form for other instructions, for who may steer the session. Raises NotAllowed or AlreadyEnded."""
    target = Target.of_click(body)
    session = (await flagman.sessions(actor_of(body)).access.operator(target.session_id, "tell")).session
    calls = session.calls_in("awaiting")
    if session.ended or not calls:
        raise AlreadyEnded("No call of this session waits for an approval any more.")
    await client.views_open(trigger_id=body["trigger_id"], view=instead_modal(session, calls, flagman.mask))
    await ack()


async def open_approval_of_all(
    flagman: ListenerContext, ack: AsyncAck, body: Body, client: AsyncWebClient
) -> None:
    """Open the window that lists all calls of a request. Raises as `decision_on`."""
    target = Target.of_click(body)
    session, _ = await flagman.decision_on(body, "approve")
    calls = [session.call(call_id) for call_id in target.call_ids]
    view = approve_all_modal(target, calls, flagman.mask)
    await client.views_open(trigger_id=body["trigger_id"], view=view)
    await ack()


async def open_denial_of_all(
    flagman: ListenerContext, ack: AsyncAck, body: Body, client: AsyncWebClient
) -> None:
    """Open the form for one reason for all calls of a message. Raises as `decision_on`."""
    target = Target.of_click(body)
    session, _ = await flagman.decision_on(body, "deny")
    calls = [session.call(call_id) for call_id in target.call_ids]
    view = deny_all_modal(target, calls, flagman.mask)
    await client.views_open(trigger_id=body["trigger_id"], view=view)
    await ack()
