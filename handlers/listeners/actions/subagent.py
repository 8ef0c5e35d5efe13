"""What a person says of a sub-agent that failed: retry, go on without it, stop the rest."""

from __future__ import annotations

from typing import Any, Literal

from slack_bolt.async_app import AsyncAck, AsyncApp

from handlers.action_ids import Action, Target
from handlers.context import ListenerContext
from handlers.users import actor_of

Body = dict[str, Any]
VERDICTS: dict[str, Literal["retry", "skip", "stop"]] = {
    Action.CHILD_RETRY: "retry",
    Action.CHILD_SKIP: "skip",
    Action.CHILD_STOP: "stop",
}


def register(app: AsyncApp, flagman: ListenerContext) -> None:
    """Listen to the buttons of a failure on the board."""

    @app.action(Action.CHILD_RETRY)
    @app.action(Action.CHILD_SKIP)
    @app.action(Action.CHILD_STOP)
    async def decide(ack: AsyncAck, body: Body) -> None:
        pressed = body["actions"][0]
        target = Target.decode(str(pressed.get("value") or ""))
        verdict = VERDICTS[pressed["action_id"]]
        await flagman.supervisor.decide_child(target.session_id, target.extra, verdict, actor_of(body))
        await ack()
