"""A coordinator that is cancelled knows what everybody below it used, at any depth."""

from __future__ import annotations

from pathlib import Path

from redis.asyncio import Redis

from bot.sdk import Agent, in_process
from bot.sdk.in_process_backend import InProcessBackend
from supervisor.core.messages import ModelReply, ModelRequest, ModelTurn
from supervisor.core.state import Session
from tests.support.flagman import settings
from tests.support.scenario import write_persona
from tests.support.scripted import Scripted, calls, says
from tests.support.slack import wait_for

ALLOWED = [{"tool": "*", "mode": "allow"}]


def behave(request: ModelRequest) -> ModelReply:
    """`boss` launches two of `middle`, each of which launches two that wait for an approval."""
    if any(isinstance(turn, ModelTurn) for turn in request.turns):
        return says("done")
    match request.turns[0].text:  # type: ignore[union-attr]
        case "boss":
            return calls(*2 * [("launch_agent", {"persona": "middle", "task": "middle"})])
        case "middle":
            return calls(*2 * [("launch_agent", {"persona": "hand", "task": "hand"})])
        case _:
            return calls(("write_file", {"path": "out", "content": "x"}))


async def test_what_those_below_used_is_counted_up_to_the_top(
    redis: Redis, valkey_url: str, tmp_path: Path
) -> None:
    for name in ("boss", "middle"):
        write_persona(tmp_path / "p", name, agents=["*"], delegates=["*"], approvals=ALLOWED)
    write_persona(tmp_path / "p", "hand", approvals=[{"tool": "*", "mode": "ask"}])
    config = settings("http://127.0.0.1:9/api/", valkey_url, tmp_path, personas=tmp_path / "p")
    async with in_process(config, gateway=Scripted(behave)) as backend:
        assert isinstance(backend, InProcessBackend)
        supervisor = backend._service._supervisor
        boss = await Agent("boss").start("boss")

        async def all_wait() -> bool:
            found = (await backend.page(status="paused", limit=20)).sessions
            return sum(s.waiting_for == "human_approval_required" for s in found) == 4

        await wait_for(all_wait)
        await boss.cancel("not needed")

        async def known() -> Session | None:
            session = await supervisor.get(boss.id)
            return None if session.running_children else session

        session = await wait_for(known)
        assert [child.state for child in session.children] == ["cancelled", "cancelled"]
        assert session.total_usage.input_tokens == 7 * 100
        assert str(session.total_cost_usd) == "0.007"
