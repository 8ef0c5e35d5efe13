"""The form that approves a call and allows calls like it in advance."""

from __future__ import annotations

from typing import Any

from slack_bolt.async_app import AsyncAck

from handlers.action_ids import Action, Target
from handlers.context import ListenerContext
from handlers.modals.allow import block_of
from handlers.modals.modal import value_of
from handlers.users import actor_of
from supervisor.contract.grants import GrantRequest, GrantService
from supervisor.core.commands.approvals import expect_seen
from supervisor.core.errors import InvalidInput
from supervisor.core.state import Call
from supervisor.core.text.visible import visible

Body = dict[str, Any]


async def allow(flagman: ListenerContext, ack: AsyncAck, body: Body, view: Body) -> None:
    """Approve the call and allow those like it; what is wrong with a pattern is shown beside it."""
    target, actor = Target.of_form(view), actor_of(body)
    session, call = await flagman.call_of(target, actor)
    # The inputs are those for the arguments that were shown.
    expect_seen(call, target.first[1])
    request = _request(view, call, await flagman.people.zone(actor))
    try:
        await GrantService(flagman.services, actor).allow(session.id, call.call_id, request)
    except InvalidInput as error:
        patterns = [block["block_id"] for block in view["blocks"] if block["block_id"].startswith("pattern:")]
        if not patterns:
            raise
        wrong = next(
            (b for b in patterns if f"`{_argument(b, call.call.arguments)}`" in str(error)), patterns[0]
        )
        await ack(response_action="errors", errors={wrong: visible(str(error))[:500]})
        return
    await ack(response_action="clear")


def _argument(block_id: str, arguments: Any) -> str:
    return str(sorted(arguments)[int(block_id.partition(":")[2])])


def _request(view: Body, call: Call, zone: str) -> GrantRequest:
    """Return what a submitted form asks for."""
    arguments = call.call.arguments if isinstance(call.call.arguments, dict) else {}
    terms = view["state"]["values"]["terms"][Action.ALLOW_TERMS]["selected_option"]["value"]
    scope, _, until = terms.partition("|")
    _, seen = Target.of_form(view).first
    return GrantRequest.of(
        scope=scope,
        until=until,
        zone=zone,
        arguments={name: value_of(view, block_of(name, list(arguments))) for name in arguments},
        digest=seen.digest,
        request=seen.request,
    )
