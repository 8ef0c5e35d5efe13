"""While a process runs with one partition, another one is started with four: both serve what either began."""

from __future__ import annotations

from storage.keys import partition_of
from supervisor.core.events import Actor
from tests.support.scenario import Director
from tests.support.scripted import calls, in_turn, says
from tests.support.seen import recent_sessions

ADA = Actor(id="api:ada", name="ada")


async def test_sessions_of_new_partitions_are_advanced_by_a_process_that_was_there_before(
    scenario: Director,
) -> None:
    scene = await scenario(in_turn(calls(("note", {"words": "hello"})), says("Done.")), partitions=1)
    flagman = scene.flagman
    before = await flagman.core.supervisor.launch("ops", "ship it", ADA)
    await scene.ended(before)
    flagman.config = flagman.config.model_copy(update={"partitions": 4})
    await flagman.add_api()
    old, new = flagman.cores[0], flagman.cores[-1].supervisor
    launched = [before.id]
    while {partition_of(session_id) for session_id in launched} != {0, 1, 2, 3}:
        launched.append((await new.launch("ops", "ship it", ADA)).id)
    assert {session.id for session in await recent_sessions(old, limit=100)} == set(launched)
    for session_id in launched:
        await flagman.session(lambda s: s.ended, session_id)
    assert sorted(run[1] for run in scene.runs("note")) == sorted(launched)
