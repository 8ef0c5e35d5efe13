"""`Session.load_from_log`: the session of a file, brought back where it is lost; in process and over HTTP."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import timedelta
from pathlib import Path

import pytest
from pydantic import SecretStr
from redis.asyncio import Redis

from bot import sdk
from bot.sdk import Agent, Session
from bot.settings import Settings
from storage import keys
from supervisor.core.errors import FlagmanError, VerificationError
from supervisor.models import DemoGateway
from tests.cli.served import Served
from tests.sdk.conftest import Around


@pytest.fixture
def logs(request: pytest.FixtureRequest, around: Around, tmp_path: Path) -> Path:
    """Where whoever is around writes them."""
    if request.node.callspec.params["around"] == "in process":
        return tmp_path / "logs"
    flagman: Served = request.getfixturevalue("flagman")
    return flagman.folder / ".flagman" / "logs"


async def waiting(logs: Path) -> tuple[Session, Path]:
    """A session that waits for approvals, and its file, once it says so."""
    session = await Agent("sre").start("report on the disk")
    await session.wait(timeout=60)
    path = logs / f"{session.id}.md"
    async with asyncio.timeout(60):
        while not (path.exists() and "waiting_for: human" in path.read_text()):
            await asyncio.sleep(0.05)
    return session, path


async def test_one_that_is_there_is_loaded(around: Around, logs: Path) -> None:
    async with around():
        session, path = await waiting(logs)
        again = await Session.load_from_log(path)
        assert (again.id, again.status) == (session.id, "paused")
        await again.cancel()


async def test_a_file_that_is_not_as_it_was_written_is_refused(
    around: Around, logs: Path, tmp_path: Path
) -> None:
    altered = tmp_path / "altered.md"
    async with around():
        session, path = await waiting(logs)
        altered.write_text(path.read_text().replace("on the disk", "on my disk", 1))
        with pytest.raises(VerificationError, match="Changed text: line"):
            await Session.load_from_log(str(altered))
        altered.write_text("a shopping list")
        with pytest.raises(FlagmanError, match="not the beginning of a SESSION_LOG"):
            await Session.load_from_log(altered)
        with pytest.raises(FileNotFoundError):
            await Session.load_from_log(tmp_path / "nowhere.md")
        await session.cancel()


@asynccontextmanager
async def opened(valkey_url: str, data: Path) -> AsyncIterator[None]:
    settings = Settings(redis_url=SecretStr(valkey_url), data=data, secret_key=SecretStr("s" * 32))
    async with sdk.in_process(settings, gateway=DemoGateway(delay=timedelta()), name="tester"):
        yield


async def test_one_that_is_lost_comes_back_and_goes_on(redis: Redis, valkey_url: str, tmp_path: Path) -> None:
    async with opened(valkey_url, tmp_path):
        session, path = await waiting(tmp_path / "logs")
    await redis.flushall()
    async with opened(valkey_url, tmp_path):
        back = await Session.load_from_log(path)
        assert (back.id, back.waiting_for) == (session.id, "human_approval_required")
        await back.approve()
        await back.wait(timeout=60, until="ended")
        assert back.status == "completed"
    assert await redis.llen(keys.log(session.id)) > 5
