"""The store is killed under running processes and comes back with what it had written."""

from __future__ import annotations

import os
import signal
from pathlib import Path

from storage.embedded_server import EmbeddedServer
from tests.crash.house import House
from tests.crash.test_killed_around_the_tool import counting, runs
from tests.support.process_pool import ProcessPool
from tests.support.slack import OPS, texts, wait_for


async def test_killed_while_a_tool_runs_its_result_is_kept_and_clicks_get_a_sentence(
    process_pool: ProcessPool, tmp_path: Path
) -> None:
    server = EmbeddedServer(tmp_path / "store", password="")
    await server.start()
    try:
        async with House(process_pool, server.url, tmp_path / "house") as house:
            command, count, door = counting(house)
            door.touch()
            house.propose("shell", {"command": command})
            await house.web(REDIS_URL=server.url)
            worker = await house.worker(REDIS_URL=server.url)
            waiting = await house.launch("wait")
            await house.asked(waiting)
            session_id = await house.launch("run")
            await house.approve(session_id)
            await wait_for(lambda: runs(count) == 1)
            os.kill(server.pid, signal.SIGKILL)
            await server.stop()
            door.unlink()
            await worker.says("trying again")
            question = await house.asked(waiting)
            assert (await house.click(question, "call_approve"))["ok"]
            await house.slack.message(
                OPS, lambda m: "cannot reach its store right now" in texts(m), question["thread_ts"]
            )
            server = EmbeddedServer(tmp_path / "store", password="")
            await server.start()
            await house.completed(session_id)
            assert runs(count) == 1
            assert (await house.events(session_id))["OutcomeLost"] == 0
            await house.approve(waiting)
            await house.completed(waiting)
            assert runs(count) == 2
    finally:
        await server.stop()
