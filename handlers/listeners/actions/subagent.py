"""The buttons for a failed sub-agent: retry, continue without it, or stop the plan."""

from __future__ import annotations

from typing import Any, Literal

from slack_bolt.async_app import AsyncAck

from handlers.action_ids import Action, Target
from handlers.context import ListenerContext
from handlers.users import actor_of
from supervisor.contract.requests import ChildRequest

VERDICTS: dict[str, Literal["retry", "skip", "stop"]] = {
    Action.CHILD_RETRY: "retry",
    Action.CHILD_SKIP: "skip",
    Action.CHILD_STOP: "stop",
}


async def decide(flagman: ListenerContext, ack: AsyncAck, body: dict[str, Any]) -> None:
    target = Target.of_click(body)
    verdict = VERDICTS[body["actions"][0]["action_id"]]
    request = ChildRequest.of(verdict=verdict)
    await flagman.sessions(actor_of(body)).decide_child(target.session_id, target.extra, request)
    await ack()
