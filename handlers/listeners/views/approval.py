"""Submitted windows arrive here: carried out durably, then closed."""

from __future__ import annotations

from typing import Any, Literal, cast

from slack_bolt.async_app import AsyncAck, AsyncApp

from handlers.action_ids import Target, View
from handlers.context import ListenerContext
from handlers.origin import Place
from handlers.users import actor_of
from supervisor.core.errors import InvalidInput

Body = dict[str, Any]


def _value(view: Body, block: str) -> str:
    element = view["state"]["values"][block]["value"]
    selected = element.get("selected_option") or {}
    return str(element.get("value") or selected.get("value") or "")


def register(app: AsyncApp, flagman: ListenerContext) -> None:
    """Listen to every form."""

    @app.view(View.LAUNCH)
    async def launch(ack: AsyncAck, body: Body, view: Body) -> None:
        channel, _, thread_ts = view["private_metadata"].partition("|")
        actor = actor_of(body)
        user = actor.id.partition(":")[2]
        # From the home tab there is no channel: the direct conversation serves.
        place = Place(channel or user, user, thread_ts)
        task = _value(view, "task")
        if not task.strip():
            await ack(response_action="errors", errors={"task": "Please write what the agent shall do."})
            return
        await flagman.supervisor.launch(
            _value(view, "persona"), task, actor, origin=place.origin(), idempotency_key=f"slack:{view['id']}"
        )
        await ack()

    @app.view(View.DENY)
    async def deny(ack: AsyncAck, body: Body, view: Body) -> None:
        target = Target.decode(view["private_metadata"])
        session = await flagman.supervisor.get(target.session_id)
        actor = await flagman.people.deciding(actor_of(body), session, target.call_ids)
        await flagman.supervisor.decide(
            target.session_id,
            target.call_ids,
            "deny",
            actor,
            reason=_value(view, "reason"),
            digests=target.shown,
        )
        await ack()

    @app.view(View.ANSWER)
    async def answer(ack: AsyncAck, body: Body, view: Body) -> None:
        target = Target.decode(view["private_metadata"])
        await flagman.supervisor.answer(
            target.session_id, target.call_ids[0], _value(view, "answer"), actor_of(body)
        )
        await ack()

    @app.view(View.OUTCOME)
    async def outcome(ack: AsyncAck, body: Body, view: Body) -> None:
        target = Target.decode(view["private_metadata"])
        if target.extra not in ("done", "failed"):
            raise InvalidInput("That form is not one of Flagman's; please use the newest message.")
        verdict = cast(Literal["done", "failed"], target.extra)
        await flagman.supervisor.decide_outcome(
            target.session_id, target.call_ids[0], verdict, actor_of(body), result=_value(view, "result")
        )
        await ack()

    @app.view(View.RESUME)
    async def resume(ack: AsyncAck, body: Body, view: Body) -> None:
        target = Target.decode(view["private_metadata"])
        words = _value(view, "context")
        await flagman.supervisor.resume(target.session_id, actor_of(body), context=words, halt=target.halt)
        await ack()
