"""The form that records the outcome of a call whose worker died."""

from __future__ import annotations

from typing import Any

from slack_bolt.async_app import AsyncAck

from handlers.action_ids import Target
from handlers.context import ListenerContext
from handlers.modals.modal import value_of
from handlers.users import actor_of
from supervisor.contract.requests import OutcomeRequest
from supervisor.core.errors import InvalidInput

Body = dict[str, Any]


async def record(flagman: ListenerContext, ack: AsyncAck, body: Body, view: Body) -> None:
    """Record the outcome. Raises InvalidInput for a form that Flagman did not make."""
    target = Target.of_form(view)
    if target.extra not in ("done", "failed"):
        raise InvalidInput("That form is not one of Flagman's; please use the newest message.")
    call_id, seen = next(iter(target.seen.items()))
    request = OutcomeRequest.of(
        verdict=target.extra, result=value_of(view, "result"), digest=seen.digest, request=seen.request
    )
    await flagman.sessions(actor_of(body)).decide_outcome(target.session_id, call_id, request)
    await ack()
