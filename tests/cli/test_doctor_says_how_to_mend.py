"""Doctor looks at everything, and its exit code says whether something is wrong."""

from __future__ import annotations

import asyncio
import json
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from redis.asyncio import Redis

from storage.keys import partition_of
from storage.partitions import Partitions
from storage.queue import SessionQueue
from tests.cli.served import Cli, environment
from tests.support.scenario import write_persona
from tests.support.slack import ADA, APP_TOKEN, BOT_TOKEN, OPS, Slack


def findings(cli: Cli, *words: str, code: int = 0, **more: Any) -> dict[str, dict[str, Any]]:
    rows = json.loads(cli("doctor", "--json", *words, code=code, **more).stdout)
    assert all(row["mend"] for row in rows if row["state"] == "wrong")
    return {row["what"]: row for row in rows}


def test_a_running_flagman_is_well(cli: Cli) -> None:
    rows = findings(cli)
    assert {row["state"] for row in rows.values()} <= {"ok", "note"}
    assert "in use by a running Flagman" in rows["Store"]["found"]
    assert "(admin)" in rows["Running Flagman"]["found"]
    assert rows["Model"]["state"] == "note"
    lines = cli("doctor").stdout.splitlines()
    assert len(lines) == len(rows)


def test_a_new_folder_is_well(tmp_path: Path) -> None:
    rows = findings(Cli(tmp_path))
    assert rows["Store"]["state"] == "note"
    assert "has not been started here yet" in rows["Store"]["found"]
    assert list(tmp_path.iterdir()) == []
    assert rows["Running Flagman"]["state"] == "note"
    assert rows["Webhooks"]["state"] == "note"
    assert "FLAGMAN_WEBHOOK_SECRET" in rows["Webhooks"]["mend"]


def test_personas_that_others_or_agents_can_write_are_told(tmp_path: Path) -> None:
    write_persona(tmp_path / "ours")
    (tmp_path / "ours" / "ops.md").chmod(0o646)
    rows = findings(Cli(tmp_path), code=1, FLAGMAN_PERSONAS="ours")
    assert rows["Personas"]["mend"] == f"chmod o-w {tmp_path}/ours/ops.md"
    (tmp_path / "ours" / "ops.md").chmod(0o644)
    rows = findings(Cli(tmp_path), code=1, FLAGMAN_PERSONAS="ours", FLAGMAN_WORKSPACE=".")
    assert "is in the workspace" in rows["Personas"]["found"]


@pytest.mark.parametrize(
    ("secret", "found"),
    [
        ("0123456789abcdef", "all share one secret"),
        ("ci=0123456789abcdef", "ci with secrets of their own; no others are taken"),
        ("ci=0123456789abcdef,0123456789abcdef", "ci with secrets of their own; all others share one secret"),
    ],
)
def test_hooks_with_secrets_of_their_own_are_told(tmp_path: Path, secret: str, found: str) -> None:
    rows = findings(Cli(tmp_path), FLAGMAN_WEBHOOK_SECRET=secret)
    assert (rows["Webhooks"]["state"], rows["Webhooks"]["found"]) == ("ok", found)


async def test_slack_that_accepts_and_slack_that_refuses(tmp_path: Path) -> None:
    async with Slack() as slack:
        right: dict[str, Any] = {
            "SLACK_API_URL": slack.api_url,
            "SLACK_BOT_TOKEN": BOT_TOKEN,
            "SLACK_APP_TOKEN": APP_TOKEN,
        }
        rows = await asyncio.to_thread(lambda: findings(Cli(tmp_path), **right))
        assert "flagman" in rows["Slack's bot token"]["found"]
        assert rows["Slack's way in"]["found"] == "Socket Mode"
        assert rows["Slack's clock"]["state"] == "ok"
        assert "read in #" in rows["Slack's threads"]["found"]
        assert rows["Names in personas"]["found"] == "no persona names anybody"
        wrong: dict[str, Any] = {**right, "SLACK_BOT_TOKEN": "xoxb-wrong", "SLACK_APP_TOKEN": "xapp-wrong"}
        rows = await asyncio.to_thread(lambda: findings(Cli(tmp_path), code=1, **wrong))
        assert "invalid_auth" in rows["Slack's bot token"]["found"]
        assert "SLACK_APP_TOKEN" in rows["Slack's way in"]["mend"]


