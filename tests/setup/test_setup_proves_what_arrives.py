"""`flagman setup` takes the tokens, proves scopes and events, and names what is missing."""

from __future__ import annotations

import asyncio
import json
import stat
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest
import yaml

from bot.install.manifest import manifest_text, scopes
from bot.playground.seed import SCOPES, Manifest
from bot.setup.app import link_of, manifest_for, read_variables, write_variables
from bot.setup.checks import OPTIONAL, WITHOUT
from tests.cli.served import Cli, environment
from tests.cli.terminal import Terminal
from tests.support.slack import ADA, APP_TOKEN, BOT_TOKEN, OPS, Slack, buttons

TOKENS = {"SLACK_BOT_TOKEN": BOT_TOKEN, "SLACK_APP_TOKEN": APP_TOKEN}


def rows(said: str) -> dict[str, dict[str, Any]]:
    return {row["what"]: row for row in json.loads(said)}


def test_each_scope_says_what_does_not_work_without_it() -> None:
    assert set(WITHOUT) == set(scopes())
    assert set(WITHOUT) > OPTIONAL


def test_the_link_creates_the_app_from_the_manifest() -> None:
    (given,) = parse_qs(urlsplit(link_of(manifest_for("/agent", ""))).query)["manifest_json"]
    assert yaml.safe_load(given) == yaml.safe_load(manifest_text())
    over_http = yaml.safe_load(manifest_for("/bot", "https://flagman.example.com/"))
    address = "https://flagman.example.com/slack/events"
    assert over_http["settings"]["event_subscriptions"]["request_url"] == address
    assert over_http["features"]["slash_commands"][0]["url"] == address
    assert over_http["features"]["slash_commands"][0]["command"] == "/bot"
    assert over_http["oauth_config"]["redirect_urls"] == ["https://flagman.example.com/slack/oauth_redirect"]


def test_the_file_keeps_its_other_lines_and_is_for_its_owner(tmp_path: Path) -> None:
    file = tmp_path / ".env"
    file.write_text("# mine\nFLAGMAN_MODEL=demo:x\nexport SLACK_BOT_TOKEN=old\n")
    file.chmod(0o644)
    write_variables(file, {"SLACK_BOT_TOKEN": "xoxb-new"})
    assert file.read_text() == "# mine\nFLAGMAN_MODEL=demo:x\nSLACK_BOT_TOKEN=xoxb-new\n"
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    assert read_variables(file)["SLACK_BOT_TOKEN"] == "xoxb-new"


@pytest.mark.parametrize("arrives", [True, False])
async def test_a_click_a_message_and_a_command_are_proven(tmp_path: Path, arrives: bool) -> None:
    async with Slack() as slack:
        cli = Cli(tmp_path, environment(SLACK_API_URL=slack.api_url, **TOKENS))
        words = ("setup", "--check", "--json", "--to", OPS, "--wait", "60" if arrives else "1")
        running = asyncio.create_task(asyncio.to_thread(cli, *words, code=None))
        if arrives:
            asked = await slack.message(OPS, lambda m: "setup_proof" in buttons(m))
            await slack.click(ADA, OPS, asked["ts"], "setup_proof")
            await slack.post(ADA, OPS, "hello", asked["ts"])
            await slack.command(ADA, OPS, "help")
        done = await running
        found = rows(done.stdout)
        wanted = "ok" if arrives else "wrong"
        assert done.returncode == (0 if arrives else 1)
        assert {found[what]["state"] for what in ("Clicks", "Events", "Slash command")} == {wanted}
        assert {found[w]["state"] for w in ("Slack's bot token", "Slack's scopes", "Slack's way in")} == {
            "ok"
        }
        if not arrives:
            assert "Interactivity" in found["Clicks"]["mend"]
        (message,) = [m for m in await slack.messages(OPS) if "setup" in str(m.get("text"))]
        assert "setup_proof" not in buttons(message)


async def test_what_is_missing_is_named_without_a_question(tmp_path: Path) -> None:
    manifest = Manifest(scopes=SCOPES - {"im:history", "files:read"})
    async with Slack(manifest=manifest) as slack:
        cli = Cli(tmp_path, environment(SLACK_API_URL=slack.api_url, SLACK_BOT_TOKEN=BOT_TOKEN))
        found = rows((await asyncio.to_thread(cli, "setup", "--check", "--json", code=1)).stdout)
        assert found["Slack's scopes"]["found"] == "missing: files:read, im:history"
        assert "without im:history direct messages are not heard" in found["Slack's scopes"]["mend"]
        assert "connections:write" in found["Slack's way in"]["mend"]
        mixed = environment(SLACK_API_URL=slack.api_url, SLACK_BOT_TOKEN="xapp-1")
        found = rows(
            (await asyncio.to_thread(Cli(tmp_path, mixed), "setup", "--check", "--json", code=1)).stdout
        )
        assert found["Slack's bot token"]["found"] == "it begins with xapp-, so it is an app-level token"
    refused = Cli(tmp_path)("setup", code=2)
    assert "needs a terminal" in refused.stderr


async def test_a_terminal_asks_for_tokens_and_writes_them_with_consent(tmp_path: Path) -> None:
    async with Slack() as slack:
        cli = Cli(tmp_path, environment(SLACK_API_URL=slack.api_url))
        await asyncio.to_thread(_walk, cli)
    written = read_variables(tmp_path / ".env")
    assert written == TOKENS
    assert stat.S_IMODE((tmp_path / ".env").stat().st_mode) == 0o600


def _walk(cli: Cli) -> None:
    terminal = Terminal(cli, "setup")
    terminal.says("manifest_json=")
    terminal.says("Press Enter when it is created")
    terminal.type("\r")
    for wrong, right, asked in (
        ("xapp-wrong", BOT_TOKEN, "SLACK_BOT_TOKEN"),
        ("xoxb-wrong", APP_TOKEN, "SLACK_APP_TOKEN"),
    ):
        # What is typed before the prompt ends in a space would be shown.
        terminal.says(f"{asked}: ")
        terminal.type(f"{wrong}\r")
        terminal.says(f"Enter it again, or nothing.\n{asked}: ")
        terminal.type(f"{right}\r")
    terminal.says("which only you may read?")
    assert BOT_TOKEN not in terminal.seen
    terminal.type("y\r")
    terminal.says("mode 0600")
    terminal.says("for a message with a button")
    terminal.type("\r")
    terminal.says("name one with --to")
    assert terminal.ended() == 0
