"""Scheduled launches."""

from __future__ import annotations

from bot.api.models import ScheduleList, ScheduleView, SessionView
from bot.api.parameters import OfSchedule
from bot.api.requests import AddSchedule
from bot.api.routes.sessions import origin_of
from bot.api.routing import Answer, Call, Returns, Routes
from bot.api.views import schedule_view, session_view

routes = Routes("Schedules")
SHOWN = {200: Returns("The schedule as it stands.", ScheduleView)}


@routes("GET", "/v1/schedules", scope="read", returns={200: Returns("The next due first.", ScheduleList)})
async def list_schedules(call: Call) -> Answer:
    """List schedules."""
    return Answer(ScheduleList(schedules=[schedule_view(s) for s in await call.core.schedules.list()]))


@routes(
    "POST",
    "/v1/schedules",
    scope="launch",
    returns={201: Returns("Added.", ScheduleView, headers=("Location",))},
    problems={404},
)
async def add_schedule(call: Call, body: AddSchedule) -> Answer:
    """Launch a task again and again."""
    schedule = await call.core.schedules.add(
        body.cron, body.persona, body.task, call.actor, zone=body.zone, origin=origin_of(body.channel)
    )
    return Answer(schedule_view(schedule), 201, {"Location": f"/v1/schedules/{schedule.id}"})


@routes("GET", "/v1/schedules/{schedule_id}", scope="read", returns=SHOWN, problems={404})
async def show_schedule(call: Call, path: OfSchedule) -> Answer:
    """Show a schedule."""
    return Answer(schedule_view(await call.core.schedules.get(path.schedule_id)))


@routes(
    "DELETE",
    "/v1/schedules/{schedule_id}",
    scope="launch",
    returns={204: Returns("Deleted; what it launched goes on.")},
    problems={404},
)
async def delete_schedule(call: Call, path: OfSchedule) -> Answer:
    """Delete a schedule."""
    await call.core.schedules.delete(path.schedule_id)
    return Answer(status=204)


@routes("POST", "/v1/schedules/{schedule_id}/pause", scope="launch", returns=SHOWN, problems={404})
async def pause_schedule(call: Call, path: OfSchedule) -> Answer:
    """Launch nothing until it is resumed."""
    return Answer(schedule_view(await call.core.schedules.pause(path.schedule_id)))


@routes("POST", "/v1/schedules/{schedule_id}/resume", scope="launch", returns=SHOWN, problems={404})
async def resume_schedule(call: Call, path: OfSchedule) -> Answer:
    """Launch again at its times."""
    return Answer(schedule_view(await call.core.schedules.resume(path.schedule_id)))


@routes(
    "POST",
    "/v1/schedules/{schedule_id}/run",
    scope="launch",
    returns={201: Returns("Launched once besides its times.", SessionView, headers=("Location",))},
    problems={404},
)
async def run_schedule(call: Call, path: OfSchedule) -> Answer:
    """Launch it now."""
    session = await call.core.schedules.run_now(path.schedule_id, call.actor)
    return Answer(await session_view(call.core, session), 201, {"Location": f"/v1/sessions/{session.id}"})
