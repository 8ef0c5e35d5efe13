"""Routes of scheduled launches."""

from __future__ import annotations

from bot.api.parameters import OfSchedule
from bot.api.routes.sessions import launch_answer
from bot.api.routing import Answer, Call, Returns, Routes
from supervisor.contract.models import ScheduleList, ScheduleView, SessionView
from supervisor.contract.requests import ScheduleRequest

routes = Routes("Schedules")
SHOWN = {200: Returns("The schedule as it stands.", ScheduleView)}


@routes("GET", "/v1/schedules", scope="read", returns={200: Returns("The next due first.", ScheduleList)})
async def list_schedules(call: Call) -> Answer:
    """List schedules."""
    return Answer(ScheduleList(schedules=await call.schedules.list()))


@routes(
    "POST",
    "/v1/schedules",
    scope="launch",
    returns={201: Returns("Added.", ScheduleView, headers=("Location",))},
    problems={404},
)
async def add_schedule(call: Call, body: ScheduleRequest) -> Answer:
    """Launch a task again and again."""
    schedule = await call.schedules.add(body)
    return Answer(schedule, 201, {"Location": f"/v1/schedules/{schedule.id}"})


@routes("GET", "/v1/schedules/{schedule_id}", scope="read", returns=SHOWN, problems={404})
async def show_schedule(call: Call, path: OfSchedule) -> Answer:
    """Show a schedule."""
    return Answer(await call.schedules.get(path.schedule_id))


@routes(
    "DELETE",
    "/v1/schedules/{schedule_id}",
    scope="launch",
    returns={204: Returns("Deleted; what it launched continues.")},
    problems={404},
)
async def delete_schedule(call: Call, path: OfSchedule) -> Answer:
    """Delete a schedule."""
    await call.schedules.delete(path.schedule_id)
    return Answer(status=204)


@routes("POST", "/v1/schedules/{schedule_id}/pause", scope="launch", returns=SHOWN, problems={404})
async def pause_schedule(call: Call, path: OfSchedule) -> Answer:
    """Launch nothing until it is resumed."""
    return Answer(await call.schedules.pause(path.schedule_id))


@routes("POST", "/v1/schedules/{schedule_id}/resume", scope="launch", returns=SHOWN, problems={404})
async def resume_schedule(call: Call, path: OfSchedule) -> Answer:
    """Launch again at its times."""
    return Answer(await call.schedules.resume(path.schedule_id))


@routes(
    "POST",
    "/v1/schedules/{schedule_id}/run",
    scope="launch",
    returns={201: Returns("Launched once besides its times.", SessionView, headers=("Location",))},
    problems={404},
)
async def run_schedule(call: Call, path: OfSchedule) -> Answer:
    """Launch it now."""
    return launch_answer(await call.schedules.run(path.schedule_id))
