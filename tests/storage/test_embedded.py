"""The embedded server keeps what it acknowledged, belongs to one owner, and leaves nothing behind."""

from __future__ import annotations

import asyncio
import os
import signal
import subprocess
import sys
from datetime import timedelta
from pathlib import Path

import pytest
from redis.asyncio import Redis
from redis.exceptions import RedisError

from storage import embedded_server as embedded
from storage.connection import connect, reaching_store, wait_ready
from storage.embedded_server import EmbeddedServer, embedded_server
from storage.errors import DataFolderInUse, EmbeddedServerFailed, StoreUnavailable
from tests.storage.processes import alive, wait_until

OWNER = """
import asyncio, sys
from pathlib import Path
from storage.connection import connect
from storage.embedded_server import EmbeddedServer

async def main():
    server = EmbeddedServer(Path(sys.argv[1]), guard_mode=sys.argv[2])
    await server.start()
    client = connect(server.url)
    for number in range(100):
        await client.rpush("log", number)
    print(server.pid, flush=True)
    await asyncio.sleep(60)

asyncio.run(main())
"""


def start_owner(folder: Path, mode: str) -> tuple[subprocess.Popen[str], int]:
    owner = subprocess.Popen(
        [sys.executable, "-c", OWNER, str(folder), mode], stdout=subprocess.PIPE, text=True
    )
    assert owner.stdout is not None
    return owner, int(owner.stdout.readline())


async def items(url: str) -> list[bytes | str]:
    client = connect(url)
    try:
        return await client.lrange("log", 0, -1)
    finally:
        await client.aclose()


@pytest.mark.crash
async def test_data_survives_a_killed_server(tmp_path: Path) -> None:
    server = EmbeddedServer(tmp_path)
    await server.start()
    client = connect(server.url)
    await client.rpush("log", "one", "two")
    os.kill(server.pid, signal.SIGKILL)
    with pytest.raises(StoreUnavailable), reaching_store():
        await client.rpush("log", "three")
    await client.aclose()
    await server.stop()
    async with embedded_server(tmp_path) as url:
        assert await items(url) == [b"one", b"two"]


@pytest.mark.crash
@pytest.mark.parametrize("mode", ["pipe", *(["prctl"] if sys.platform == "linux" else [])])
async def test_server_ends_with_a_killed_owner_and_data_survives(tmp_path: Path, mode: str) -> None:
    owner, pid = start_owner(tmp_path, mode)
    assert alive(pid)
    owner.kill()
    owner.wait()
    await wait_until(lambda: not alive(pid), seconds=60)
    async with embedded_server(tmp_path) as url:
        assert len(await items(url)) == 100


@pytest.mark.crash
async def test_next_owner_waits_for_the_server_of_a_killed_one(tmp_path: Path) -> None:
    owner, pid = start_owner(tmp_path, "pipe")
    os.kill(pid, signal.SIGSTOP)
    owner.kill()
    owner.wait()
    next_owner = EmbeddedServer(tmp_path)
    starting = asyncio.create_task(next_owner.start())
    await asyncio.sleep(0.3)
    assert not starting.done()
    assert alive(pid)
    os.kill(pid, signal.SIGCONT)
    await starting
    assert not alive(pid)
    assert len(await items(next_owner.url)) == 100
    await next_owner.stop()


@pytest.mark.crash
async def test_a_former_server_that_hangs_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(embedded, "STOP_LIMIT", 0.3)
    owner, pid = start_owner(tmp_path, "pipe")
    os.kill(pid, signal.SIGSTOP)
    owner.kill()
    owner.wait()
    with pytest.raises(EmbeddedServerFailed, match="does not end"):
        await EmbeddedServer(tmp_path).start()
    os.kill(pid, signal.SIGKILL)
    await wait_until(lambda: not alive(pid), seconds=60)


async def test_second_owner_is_refused_with_a_sentence(tmp_path: Path) -> None:
    async with embedded_server(tmp_path) as url:
        with pytest.raises(DataFolderInUse, match=r"is in use by another Flagman; stop that one") as refusal:
            async with embedded_server(tmp_path):
                pass
        assert str(tmp_path) in str(refusal.value)
        assert await items(url) == []


async def test_clean_stop_leaves_no_process_and_frees_the_folder(tmp_path: Path) -> None:
    for _ in range(2):
        server = EmbeddedServer(tmp_path)
        await server.start()
        pid = server.pid
        assert alive(pid)
        await server.stop()
        assert not alive(pid)


@pytest.mark.parametrize(
    "name", ["with spaces", "ünïcode 'and' \"quotes\" \\n #1", "long-" * 40, "per%20cent?x=1"]
)
async def test_any_folder_name_works(tmp_path: Path, name: str) -> None:
    folder = tmp_path / name / "data"
    async with embedded_server(folder) as url:
        client = connect(url)
        await client.rpush("log", "x")
        await client.aclose()
    async with embedded_server(folder) as url:
        assert await items(url) == [b"x"]
    assert (folder / "valkey" / "appendonlydir").is_dir()


async def test_failed_start_shows_the_end_of_the_log(tmp_path: Path) -> None:
    folder = tmp_path / "valkey" / "appendonlydir"
    folder.mkdir(parents=True)
    (folder / "appendonly.aof.manifest").write_text("nonsense\n")
    with pytest.raises(EmbeddedServerFailed, match=r"ended while starting(?s:.)*manifest"):
        await EmbeddedServer(tmp_path).start()


async def test_settings_of_the_server(redis: Redis) -> None:
    wanted = {"appendfsync": "always", "appendonly": "yes", "save": "", "maxmemory-policy": "noeviction"}
    assert await redis.config_get(*wanted) == wanted
    assert await redis.client_getname() == b"flagman"


async def push_later(client: Redis) -> None:
    await asyncio.sleep(0.05)
    await client.rpush("queue", b"job")


async def test_blocking_read_waits_without_error(valkey_url: str, redis: Redis) -> None:
    reader = connect(valkey_url, blocking=True)
    popped, _ = await asyncio.gather(reader.blpop(["queue"], timeout=5), push_later(redis))
    assert popped is not None
    assert list(popped) == [b"queue", b"job"]
    await reader.aclose()


async def test_unreachable_store_is_named(tmp_path: Path) -> None:
    client = connect(f"unix://{tmp_path}/nobody.sock")
    with pytest.raises(StoreUnavailable, match="cannot be reached"):
        await wait_ready(client, timedelta(seconds=0.2))
    with pytest.raises(StoreUnavailable), reaching_store():
        await client.get("x")
    await client.aclose()


async def test_only_who_started_it_knows_its_password(tmp_path: Path) -> None:
    server = EmbeddedServer(tmp_path)
    await server.start()
    stranger = connect(f"unix://{tmp_path / 'valkey' / embedded.SOCKET}")
    with pytest.raises(RedisError, match="Authentication required"):
        await stranger.rpush("log", "planted")
    await stranger.aclose()
    # The store's answers do not tell it, nor what other processes can see of the server.
    seen = [Path(f"/proc/{server.pid}/{name}") for name in ("cmdline", "environ")]
    kept = [path for path in tmp_path.rglob("*") if path.is_file()]
    for path in [*kept, *(seen if sys.platform == "linux" else ())]:
        assert server.password.encode() not in path.read_bytes(), path
    await server.stop()
    async with embedded_server(tmp_path) as url:
        assert server.password not in url
        assert await items(url) == []
