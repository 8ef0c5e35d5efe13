"""A playground and a Flagman for each scenario, and all that its store holds."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from pathlib import Path

import pytest
from redis.asyncio import Redis

from tests.support.scenario import Director
from tests.support.slack import Slack


@pytest.fixture
async def scenario(redis: Redis, valkey_url: str, tmp_path: Path) -> AsyncIterator[Director]:
    """Sets up a Flagman with a scripted model and tools that count their runs."""
    async with AsyncExitStack() as stack:
        slack = await stack.enter_async_context(Slack())
        yield Director(slack, valkey_url, tmp_path, stack)
