"""The same programs against a Flagman in this process and against one over HTTP."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from datetime import timedelta
from pathlib import Path

import pytest
from pydantic import SecretStr
from redis.asyncio import Redis

from bot import sdk
from bot.settings import Settings
from supervisor.models import DemoGateway
from tests.cli.served import Served, served

Program = Callable[[], Awaitable[None]]
Around = Callable[[], AbstractAsyncContextManager[object]]


@pytest.fixture(scope="package")
def flagman(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    with served(tmp_path_factory.mktemp("served")) as running:
        yield running


@pytest.fixture(params=["in process", "over HTTP"])
async def around(
    request: pytest.FixtureRequest, redis: Redis, valkey_url: str, tmp_path: Path
) -> AsyncIterator[Around]:
    """`async with around():` and then the plain forms reach it."""
    if request.param == "over HTTP":
        running: Served = request.getfixturevalue("flagman")
        yield lambda: sdk.connect(running.url, running.key)
        return

    @asynccontextmanager
    async def here() -> AsyncIterator[object]:
        settings = Settings(redis_url=SecretStr(valkey_url), data=tmp_path, secret_key=SecretStr("s" * 32))
        async with sdk.in_process(settings, gateway=DemoGateway(delay=timedelta()), name="tester") as backend:
            yield backend

    yield here
