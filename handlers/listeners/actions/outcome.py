"""The buttons for a call with an unknown outcome: run it again, or record the outcome that a person found."""

from __future__ import annotations

from typing import Any

from slack_bolt.async_app import AsyncAck
from slack_sdk.web.async_client import AsyncWebClient

from handlers.action_ids import Action, Target
from handlers.context import ListenerContext
from handlers.modals.outcome import outcome_modal
from handlers.users import actor_of
from supervisor.contract.requests import OutcomeRequest
from supervisor.core.commands.approvals import expect_seen

Body = dict[str, Any]


async def run_again(flagman: ListenerContext, ack: AsyncAck, body: Body) -> None:
    target = Target.of_click(body)
    call_id, seen = target.first
    request = OutcomeRequest.of(verdict="run_again", digest=seen.digest, request=seen.request)
    await flagman.sessions(actor_of(body)).decide_outcome(target.session_id, call_id, request)
    await ack()


async def open_outcome(flagman: ListenerContext, ack: AsyncAck, body: Body, client: AsyncWebClient) -> None:
    """Open the form for the result of the call, for "It was done" and "It failed".

    Raises CallChanged for a button of an earlier attempt.
    """
    target = Target.of_click(body)
    session, call = await flagman.call_of(target, actor_of(body))
    expect_seen(call, target.seen[call.call_id])
    verdict = "done" if body["actions"][0]["action_id"] == Action.MARK_DONE else "failed"
    await client.views_open(trigger_id=body["trigger_id"], view=outcome_modal(session, call, verdict))
    await ack()
