"""A call that runs shows since when and its last lines: on the card, to programs, and on the command line."""

from __future__ import annotations

import asyncio
import json
import re
from pathlib import Path
from typing import Any

from pydantic import SecretStr

from bot.sdk import Session, connect
from storage import keys
from supervisor.core.messages import ModelReply, ModelRequest
from tests.cli.served import Cli, environment
from tests.support.api import Client
from tests.support.scenario import Director, Scene
from tests.support.scripted import calls, in_turn, says
from tests.support.slack import ADA, OPS, Json, buttons, texts

KEY = "all-key-0123456789abcdef"
RULE = {"approvals": [{"tool": "shell", "mode": "allow"}]}
SECRET = "a-key-for-tests-only-0123456789abcdef"
# Half of a secret, then the other half, each time with something else to see.
COMMAND = f"""
wait_for() {{ until test -e $1; do sleep 0.02; done; }}
echo compiling; printf '\\033[32mred\\033[0m \\342\\200\\213hidden\\n'; printf '{SECRET[:20]}'; wait_for one
echo '{SECRET[20:]}'; echo linking; wait_for two
"""


def passing(card: Json) -> list[Json]:
    blocks = card.get("blocks", [])
    return [block for block in blocks if block["block_id"].startswith("running:")]


async def started(scenario: Director, command: str = COMMAND, **config: Any) -> tuple[Scene, Any]:
    behave = in_turn(calls(("shell", {"command": command})), says("Done."))
    scene = await scenario(behave, persona=RULE, **config)
    return scene, await scene.launch()


def folder_of(scene: Scene, session: Any) -> Path:
    return scene.flagman.core.settings.workspace_folder / str(session.id)


async def test_the_card_shows_the_last_lines_masked_and_forgets_them(scenario: Director) -> None:
    scene, session = await started(scenario)
    card = await scene.slack.message(OPS, lambda m: "compiling" in str(passing(m)))
    since, lines = passing(card)
    assert "`shell` running since <!date^" in texts({"blocks": [since]})
    # A secret that is not whole yet is not shown, what is invisible is, and colours are left out.
    assert lines["elements"][0]["elements"][0]["text"] == "compiling\nred \\u200bhidden"
    (folder_of(scene, session) / "one").touch()
    card = await scene.slack.message(OPS, lambda m: "linking" in str(passing(m)))
    assert "[masked]" in texts(card)
    (folder_of(scene, session) / "two").touch()
    await scene.ended(session)
    card = await scene.slack.message(OPS, lambda m: set(buttons(m)) == {"session_log"})
    assert passing(card) == []
    assert not any(SECRET[:12] in json.dumps(call) for call in await scene.slack.calls())


async def test_programs_and_the_command_line_see_it_too(scenario: Director, tmp_path: Path) -> None:
    scene, session = await started(scenario, api_keys=SecretStr(f"boss:admin:{KEY}"))
    await scene.slack.message(OPS, lambda m: "compiling" in str(passing(m)))
    url = await scene.flagman.add_api()
    async with Client(url, KEY) as api:
        (running,) = (await api.get(f"/v1/sessions/{session.id}"))["running"]
    async with connect(url, api_key=KEY):
        (call,) = (await Session.load(session.id)).running
    assert (running["tool"], running["call_id"], running["lines"]) == ("shell", "1.1", call.lines)
    assert call.lines == "compiling\nred \\u200bhidden"
    started_at = (await scene.flagman.core.supervisor.get(session.id)).call("1.1").started_at
    assert call.since == started_at
    cli = Cli(tmp_path, environment(FLAGMAN_URL=url, FLAGMAN_API_KEY=KEY))
    shown = (await asyncio.to_thread(cli, "show", session.id)).stdout
    assert re.search(r"running   shell for \d+(\.\d)? s, since [\d:]+\n +│ compiling\n +│ red", shown), shown
    status = await scene.slack.command(ADA, OPS, f"status {session.id}")
    assert "compiling" in str(status["response"])
    for name in ("one", "two"):
        (folder_of(scene, session) / name).touch()
    await scene.ended(session)
    async with connect(url, api_key=KEY):
        assert (await Session.load(session.id)).running == []


async def test_the_model_is_what_runs_between_calls(scenario: Director) -> None:
    """Also without a worker that says so: since when is in the log."""
    answered = asyncio.Event()

    async def behave(request: ModelRequest) -> ModelReply:
        await answered.wait()
        return says("Done.")

    scene = await scenario(behave)
    session = await scene.launch()
    await scene.slack.message(OPS, lambda m: "Thinking since <!date^" in texts(m))
    (turn,) = await scene.flagman.core.running.of(await scene.flagman.core.supervisor.get(session.id))
    assert (turn.tool, turn.since) == ("", session.launched_at)
    answered.set()
    await scene.ended(session)


async def test_a_store_that_lost_the_lines_costs_only_them(scenario: Director) -> None:
    scene, session = await started(scenario, "until test -e one; do sleep 0.02; done")
    await scene.slack.message(OPS, lambda m: "`shell` running since" in texts(m))
    core = scene.flagman.core
    await core.redis.delete(keys.running(session.id))
    (call,) = await core.running.of(await core.supervisor.get(session.id))
    assert (call.tool, call.lines) == ("shell", "")
    (folder_of(scene, session) / "one").touch()
    await scene.ended(session)
    assert await core.redis.exists(keys.running(session.id)) == 0
