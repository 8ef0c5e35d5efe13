"""Clicks on reminders, and on what puts an approval off, arrive here."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

from slack_bolt.async_app import AsyncAck, AsyncApp

from handlers.action_ids import Action, Target
from handlers.context import ListenerContext
from handlers.users import actor_of
from supervisor.core.errors import IllegalEvent
from supervisor.core.events import Actor
from supervisor.core.times import parse_moment, zone_named

Body = dict[str, Any]
HOUR = timedelta(hours=1)


def register(app: AsyncApp, flagman: ListenerContext) -> None:
    """Listen to Snooze and Dismiss."""

    @app.action(Action.SNOOZE_HOUR)
    async def an_hour(ack: AsyncAck, body: Body) -> None:
        await _snooze(flagman, body, flagman.clock() + HOUR)
        await ack()

    @app.action(Action.SNOOZE_MORNING)
    async def tomorrow(ack: AsyncAck, body: Body) -> None:
        zone = zone_named(await flagman.people.zone(actor_of(body)))
        await _snooze(flagman, body, parse_moment("tomorrow 09:00", flagman.clock(), zone))
        await ack()

    @app.action(Action.DISMISS)
    async def dismiss(ack: AsyncAck, body: Body) -> None:
        target = _target(body)
        await flagman.supervisor.drop_timer(target.session_id, target.extra, actor_of(body))
        await ack()


def _target(body: Body) -> Target:
    return Target.decode(str(body["actions"][0].get("value") or ""))


async def _snooze(flagman: ListenerContext, body: Body, due: datetime) -> None:
    target, actor = _target(body), actor_of(body)
    kind, _, request_id = target.extra.partition(":")
    if kind == "ask" and request_id:
        await _put_off(flagman, target.session_id, request_id, due, actor)
    else:
        await flagman.supervisor.snooze(target.session_id, target.extra, due, actor)


async def _put_off(
    flagman: ListenerContext, session_id: str, request_id: str, due: datetime, actor: Actor
) -> None:
    session = await flagman.supervisor.get(session_id)
    if not session.asks(request_id):
        raise IllegalEvent("Nothing here waits any more, so there is nothing to put off.")
    standing = [t for t in session.timers if t.about == request_id and t.state == "set"]
    if standing:
        await flagman.supervisor.snooze(session_id, standing[0].id, due, actor)
    else:
        await flagman.supervisor.remind(session_id, due, actor, about=request_id)
