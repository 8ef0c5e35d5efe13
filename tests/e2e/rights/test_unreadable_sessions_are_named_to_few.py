"""A session whose log cannot be read is named to those who see it, and to nobody else."""

from __future__ import annotations

from storage import keys
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
