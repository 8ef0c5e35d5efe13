"""Files that a command wrote are listed, posted, handed on and copied; where one is not there, each answer says so."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

from redis.asyncio import Redis

from supervisor.core.events import Actor, SessionRestored
from supervisor.runtime.tool_runner import INTERRUPTED
from tests.support.scenario import Director, Scene
from tests.support.scripted import calls, in_turn, results, says, told
from tests.support.seen import recent_sessions
from tests.support.slack import ADA, OPS, texts, wait_for
from tests.support.subagents import child, coordinated, plan, subtask

ALLOWED = {"approvals": [{"tool": "*", "mode": "allow"}]}


def shell(command: str) -> tuple[str, dict[str, str]]:
    return "shell", {"command": command}


async def said(scene: Scene, text: str) -> str:
    answer = await scene.slack.command(ADA, OPS, text)
    return json.dumps(answer["response"], ensure_ascii=False)


async def test_they_are_listed_posted_and_copied_and_what_is_gone_is_named(scenario: Director) -> None:
    script = in_turn(
        calls(
            shell(
                "mkdir out; echo 1 > out/a.csv; echo 2 > b.csv; echo 3 > draft; printf '#!/bin/sh' > run; chmod +x run"
            )
        ),
        calls(shell("rm draft")),
        calls(shell("ls out; test -x run")),
        says("Done."),
    )
    scene = await scenario(script, persona=ALLOWED)
    session = await scene.ended(await scene.launch())
    listed = await said(scene, f"files {session.id}")
    assert all(line in listed for line in ("out/a.csv   2 bytes", "draft   removed by the session"))
    assert "a command of the session has removed it" in await said(scene, f"files {session.id} draft")
    assert "is posted into the thread" in await said(scene, f"files {session.id} out/a.csv")

    (scene.flagman.config.workspace_folder / session.id / "b.csv").unlink()
    answer = await said(scene, f"fork {session.id} at 2")
    assert "Not taken along: 1 of its files is not on this machine: b.csv." in answer

    async def copied() -> object:
        return next((s for s in await recent_sessions(scene.flagman.core, limit=9) if s.forked), None)

    copy = await scene.ended(await wait_for(copied))  # type: ignore[arg-type]
    assert copy.forked
    assert copy.forked.missing == ("b.csv",)
    ran = results(scene.model.requests[-1])[-1]
    assert ran == ("exit code 0\na.csv\n[Files that this session was to begin with are not here: `b.csv`.]")
    await scene.slack.message(OPS, lambda m: "1 of its files is not on this machine: b.csv" in texts(m))
    listed = await said(scene, f"files {copy.id}")
    assert all(line in listed for line in ("out/a.csv   2 bytes", "b.csv   not on this machine"))


async def test_the_files_of_a_copy_are_there_before_its_first_tool_runs(scenario: Director) -> None:
    script = in_turn(calls(shell("echo 1 > a.csv")), calls(("deploy", {"service": "shop"})), says("Done."))
    rules = [{"tool": "deploy", "mode": "ask"}, {"tool": "*", "mode": "allow"}]
    scene = await scenario(script, persona={"approvals": rules})
    session = await scene.launch()
    await scene.waiting(session)
    files = scene.flagman.core.artifacts()
    for _ in range(2):
        before = session
        await said(scene, f"fork {before.id}")
        session = next(s for s in await recent_sessions(scene.flagman.core, limit=1) if s.id != before.id)
        await scene.waiting(session)
        assert [(file.path, file.size) for file in files.list(session)] == [("a.csv", 2)]
        assert await files.read(session, "a.csv") == b"1\n"


async def test_a_cancelled_command_has_written_its_files_too(scenario: Director) -> None:
    scene = await scenario(in_turn(calls(shell("echo half > half.txt; sleep 600"))), persona=ALLOWED)
    session = await scene.launch()
    path = scene.flagman.config.workspace_folder / session.id / "half.txt"
    await wait_for(path.exists)
    await said(scene, f"cancel {session.id}")
    ended = await scene.flagman.session(lambda s: s.ended and not s.open_calls, session.id)
    assert (ended.call("1.1").content, ended.artifacts) == (INTERRUPTED, ("half.txt",))


async def test_they_are_handed_on_to_the_next_subtask(scenario: Director, tmp_path: Path) -> None:
    parts = {
        "look": in_turn(
            calls(shell("mkdir -p out .git; echo seen > out/found; touch .git/x")), says("I looked.")
        ),
        "tell": in_turn(calls(shell("cat inputs/look/out/found; rm -r inputs")), says("I told.")),
    }
    first = plan(subtask("look"), subtask("tell", "look"))
    rules = {"approvals": [{"tool": "plan_tasks", "mode": "allow"}, {"tool": "shell", "mode": "allow"}]}
    scene = await coordinated(scenario, tmp_path, first, parts, worker=ALLOWED, persona=rules)
    session = await scene.ended(await scene.launch())
    look = await child(scene, session, "look")
    assert session.artifacts == (f"agents/look-{look.id}/out/found",)
    request = next(r for r in scene.model.requests if told(r)[0].startswith("tell:") and results(r))
    assert "Its files, in your folder: inputs/look/out/found" in told(request)[0]
    assert results(request) == ["exit code 0\nseen"]


async def test_a_restored_session_has_its_files_where_its_folder_is(scenario: Director, redis: Redis) -> None:
    scene = await scenario(in_turn(calls(shell("echo 1 > a.csv")), says("Done.")), persona=ALLOWED)
    session, core = await scene.ended(await scene.launch()), scene.flagman.core
    document = (await core.documents().text(session.id)).encode()
    lines = ("a.csv   2 bytes", "a.csv   not on this machine")
    for line, missing in zip(lines, ((), ("a.csv",)), strict=True):
        await redis.flushall()
        await core.restorer().restore(document, Actor(id="cli:operator"))
        assert line in await said(scene, f"files {session.id}")
        restored = (await core.sessions.events(session.id))[-1]
        assert isinstance(restored, SessionRestored)
        assert restored.missing == missing
        shutil.rmtree(scene.flagman.config.workspace_folder / session.id, ignore_errors=True)
    assert "the session worked on another one, or with another" in await said(
        scene, f"files {session.id} a.csv"
    )
