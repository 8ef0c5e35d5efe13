"""The buttons Snooze and Dismiss on reminders, and Snooze on open approvals."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

from slack_bolt.async_app import AsyncAck

from handlers.action_ids import Target
from handlers.context import ListenerContext
from handlers.users import actor_of
from supervisor.core.errors import IllegalEvent
from supervisor.core.events import Actor
from supervisor.core.times import parse_moment, zone_named

Body = dict[str, Any]
HOUR = timedelta(hours=1)


async def snooze_an_hour(flagman: ListenerContext, ack: AsyncAck, body: Body) -> None:
    await _snooze(flagman, body, flagman.clock() + HOUR)
    await ack()


async def snooze_until_morning(flagman: ListenerContext, ack: AsyncAck, body: Body) -> None:
    """Snooze until 09:00 tomorrow in the person's time zone. Raises ZoneUnknown."""
    zone = zone_named(await flagman.people.zone(actor_of(body)))
    await _snooze(flagman, body, parse_moment("tomorrow 09:00", flagman.clock(), zone))
    await ack()


async def dismiss(flagman: ListenerContext, ack: AsyncAck, body: Body) -> None:
    target = Target.of_click(body)
    await flagman.sessions(actor_of(body)).drop_reminder(target.session_id, target.extra)
    await ack()


async def _snooze(flagman: ListenerContext, body: Body, due: datetime) -> None:
    target, actor = Target.of_click(body), actor_of(body)
    kind, _, request_id = target.extra.partition(":")
    if kind == "ask" and request_id:
        await _put_off(flagman, target.session_id, request_id, due, actor)
    else:
        await flagman.sessions(actor).snooze(target.session_id, target.extra, due)


async def _put_off(
    flagman: ListenerContext, session_id: str, request_id: str, due: datetime, actor: Actor
) -> None:
    """Move the person's own reminder of an open request, or set one. Raises IllegalEvent where it is closed."""
    session = (await flagman.sessions(actor).access.participant(session_id, "snooze")).session
    if not session.asks(request_id):
        raise IllegalEvent("Nothing here waits any more, so there is nothing to put off.")
    own = [t for t in session.timers if t.by == actor.id]
    standing = [t for t in own if t.about == request_id and t.state == "set"]
    if standing:
        await flagman.sessions(actor).snooze(session_id, standing[0].id, due)
    else:
        await flagman.sessions(actor).remind_at(session_id, due, about=request_id)
