"""A playground and a Flagman for each scenario."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from datetime import timedelta
from pathlib import Path

import pytest
from redis.asyncio import Redis

from supervisor.models import DemoGateway
from tests.support.flagman import Flagman, settings
from tests.support.scenario import Director
from tests.support.slack import Slack


@pytest.fixture
async def slack() -> AsyncIterator[Slack]:
    async with Slack() as running:
        yield running


@pytest.fixture
async def flagman(slack: Slack, redis: Redis, valkey_url: str, tmp_path: Path) -> AsyncIterator[Flagman]:
    """One web and one worker with the scripted demo model."""
    config = settings(slack.api_url, valkey_url, tmp_path)
    async with Flagman(config, DemoGateway(delay=timedelta())) as running:
        yield running


@pytest.fixture
async def scenario(slack: Slack, redis: Redis, valkey_url: str, tmp_path: Path) -> AsyncIterator[Director]:
    """Sets up a Flagman with a scripted model and tools that count their runs."""
    async with AsyncExitStack() as stack:
        yield Director(slack, valkey_url, tmp_path, stack)
