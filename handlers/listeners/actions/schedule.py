"""The button that launches a session of a schedule now."""

from __future__ import annotations

from typing import Any

from slack_bolt.async_app import AsyncAck, AsyncRespond
from slack_sdk.web.async_client import AsyncWebClient

from handlers.context import ListenerContext
from handlers.private_answers import answer_privately
from handlers.users import actor_of
from supervisor.contract.schedules import ScheduleService


async def run_now(
    flagman: ListenerContext,
    ack: AsyncAck,
    body: dict[str, Any],
    respond: AsyncRespond,
    client: AsyncWebClient,
) -> None:
    """Launch a session of the schedule; its due times stay. Raises ScheduleNotFound."""
    schedules = ScheduleService(flagman.services, actor_of(body))
    session = await schedules.run(str(body["actions"][0].get("value") or ""))
    await ack()
    await answer_privately(body, client, f":rocket: Started `{session.id}`.", (), respond)
