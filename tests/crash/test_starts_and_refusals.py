"""What keeps a process from starting is said in one sentence; what only is late is waited for."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest

from tests.crash.house import House
from tests.support.ports import free_port
from tests.support.slack import Slack

REFUSED = [
    ("PORT", {"PORT": "http"}),
    ("PORT", {"PORT": "0"}),
    ("FLAGMAN_MODEL", {"FLAGMAN_MODEL": "gpt"}),
    ("FLAGMAN_MODEL", {"FLAGMAN_MODEL": "no-such-provider:gpt"}),
    ("OPENAI_API_KEY", {"OPENAI_API_KEY": ""}),
    ("FLAGMAN_LEASE_SECONDS", {"FLAGMAN_LEASE_SECONDS": "0"}),
    ("FLAGMAN_GRACE_SECONDS", {"FLAGMAN_GRACE_SECONDS": "long"}),
    ("FLAGMAN_SLOTS", {"FLAGMAN_SLOTS": "-1"}),
    ("FLAGMAN_PARTITIONS", {"FLAGMAN_PARTITIONS": "0"}),
    ("FLAGMAN_PARTITIONS", {"FLAGMAN_PARTITIONS": "257"}),
    ("FLAGMAN_COMMAND", {"FLAGMAN_COMMAND": "agent"}),
    ("FLAGMAN_PERSONAS", {"FLAGMAN_PERSONAS": "/no/such/folder"}),
    ("FLAGMAN_WORKSPACE", {"FLAGMAN_WORKSPACE": "/dev/null/work"}),
    ("FLAGMAN_DATA", {"FLAGMAN_DATA": "/dev/null/data", "REDIS_URL": ""}),
    ("SLACK_API_URL", {"SLACK_API_URL": "slack.com"}),
    ("SLACK_APP_TOKEN", {"SLACK_APP_TOKEN": ""}),
    ("SLACK_BOT_TOKEN", {"SLACK_BOT_TOKEN": ""}),
    ("SLACK_BOT_TOKEN", {"SLACK_BOT_TOKEN": "xoxb-of-somebody-else"}),
    ("REDIS_URL", {"REDIS_URL": "localhost:6379"}),
    ("REDIS_URL", {"REDIS_URL": f"redis://127.0.0.1:{free_port()}/0"}),
]


async def test_a_wrong_value_stops_the_start_with_a_sentence_that_names_it(house: House) -> None:
    started = [(name, wrong, house.start("worker", **wrong)) for name, wrong in REFUSED]
    wrong_app = {"SLACK_APP_TOKEN": "xapp-of-somebody-else"}
    started.append(("SLACK_APP_TOKEN", wrong_app, house.start("web", **wrong_app)))
    wrong_bot = {"SLACK_BOT_TOKEN": "xoxb-of-somebody-else"}
    started.append(("SLACK_BOT_TOKEN", wrong_bot, house.start("web", **wrong_bot)))
    started.append(("FLAGMAN_HOST", {}, house.start("web", FLAGMAN_HOST="192.0.2.1")))
    for name, wrong, process in started:
        code = await process.ended()
        said = process.output.strip().splitlines()[-1]
        assert (code, name in said, said.startswith("Flagman cannot start: ")) == (2, True, True), (
            wrong,
            process.output,
        )
        assert "Traceback" not in process.output


@pytest.mark.parametrize("how", ["nobody listens", "answers 503"])
async def test_while_slack_is_down_processes_wait_and_then_connect(
    house: House, tmp_path: Path, how: str
) -> None:
    port = free_port()
    if how == "nobody listens":
        environment = {"SLACK_API_URL": f"http://127.0.0.1:{port}/api/"}
    else:
        environment = {}
        for _ in range(3):
            await house.slack.fault("auth.test", status=503)
        await house.slack.fault("apps.connections.open", status=503)
    web, worker = house.start("web", **environment), house.start("worker", **environment)
    await asyncio.gather(
        web.says("Slack cannot be reached yet"),
        worker.says("worker: at work"),
    )
    if how == "nobody listens":
        async with Slack(tmp_path / "late", port=port) as slack:
            await web.says("web: listening", 20)
            await slack.connected()
    else:
        await web.says("web: listening", 20)
        await house.slack.connected()
    assert (web.code, worker.code) == (None, None)
