"""What a tool returns is masked before it is stored: no log, document, thread or model request holds the secret."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

from pydantic import SecretStr
from redis.asyncio import Redis

from storage import keys
from supervisor.core.errors import ToolError
from supervisor.core.text.masking import MASK, Masker
from supervisor.core.triggers import Delivered
from supervisor.runtime.tool_runner import ToolRunner
from supervisor.runtime.work_dirs import WorkDirs
from supervisor.tools.contract import ToolContext, Verdict
from supervisor.tools.typed_tool import tool
from tests.core.build import awaiting, fake_tool
from tests.support.scenario import Director
from tests.support.scripted import calls, in_turn, results, says

# One that only the settings know; it has no well-known shape.
SECRET = "correct-horse-battery-staple-0123456789"


@tool(changes=False)
async def read_key(ctx: ToolContext) -> str:
    """Read the key."""
    return f"the key is {SECRET}."


@tool(changes=False)
async def lose_key(ctx: ToolContext) -> str:
    """Fail with the key."""
    raise ToolError(f"nobody takes {SECRET}.")


async def test_it_is_nowhere(scenario: Director, redis: Redis) -> None:
    scene = await scenario(
        in_turn(calls(("read_key", {}), ("lose_key", {})), says("Done.")),
        tools={"read_key": read_key, "lose_key": lose_key},
        secret_key=SecretStr(SECRET),
    )
    session = await scene.launch()
    await scene.ended(session)
    stored: Any = redis.lrange(keys.log(session.id), 0, -1)
    log = b"\n".join(await stored).decode()
    request = scene.model.requests[1]
    assert results(request) == [f"the key is {MASK}.", f"nobody takes {MASK}."]
    document = await scene.flagman.core.documents().text(session.id)
    thread = await scene.settled(session)
    for held in (log, document):
        assert f"the key is {MASK}" in held
        assert f"nobody takes {MASK}" in held
    for held in (log, document, request.model_dump_json(), str(thread)):
        assert SECRET not in held


async def test_nor_in_what_a_tool_says_of_a_call_that_was_cut_off(tmp_path: Path) -> None:
    async def verify(*_: Any) -> tuple[Verdict, str]:
        return "done", f"it took {SECRET}."

    async def deliver(*_: Any) -> Delivered:
        return Delivered([])

    session, cut_off = awaiting(), replace(fake_tool("shell"), verify=verify)
    runner = ToolRunner(WorkDirs(tmp_path), deliver, Masker([SECRET]))
    assert await runner.verify(cut_off, session, session.call("1.1")) == ("done", f"it took {MASK}.")