@pytest.mark.parametrize(
    ("variables", "what", "said"),
    [
        ({"REDIS_URL": "redis://127.0.0.1:1"}, "Store", "cannot be reached"),
        ({"FLAGMAN_MODEL": "nobody:knows"}, "Model", "nobody"),
        ({"FLAGMAN_MODEL": "anthropic:claude-sonnet-4-5"}, "Model", "ANTHROPIC_API_KEY"),
        ({"FLAGMAN_DATA": "/dev/null/flagman"}, "Data folder", "cannot be written"),
        ({"PORT": "http"}, "Environment", "PORT"),
        ({"SLACK_BOT_TOKEN": "xoxb-1", "SLACK_APP_TOKEN": "xapp-1", "SLACK_API_URL": "http://127.0.0.1:1/"},
         "Slack's bot token", "cannot be reached"),
    ],
)  # fmt: skip
def test_what_is_wrong_is_named(tmp_path: Path, variables: dict[str, str], what: str, said: str) -> None:
    row = findings(Cli(tmp_path), code=1, **variables)[what]
    assert row["state"] == "wrong"
    assert said in row["found"]


def test_a_wrong_persona_is_named_by_file_and_line(tmp_path: Path) -> None:
    (tmp_path / "bad.md").write_text("---\nname: Bad Name\ndescription: x\n---\nDo.\n")
    row = findings(Cli(tmp_path), code=1, FLAGMAN_PERSONAS=str(tmp_path))["Personas"]
    assert "bad.md:2" in row["found"]


def test_a_key_that_others_can_read(tmp_path: Path) -> None:
    (tmp_path / ".flagman").mkdir()
    (tmp_path / ".flagman" / "secret_key").touch(mode=0o644)
    assert "chmod 600" in findings(Cli(tmp_path), code=1)["Key files"]["mend"]


@pytest.mark.parametrize("session_id", ["aaaa-bbbb", "aaaa-bbbb-3"])
async def test_sessions_that_cannot_go_on_are_told_and_tried_again(
    tmp_path: Path, redis: Redis, valkey_url: str, session_id: str
) -> None:
    queue, partition = SessionQueue(redis, redis, "ready"), partition_of(session_id)
    await Partitions(redis).record(partition)
    await queue.enqueue(session_id)
    await queue.open()
    [job] = await queue.take("c1", limit=1, block=timedelta(seconds=1))
    started = await queue.start(queue.lease(job))
    assert started
    await queue.retry(started.lease, wait=timedelta(hours=1), failed=False, trouble="failed 5 times")
    cli = Cli(tmp_path, environment(REDIS_URL=valkey_url))
    row = (await asyncio.to_thread(findings, cli, code=1))["Jobs"]
    assert f"Session {session_id}: failed" in row["found"]
    await asyncio.to_thread(findings, cli, "--unpark")
    assert len(await queue.take("c1", limit=1, block=timedelta(seconds=1))) == 1


@pytest.mark.parametrize(
    ("method", "code"),
    [("conversations.replies", "missing_scope"), ("conversations.list", "missing_scope"),
     ("conversations.history", "ekm_access_denied")],
)  # fmt: skip
async def test_threads_that_cannot_be_read(tmp_path: Path, method: str, code: str) -> None:
    async with Slack() as slack:
        await slack.post(ADA, OPS, "good morning")
        await slack.fault(method, error=code, times=9)
        given: dict[str, Any] = {
            "SLACK_API_URL": slack.api_url,
            "SLACK_BOT_TOKEN": BOT_TOKEN,
            "SLACK_APP_TOKEN": APP_TOKEN,
        }
        rows = await asyncio.to_thread(lambda: findings(Cli(tmp_path), code=1, **given))
        assert rows["Slack's threads"]["found"] == f"cannot be read ({code})"


async def test_groups_that_slack_does_not_know(tmp_path: Path) -> None:
    rule = {"tool": "shell", "mode": "ask", "approvers": {"groups": ["no-such-group"]}}
    write_persona(tmp_path / "personas", approvals=[rule])
    async with Slack() as slack:
        given: dict[str, Any] = {
            "SLACK_API_URL": slack.api_url,
            "SLACK_BOT_TOKEN": BOT_TOKEN,
            "SLACK_APP_TOKEN": APP_TOKEN,
            "FLAGMAN_PERSONAS": str(tmp_path / "personas"),
        }
        rows = await asyncio.to_thread(lambda: findings(Cli(tmp_path), code=1, **given))
        file = tmp_path / "personas" / "ops.md"
        line = next(n for n, text in enumerate(file.read_text().split("\n"), 1) if "no-such-group" in text)
        said = f"{file}:{line}: Slack knows no user group `no-such-group`"
        assert rows["Names in personas"]["found"] == said
        await slack.settings(usergroups_error="paid_teams_only")
        rows = await asyncio.to_thread(lambda: findings(Cli(tmp_path), code=1, **given))
        assert "plan has no user groups" in rows["Names in personas"]["found"]
        assert "name users" in rows["Names in personas"]["mend"]
