"""A collected session leaves one SESSION_LOG, one row that says where, and nothing else."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from redis.asyncio import Redis

from bot.compose import Core
from storage import keys
from storage.log import Effects
from storage.queue import SessionQueue
from storage.scripts.lua import Known
from supervisor.core.errors import SessionNotFound
from supervisor.core.events import Actor
from supervisor.core.state import Session
from supervisor.session_log.collector import Step
from tests.retention.contents import contents, naming
from tests.support.scenario import APPROVE, VIEW, Director, Scene
from tests.support.scripted import calls, in_turn, says
from tests.support.slack import ADA, OPS, wait_for
from tests.support.subagents import coordinated, plan, subtask

LATER = timedelta(days=90)
RULES = {"approvals": [{"tool": "deploy", "mode": "ask"}, {"tool": "*", "mode": "allow"}]}
SCRIPT = in_turn(
    calls(("shell", {"command": "echo 1 > a.csv"})), calls(("deploy", {"service": "shop"})), says("Done.")
)


async def collected(core: Core, **more: Any) -> Step:
    done = await core.collector().step(datetime.now(UTC) + LATER, **more)
    if not more.get("dry_run"):
        await core.collector().finish()
    return done


async def quiet(scene: Scene, *sessions: Session) -> None:
    """Wait until no queue has these sessions."""
    ready, outbox = scene.flagman.core.queues()
    for session in sessions:
        for queue in (ready, outbox):

            async def idle(queue: SessionQueue = queue, session_id: str = session.id) -> bool:
                return not await queue.holds(session_id)

            await wait_for(idle)


async def full(scenario: Director) -> tuple[Scene, Session]:
    """A session with files, an opened call, an approval, a card, a thread, and a snapshot."""
    scene = await scenario(SCRIPT, persona=RULES)
    session = await scene.launch()
    (ask,) = await scene.asked(session)
    assert (await scene.slack.click(ADA, OPS, ask["ts"], VIEW))["ok"]
    assert (await scene.slack.click(ADA, OPS, ask["ts"], APPROVE))["ok"]
    session = await scene.ended(session)
    await scene.settled(session)
    core = scene.flagman.core
    await core.log.save_snapshot(session.id, Known(session.version), session.model_dump_json().encode())
    await core.log.append(session.id, session.version, [], Effects(indexes={"unreadable": 0.0}))
    await quiet(scene, session)
    return scene, session


async def test_all_keys_of_a_session_go_and_no_others(scenario: Director, redis: Redis) -> None:
    scene, session = await full(scenario)
    core = scene.flagman.core
    before = await naming(redis, session.id)
    owned = {keys.log(session.id), keys.snapshot(session.id), keys.projection(session.id)}
    assert owned <= before
    assert any(":thread:" in key for key in before), "its place"
    assert keys.blobs(0) in await contents(redis)
    others = {key: value for key, value in (await contents(redis)).items() if key not in before}

    assert (await collected(core)).archived == [session.id]
    assert await naming(redis, session.id) == {keys.index(0, "archived")}
    kept = await contents(redis)
    assert {key: kept.get(key) for key in others} == others
    data = scene.flagman.config.data
    assert not (scene.flagman.config.workspace_folder / session.id).exists()
    assert [path.name for path in (data / "archive").rglob("*.md")] == [f"{session.id}.md"]


async def test_it_says_where_it_is_and_comes_back(scenario: Director, redis: Redis) -> None:
    scene, session = await full(scenario)
    core = scene.flagman.core
    events = await core.sessions.events(session.id)
    await collected(core)
    file = f"archive/{session.changed_at:%Y/%m}/{session.id}.md"
    for words in (f"show {session.id}", f"log {session.id}"):
        answer = json.dumps(await scene.slack.command(ADA, OPS, words))
        assert f"was archived as {file} in FLAGMAN_DATA" in answer, answer
    document = (scene.flagman.config.data / file).read_bytes()
    back = await core.restorer().restore(document, Actor(id="cli:operator"))
    assert (await core.sessions.events(back.id))[:-1] == events
    assert await core.log.count("archived") == 0
    before = datetime.now(UTC) - timedelta(days=1)
    assert (await core.collector().step(before)).archived == [], "it has the whole time again"


async def test_a_personas_blob_goes_with_its_last_session(scenario: Director, redis: Redis) -> None:
    scene, session = await full(scenario)
    core, other = scene.flagman.core, await scene.launch("another")
    await redis.hset(keys.blobs(0), "nobody", b"{}")
    await collected(core)
    digests: Any = await redis.hkeys(keys.blobs(0))
    assert digests == [other.persona_digest.encode()]
    assert await core.log.length(other.id)
    assert not await core.log.length(session.id)


async def test_a_changed_session_and_one_at_work_stay(scenario: Director, redis: Redis) -> None:
    scene, session = await full(scenario)
    store = scene.flagman.core.retention()

    async def outcome(version: int) -> str:
        return await store.collect(
            session.id, version, session.changed_at, indexes=["all", "ended"], timers=[], places=[]
        )

    before = await contents(redis)
    assert await outcome(session.version - 1) == "changed"
    await redis.hset(keys.queue(0, "outbox").state, session.id, "b:token")
    assert await outcome(session.version) == "busy"
    await redis.hdel(keys.queue(0, "outbox").state, session.id)
    assert await contents(redis) == before
    assert await outcome(session.version) == "collected"


async def test_a_dry_run_changes_nothing(scenario: Director, redis: Redis) -> None:
    scene, session = await full(scenario)
    before = await contents(redis)
    assert (await collected(scene.flagman.core, dry_run=True)).archived == [session.id]
    assert await contents(redis) == before
    assert not (scene.flagman.config.data / "archive").exists()


async def test_a_coordinator_goes_with_its_sub_agents_wherever_it_was_interrupted(
    scenario: Director, redis: Redis, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    part = in_turn(calls(("shell", {"command": "echo 1 > b.csv"})), says("I looked."))
    scene = await coordinated(
        scenario,
        tmp_path,
        plan(subtask("look"), subtask("tell")),
        {"look": part, "tell": part},
        worker={"approvals": [{"tool": "*", "mode": "allow"}]},
        persona={"approvals": [{"tool": "*", "mode": "allow"}]},
    )
    session = await scene.ended(await scene.launch())
    core = scene.flagman.core
    family = [session, *[await core.supervisor.get(child.id) for child in session.children]]
    await scene.settled(session)
    await quiet(scene, *family)
    assert len(family) == 3
    left, real = [1], core.retention().collect

    async def killed(_: object, *given: Any, **more: Any) -> str:
        if not left:
            raise KeyboardInterrupt
        left.pop()
        return await real(*given, **more)

    with monkeypatch.context() as patch:
        patch.setattr("storage.retention.store.RetentionStore.collect", killed)
        with pytest.raises(KeyboardInterrupt):
            await core.collector().step(datetime.now(UTC) + LATER)
    assert sum([bool(await core.log.length(one.id)) for one in family]) == 2
    assert len(list((scene.flagman.config.data / "archive").rglob("*.md"))) == 3, "documents come first"

    assert len((await collected(core)).archived) == 2
    assert await core.log.count("all") == 0
    assert {key for one in family for key in await naming(redis, one.id)} == {keys.index(0, "archived")}
    with pytest.raises(SessionNotFound, match="was archived"):
        await core.supervisor.get(session.id)
