"""Real processes, a playground and a model on localhost, all to be killed at will."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from redis.asyncio import Redis

from tests.crash.house import House, Houses
from tests.support.process_pool import ProcessPool, process_pool


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    for item in items:
        if "tests/crash/" in item.nodeid:
            item.add_marker(pytest.mark.crash)


@pytest.fixture(name="process_pool")
def _process_pool() -> ProcessPool:
    return process_pool()


@pytest.fixture
def houses(process_pool: ProcessPool, redis: Redis, valkey_url: str, tmp_path: Path) -> Houses:
    """Several side by side, each on a database of its own."""
    return Houses(process_pool, valkey_url, tmp_path)


@pytest.fixture
async def house(houses: Houses) -> AsyncIterator[House]:
    async with houses.one() as made:
        yield made
