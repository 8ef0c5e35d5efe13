"""A Socket Mode address that went stale is replaced."""

from __future__ import annotations

from pathlib import Path

import pytest
from pydantic import SecretStr
from slack_bolt.async_app import AsyncApp
from slack_bolt.authorization import AuthorizeResult
from slack_sdk.web.async_client import AsyncWebClient

import bot.processes.slack
from bot.processes.slack import socket_mode
from tests.support.flagman import settings
from tests.support.slack import ADA, APP_TOKEN, BOT_TOKEN, OPS, Slack, wait_for


async def test_an_address_that_went_stale_is_replaced(
    slack: Slack, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(bot.processes.slack, "DEAF_SECONDS", 2.0)
    monkeypatch.setattr(bot.processes.slack, "LOOK_SECONDS", 0.1)
    heard: list[str] = []

    async def authorize(**_: object) -> AuthorizeResult:
        return AuthorizeResult(
            enterprise_id=None, team_id="T1", bot_token=BOT_TOKEN, bot_user_id="U0FLAGMAN1"
        )

    app = AsyncApp(client=AsyncWebClient(token=BOT_TOKEN, base_url=slack.api_url), authorize=authorize)

    @app.command("/agent")
    async def listen(ack: object, body: dict[str, str]) -> None:
        heard.append(body["text"])
        await ack("heard")  # type: ignore[operator]

    config = settings(slack.api_url, "redis://unused", tmp_path)
    config = config.model_copy(update={"slack_app_token": SecretStr(APP_TOKEN)})
    async with socket_mode(app, config, AsyncWebClient(base_url=slack.api_url)):
        assert (await slack.command(ADA, OPS, "first"))["ok"]
        # The next addresses are refused, as when a proxy keeps the connection until they are stale.
        await slack.settings(ticket_s=0)
        await slack.disconnect("drop")
        refused = len(await slack.calls("apps.connections.open"))

        async def asked_again() -> bool:
            return len(await slack.calls("apps.connections.open")) > refused + 1

        await wait_for(asked_again)
        await slack.settings(ticket_s=30)
        await slack.connected()
        assert (await slack.command(ADA, OPS, "second"))["ok"]
    assert heard == ["first", "second"]
