"""Slack's own Stop button, which a thread has while its session works."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

from handlers.context import ListenerContext
from handlers.origin import Place
from handlers.team_ids import qualified
from handlers.users import actor_of
from supervisor.contract.requests import CancelRequest
from supervisor.core.errors import InvalidInput

REDELIVERED = timedelta(hours=1)
# Slack can deliver an event hours later; by then the person sees whether it was stopped.
OLDEST = timedelta(minutes=10)


async def stopped(flagman: ListenerContext, body: dict[str, Any], event: dict[str, Any]) -> None:
    """Cancel the session of a thread, for the person who pressed Stop; once for each delivery.

    Raises NotAllowed, AlreadyEnded or InvalidInput, which the person is told.
    """
    channel, thread_ts = str(event.get("channel") or ""), str(event.get("thread_ts") or "")
    delivery = f"stop:{qualified(flagman.team, channel)}:{event.get('event_ts')}"
    session_id = await flagman.rows.session_at(Place(channel, thread_ts=thread_ts, team=flagman.team).key)
    if session_id is None or await flagman.rows.delivered(delivery):
        return
    pressed = datetime.fromtimestamp(float(event.get("event_ts") or 0), UTC)
    if flagman.clock() - pressed > OLDEST:
        raise InvalidInput(
            "Stop reached Flagman more than ten minutes late, so nothing was done. Press it again."
        )
    await flagman.sessions(actor_of(body)).cancel(session_id, CancelRequest(reason="Stopped in Slack"))
    await flagman.rows.deliver(delivery, REDELIVERED)
