"""Fixtures for all tests: one real server for the run, emptied before each test."""

from __future__ import annotations

import asyncio
import gc
import os
import threading
from collections.abc import AsyncIterator, Iterator
from datetime import timedelta
from functools import lru_cache
from pathlib import Path
from queue import Queue
from tempfile import TemporaryDirectory

import pytest
from hypothesis import settings
from redis.asyncio import Redis

from handlers.projection import turns
from storage.connection import connect
from storage.embedded_server import embedded_server
from supervisor.personas.frontmatter import FrontMatter
from supervisor.runtime import worker
from supervisor.tools import builtin
from tests.support.store_servers import emptied

# The same examples in each run; `--hypothesis-profile search` draws others and remembers those that fail.
settings.register_profile("search", deadline=None)
settings.register_profile("suite", deadline=None, derandomize=True, database=None)
settings.load_profile("suite")


def pytest_collection_finish() -> None:
    """What was imported and collected stays until the end; no later collection of garbage looks at it again."""
    gc.collect()
    gc.freeze()
    gc.set_threshold(20_000, 20, 20)


@pytest.fixture(scope="session")
def valkey_url(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The URL of a running server: `FLAGMAN_TEST_REDIS_URL` (it will be emptied!), or an embedded one."""
    given = os.environ.get("FLAGMAN_TEST_REDIS_URL")
    if given:
        yield given
        return
    started: Queue[str | BaseException] = Queue()
    end = threading.Event()

    async def serve(folder: Path) -> None:
        try:
            async with embedded_server(folder, password="") as url:
                started.put(url)
                await asyncio.to_thread(end.wait)
        except BaseException as error:
            started.put(error)
            raise

    # In memory where the system has a place for that: it writes each append through to its disk, which may be busy.
    memory = "/dev/shm" if os.access("/dev/shm", os.W_OK) else tmp_path_factory.mktemp("valkey")
    with TemporaryDirectory(prefix="flagman-", dir=memory) as folder:
        # A thread of its own: the server must outlive the event loop of each test.
        thread = threading.Thread(target=asyncio.run, args=[serve(Path(folder))])
        thread.start()
        url = started.get()
        if isinstance(url, BaseException):
            raise url
        yield url
        end.set()
        thread.join()


@pytest.fixture(scope="session", autouse=True)
def _made_once() -> Iterator[None]:
    """Each persona file is parsed once, and each tool is made once, for all tests of the run."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(FrontMatter, "split", lru_cache(FrontMatter.split))
        for make in ("http_tool", "shell_tool"):
            patch.setattr(builtin, make, lru_cache(getattr(builtin, make)))
        yield


@pytest.fixture(autouse=True)
def _prompt_ends(monkeypatch: pytest.MonkeyPatch) -> None:
    """A worker that stops waits for its last read to come back, which is up to a second otherwise."""
    monkeypatch.setattr(worker, "BLOCK", timedelta(milliseconds=50))


@pytest.fixture(autouse=True)
def _time_limits_of_a_slow_machine(monkeypatch: pytest.MonkeyPatch) -> None:
    """What Slack gives three seconds is given a minute; a test of a limit sets its own."""
    for limit in ("middleware.LIMIT_SECONDS", "users.NAME_SECONDS", "users.GROUP_SECONDS"):
        monkeypatch.setattr(f"handlers.{limit}", 60.0)
    monkeypatch.setattr("storage.connection.CONNECT_SECONDS", 30.0)


@pytest.fixture(autouse=True)
def _rates_of_a_fast_slack(monkeypatch: pytest.MonkeyPatch) -> None:
    """Turns come twenty times as fast; a test of the rates sets its own."""
    for name in ("POSTS", "UPDATES"):
        rate = getattr(turns, name)
        monkeypatch.setattr(turns, name, rate._replace(interval=rate.interval / 20))


@pytest.fixture(params=[1, 4], ids=["1-partition", "4-partitions"])
def partitions(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> int:
    """How many partitions a Flagman has that is set up in this test; a module of core stories uses it throughout."""
    monkeypatch.setenv("FLAGMAN_PARTITIONS", str(request.param))
    return int(request.param)


@pytest.fixture
async def redis(valkey_url: str) -> AsyncIterator[Redis]:
    """A client of an empty server."""
    client = connect(valkey_url)
    await emptied(client, all_databases=True)
    yield client
    await client.aclose()
