"""A playground for each test."""

from collections.abc import AsyncIterator

import pytest
from slack_sdk.web.async_client import AsyncWebClient

from tests.support.slack import ALL_SCOPES, BOT_TOKEN, Slack


@pytest.fixture
async def slack() -> AsyncIterator[Slack]:
    """In memory, with nobody connected."""
    async with Slack(manifest=ALL_SCOPES) as running:
        yield running


@pytest.fixture
def client(slack: Slack) -> AsyncWebClient:
    """Slack's own client, as the bot."""
    return AsyncWebClient(token=BOT_TOKEN, base_url=slack.api_url)
