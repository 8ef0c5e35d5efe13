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

Body = dict[str, Any]


async def run_again(flagman: ListenerContext, ack: AsyncAck, body: Body) -> None:
    target = Target.of_click(body)
    request = OutcomeRequest.of(verdict="run_again")
    await flagman.sessions(actor_of(body)).decide_outcome(target.session_id, target.call_ids[0], request)
    await ack()


async def open_outcome(flagman: ListenerContext, ack: AsyncAck, body: Body, client: AsyncWebClient) -> None:
    """Open the form for the result of the call, for "It was done" and "It failed"."""
    session, call = await flagman.call_of(Target.of_click(body), actor_of(body))
    verdict = "done" if body["actions"][0]["action_id"] == Action.MARK_DONE else "failed"
    await client.views_open(trigger_id=body["trigger_id"], view=outcome_modal(session, call, verdict))
    await ack()
