"""How many sessions may be open is limited, of one person or key and in all; a launch beyond is refused."""

from __future__ import annotations

import pytest

from bot.api.errors import problem_of
from supervisor.contract.requests import CancelRequest, ForkRequest, LaunchRequest
from supervisor.contract.service import SessionService
from supervisor.core.errors import LimitReached
from supervisor.core.events import Actor
from tests.support.scenario import Director, Scene
from tests.support.scripted import calls, in_turn, says
from tests.support.slack import ADA, GRACE, KEN, OPS

ONE = in_turn(calls(("deploy", {"service": "shop"})), says("Done."))
TASK = LaunchRequest(persona="ops", task="ship it", channel=OPS)


def of(scene: Scene, user: str) -> SessionService:
    return SessionService(scene.flagman.core.services(), Actor(id=f"slack:{user}"))


async def test_of_one_person_and_in_all(scenario: Director) -> None:
    scene = await scenario(ONE, max_sessions="2/3")
    ada, grace = of(scene, ADA), of(scene, GRACE)
    first = await ada.launch(TASK, idempotency_key="first")
    await ada.launch(TASK)
    answer = str(await scene.slack.command(ADA, OPS, "launch ops ship it"))
    assert "You have 2 sessions that have not ended, which is the most (FLAGMAN_MAX_SESSIONS)" in answer
    with pytest.raises(LimitReached) as refused:
        await ada.fork(first.id, ForkRequest(step=0))
    assert problem_of(refused.value)[0].status == 429
    # What was launched before is found again.
    assert (await ada.launch(TASK, idempotency_key="first")).id == first.id
    await grace.launch(TASK)
    assert "There are 3 sessions that have not ended" in str(
        await scene.slack.command(KEN, OPS, "launch ops ship it")
    )
    await ada.cancel(first.id, CancelRequest())
    assert (await ada.launch(TASK)).status == "running"


async def test_a_schedule_that_may_not_launch_says_why(scenario: Director) -> None:
    scene = await scenario(ONE, max_sessions="1/9")
    schedules, ada = scene.flagman.core.schedules, Actor(id=f"slack:{ADA}")
    await of(scene, ADA).launch(TASK)
    schedule = await schedules.add("0 9 * * *", "ops", "ship it", ada)
    with pytest.raises(LimitReached):
        await schedules.run_now(schedule.id, ada)
