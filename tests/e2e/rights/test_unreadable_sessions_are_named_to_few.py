"""A session whose log cannot be read is named to those who see it, and to nobody else."""

from __future__ import annotations

import pytest

from bot.compose import now
from storage import keys
from supervisor.contract.requests import CancelRequest
from supervisor.contract.service import SessionService
from supervisor.core.errors import LimitReached
from supervisor.core.events import Actor
from supervisor.runtime.sweeper import Sweeper
from tests.e2e.rights.test_open_sessions_are_limited import TASK
from tests.support.scenario import Director, Scene
from tests.support.scripted import calls, in_turn, says
from tests.support.slack import ADA, BOT, GRACE, KEN, LINUS, OPS

ONE = in_turn(calls(("deploy", {"service": "shop"})), says("Done."))


async def damaged(scene: Scene, *, at_once: bool = False) -> str:
    """The id of a session in a private channel of ADA and GRACE whose log is damaged, `at_once` from its beginning."""
    private = await scene.slack.channel("private", name="secret-ops", members=[ADA, GRACE, BOT])
    session = await scene.waiting(await scene.launch("the secret thing", channel=private))
    redis = scene.flagman.core.redis
    if at_once:
        await redis.lset(keys.log(session.id), 0, "no event")
        await redis.delete(keys.snapshot(session.id))
    else:
        await redis.rpush(keys.log(session.id), b"no event")
    for core in scene.flagman.cores:
        core.sessions.forget(session.id)
    return session.id


async def test_who_saw_it_is_told_and_others_are_not(scenario: Director) -> None:
    scene = await scenario(ONE, admins=LINUS)
    session_id = await damaged(scene)
    for person in (ADA, GRACE, LINUS):
        assert f"`{session_id}`" in str(await scene.slack.command(person, OPS, "list"))
        assert "cannot be read" in str(await scene.slack.command(person, OPS, f"status {session_id}"))
    assert session_id not in str(await scene.slack.command(KEN, OPS, "list"))
    for verb in ("status", "log", "cancel", "fork"):
        answer = str(await scene.slack.command(KEN, OPS, f"{verb} {session_id}"))
        assert "There is no session" in answer
    assert session_id not in str(await scene.slack.home(KEN))


async def test_where_not_even_its_beginning_can_be_read_admins_are_told(scenario: Director) -> None:
    scene = await scenario(ONE, admins=LINUS)
    session_id = await damaged(scene, at_once=True)
    assert f"`{session_id}`" in str(await scene.slack.command(LINUS, OPS, "list"))
    for person in (ADA, KEN):
        assert session_id not in str(await scene.slack.command(person, OPS, "list"))


async def test_one_does_not_count_as_open_once_it_was_swept(scenario: Director) -> None:
    scene = await scenario(ONE, max_sessions="1/1")
    session_id = await damaged(scene)
    core = scene.flagman.core
    ada = SessionService(core.services(), Actor(id=f"slack:{ADA}"))
    sweeper = Sweeper(core.sessions, core.log, *core.queues())
    with pytest.raises(LimitReached):
        await ada.launch(TASK)
    await sweeper.sweep(now())
    other = await ada.launch(TASK)
    with pytest.raises(LimitReached):
        await ada.launch(TASK)
    await ada.cancel(other.id, CancelRequest())
    # Another version can read it.
    await core.redis.rpop(keys.log(session_id))
    await sweeper.sweep(now())
    with pytest.raises(LimitReached):
        await ada.launch(TASK)


async def test_a_copy_is_named_to_who_made_it(scenario: Director) -> None:
    scene = await scenario(ONE, admins=LINUS)
    core = scene.flagman.core
    source = await core.supervisor.launch("ops", "ship it", Actor(id=f"slack:{ADA}"))
    copy = await core.supervisor.fork(source.id, Actor(id=f"slack:{GRACE}"), step=0, message="again")
    await core.redis.rpush(keys.log(copy.id), b"no event")
    for one in scene.flagman.cores:
        one.sessions.forget(copy.id)
    for person in (ADA, GRACE, LINUS):
        assert f"`{copy.id}`" in str(await scene.slack.command(person, OPS, "list"))
    assert copy.id not in str(await scene.slack.command(KEN, OPS, "list"))
