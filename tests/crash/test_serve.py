"""`flagman serve` itself, as installed: killed and started again, without its server, beside a second one."""

from __future__ import annotations

import os
import signal
from collections.abc import AsyncIterator
from pathlib import Path

import aiohttp
import pytest

from tests.support.ports import free_port
from tests.support.process import Process
from tests.support.slack import ADA, OPS, Json, buttons, wait_for


class Serve:
    """One data folder and port, served by whatever process is started."""

    def __init__(self, folder: Path, http: aiohttp.ClientSession) -> None:
        self.folder, self._http, self.port = folder, http, free_port()
        self._runs: list[Process] = []

    def start(self, **more: str) -> Process:
        environment = {
            **{name: os.environ[name] for name in ("PATH", "PYTHONPATH") if name in os.environ},
            "FLAGMAN_DATA": str(self.folder / "data"),
            "PORT": str(self.port),
            **more,
        }
        process = Process.run("serve", environment, self.folder / f"serve-{len(self._runs)}.log")
        self._runs.append(process)
        return process

    async def ready(self) -> Process:
        process = self.start()
        await process.says("Flagman is ready", 25)
        return process

    async def close(self) -> None:
        for process in self._runs:
            process.kill()
            await process.ended()

    async def act(self, what: str, **body: object) -> Json:
        url = f"http://127.0.0.1:{self.port}/playground/{what}"
        async with self._http.post(url, json=body) as answer:
            found: Json = await answer.json()
            return found

    async def messages(self, thread_ts: str = "") -> list[Json]:
        query = {"channel": OPS, "user": ADA, **({"thread_ts": thread_ts} if thread_ts else {})}
        async with self._http.get(
            f"http://127.0.0.1:{self.port}/playground/messages", params=query
        ) as answer:
            return list((await answer.json())["messages"])

    async def find(self, words: str, thread_ts: str = "") -> Json:
        async def look() -> Json | None:
            return next((m for m in await self.messages(thread_ts) if words in str(m)), None)

        return await wait_for(look)


@pytest.fixture
async def house(tmp_path: Path) -> AsyncIterator[Serve]:
    async with aiohttp.ClientSession() as http:
        made = Serve(tmp_path, http)
        yield made
        await made.close()


async def test_killed_with_an_open_approval_and_started_again_the_old_button_works(house: Serve) -> None:
    first = await house.ready()
    launched = await house.act(
        "command", user=ADA, channel=OPS, command="/agent", text='launch sre "report on the disk"'
    )
    assert launched["ok"], launched
    card = await house.find("Waiting for an approval")
    question = await house.find("Approval needed", card["ts"])
    first.kill()
    assert await first.ended() == -9
    second = await house.ready()

    async def clicked() -> bool:
        clicked = await house.act(
            "action",
            user=ADA,
            channel=OPS,
            ts=question["ts"],
            action_id="call_approve_all",
            stale=True,
            message=question,
        )
        return bool(clicked["ok"])

    await wait_for(clicked)
    await house.find("*Done*", card["ts"])

    async def settled() -> bool:
        rows = await house.messages(card["ts"])
        return not any("call_approve" in buttons(row) for row in rows)

    await wait_for(settled)
    assert list((house.folder / "data" / "workspace").rglob("report.md"))
    second.terminate()
    assert await second.ended() == 0


async def test_a_second_one_on_the_same_folder_or_port_says_why_it_cannot_start(house: Serve) -> None:
    first = await house.ready()
    same_folder = house.start(PORT=str(free_port()))
    same_port = house.start(FLAGMAN_DATA=str(house.folder / "other"))
    assert await same_folder.ended() == 2
    assert "is in use by another Flagman" in same_folder.output
    assert await same_port.ended() == 2
    assert f"PORT: {house.port} is taken" in same_port.output
    for refused in (same_folder, same_port):
        assert "Traceback" not in refused.output
    assert first.code is None


async def test_without_its_server_it_stops_with_a_sentence(house: Serve) -> None:
    first = await house.ready()
    server = int((house.folder / "data" / "valkey" / "server.lock").read_text())
    os.kill(server, signal.SIGKILL)
    assert await first.ended() == 1
    assert "Flagman stops: The embedded server ended by signal 9; start Flagman again" in first.output
    assert "Traceback" not in first.output
    await house.ready()


async def test_told_to_stop_while_it_starts_it_stops(house: Serve) -> None:
    process = house.start(
        SLACK_BOT_TOKEN="xoxb-1",
        SLACK_APP_TOKEN="xapp-1",
        SLACK_API_URL=f"http://127.0.0.1:{free_port()}/api/",
    )
    await process.says("Slack cannot be reached yet")
    process.terminate()
    assert await process.ended() == 0
    assert "Traceback" not in process.output
