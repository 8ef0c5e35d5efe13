"""Each session has its file, as soon as it rests or ends, and soon enough while it runs."""

from __future__ import annotations

import asyncio
import logging
import os
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from pydantic import SecretStr
from redis.asyncio import Redis

import supervisor.session_log.writer
from bot.compose import Core, core
from bot.resume_hints import hints_of
from bot.settings import Settings
from supervisor.core.events import Actor
from supervisor.session_log.directory import LogFolder
from supervisor.session_log.verify import VerifiedLog, verify
from tests.session_log.written import KEY
from tests.support.slack import wait_for

WHO = Actor(id="cli:ada", name="ada")


@pytest.fixture(autouse=True)
def _soon(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(supervisor.session_log.writer, "CATCH_UP_AFTER", 0.0)
    monkeypatch.setattr(supervisor.session_log.writer, "CATCH_UP_PAUSE", 0.01)
    monkeypatch.setattr(supervisor.session_log.writer, "RETRY", 0.2)


@pytest.fixture
async def parts(redis: Redis, valkey_url: str, tmp_path: Path) -> AsyncIterator[Core]:
    settings = Settings(redis_url=SecretStr(valkey_url), secret_key=SecretStr(KEY), data=tmp_path)
    async with core(settings) as running:
        yield running


def file_of(parts: Core, session_id: str) -> Path:
    return parts.settings.data / "logs" / f"{session_id}.md"


async def written(parts: Core, session_id: str, events: int, within: float = 60.0) -> VerifiedLog:
    """The verified file, once it tells of so many events."""

    def look() -> VerifiedLog | None:
        path = file_of(parts, session_id)
        found = verify(path.read_bytes(), [KEY], hints_of) if path.exists() else None
        return found if found and len(found.events) == events else None

    return await wait_for(look, within)


async def listening(parts: Core) -> None:
    """Somebody listens to the feed."""

    async def look() -> bool:
        return bool(await parts.redis.pubsub_numpat())

    await wait_for(look)


async def test_a_session_is_written_as_it_goes(parts: Core, monkeypatch: pytest.MonkeyPatch) -> None:
    saved: list[int] = []
    save = LogFolder.save

    def spied(folder: LogFolder, session_id: str, text: str, events: int) -> None:
        saved.append(events)
        save(folder, session_id, text, events)

    monkeypatch.setattr(LogFolder, "save", spied)
    monkeypatch.setattr(supervisor.session_log.writer, "CATCH_UP_AFTER", 3600.0)
    async with parts.recorder():
        await listening(parts)
        session = await parts.supervisor.launch("sre", "look", WHO)
        await written(parts, session.id, 1)
        monkeypatch.setattr(supervisor.session_log.writer, "EVERY", 0.1)
        await parts.supervisor.tell(session.id, "mind the gap", WHO, kind="api")
        await written(parts, session.id, 2)
        # From here on it is not due again while it runs; when it rests or ends, it is written at once.
        monkeypatch.setattr(supervisor.session_log.writer, "EVERY", 3600.0)
        await parts.supervisor.tell(session.id, "and the step", WHO, kind="api")
        await parts.supervisor.pause(session.id, WHO, detail="lunch")
        found = await written(parts, session.id, 4)
        await parts.supervisor.cancel(session.id, WHO)
        ended = await written(parts, session.id, 5)
    assert set(saved) == {1, 2, 4, 5}
    assert found.session.status == "paused"
    assert ended.session.lifecycle == "cancelled"
    assert (file_of(parts, session.id).stat().st_mode & 0o777) == 0o600


async def test_what_changed_while_nobody_wrote_is_caught_up(parts: Core) -> None:
    paused = [await parts.supervisor.launch("sre", f"look {n}", WHO) for n in range(30)]
    for session in paused:
        await parts.supervisor.pause(session.id, WHO)
    async with parts.recorder():
        for session in paused:
            await written(parts, session.id, 2)
        stamps = {s.id: file_of(parts, s.id).stat().st_mtime_ns for s in paused}
    await parts.supervisor.resume(paused[3].id, WHO)
    async with parts.recorder():
        await written(parts, paused[3].id, 3)
        await asyncio.sleep(0.3)
    changed = [s.id for s in paused if file_of(parts, s.id).stat().st_mtime_ns != stamps[s.id]]
    assert changed == [paused[3].id], "only what is behind is written"


async def test_what_changed_last_is_written_at_the_end(parts: Core) -> None:
    async with parts.recorder():
        await listening(parts)
        session = await parts.supervisor.launch("sre", "look", WHO)
        await written(parts, session.id, 1)
        await parts.supervisor.tell(session.id, "and then", WHO, kind="api")
        await asyncio.sleep(0.4)
    assert len(verify(file_of(parts, session.id).read_bytes(), [KEY], hints_of).events) == 2


async def test_a_folder_that_cannot_be_written_is_a_warning_and_tried_again(
    parts: Core, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.WARNING, "flagman.recorder")
    logs = parts.settings.data / "logs"
    async with parts.recorder():
        await listening(parts)
        first = await parts.supervisor.launch("sre", "look", WHO)
        await written(parts, first.id, 1)
        # Root may write anywhere; a file in place of the folder stops everybody.
        logs.rename(logs.with_name("elsewhere"))
        logs.write_text("in the way")
        second = await parts.supervisor.launch("sre", "look again", WHO)
        await wait_for(lambda: "cannot be written" in caplog.text)
        assert (await parts.supervisor.pause(second.id, WHO)).status == "paused"
        logs.unlink()
        logs.with_name("elsewhere").rename(logs)
        await written(parts, second.id, 2)
    assert caplog.text.count("SESSION_LOGs: ") == 1


async def test_one_process_writes_to_a_folder_and_another_takes_over(parts: Core) -> None:
    folder = LogFolder(parts.settings.data / "logs")
    assert folder.own()
    async with parts.recorder():
        session = await parts.supervisor.launch("sre", "look", WHO)
        await asyncio.sleep(0.5)
        assert not file_of(parts, session.id).exists()
        folder.release()
        await written(parts, session.id, 1)


def test_a_file_that_tells_more_than_the_store_is_kept(tmp_path: Path) -> None:
    folder = LogFolder(tmp_path)
    folder.save("ab12-cd34", "---\nevents: 9\n---\nmore\n", 9)
    folder.save("ab12-cd34", "---\nevents: 4\n---\nless\n", 4)
    assert folder.events_in("ab12-cd34") == 4
    assert sorted(p.name for p in tmp_path.iterdir()) == ["ab12-cd34.9.md", "ab12-cd34.md"]
    assert "more" in (tmp_path / "ab12-cd34.9.md").read_text()


def test_a_file_is_whole_or_not_there(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = LogFolder(tmp_path)
    folder.save("ab12-cd34", "---\nevents: 1\n---\n", 1)

    def full(_: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(OSError, match="No space left"):
        folder.save("ab12-cd34", "---\nevents: 2\n---\n", 2)
    assert folder.events_in("ab12-cd34") == 1
    assert [p.name for p in tmp_path.iterdir()] == ["ab12-cd34.md"]


async def test_writing_files_writes_nothing_to_the_store(parts: Core, redis: Redis) -> None:
    session = await parts.supervisor.launch("sre", "look", WHO)
    await parts.supervisor.pause(session.id, WHO)
    before = {key: await redis.dump(key) for key in await redis.keys("*")}
    async with parts.recorder():
        await written(parts, session.id, 2)
    assert {key: await redis.dump(key) for key in await redis.keys("*")} == before
