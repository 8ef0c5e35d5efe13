"""`flagman gc` beside a running Flagman, and the request that it makes."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from pathlib import Path

import pytest
from pydantic import SecretStr
from redis.asyncio import Redis

from bot.compose import core
from bot.settings import Settings
from supervisor.core.events import Actor
from tests.cli.served import Cli, Served, environment, served, until


@pytest.fixture(scope="module")
def flagman(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    with served(tmp_path_factory.mktemp("served")) as running:
        yield running


def ended(cli: Cli) -> str:
    session_id = cli.launched()
    cli("cancel", session_id)
    until(lambda: cli.json("show", session_id)["status"] == "cancelled")
    return session_id


def test_what_would_go_what_goes_and_how_it_comes_back(flagman: Served) -> None:
    cli = flagman.cli
    first, open_ = ended(cli), cli.launched()
    assert "FLAGMAN_KEEP is not set, so say how old" in cli("gc", code=1).stderr
    assert "is no duration" in cli("gc", "--older-than", "soon", code=1).stderr
    assert cli("gc", "--older-than", "30d").stdout == "No session to archive.\n"
    until(lambda: cli.json("gc", "--older-than", "1s", "--dry-run")["archived"] == [first])
    said = cli("gc", "--older-than", "1s", "--dry-run").stdout
    assert said.splitlines() == [first, "1 session would be archived."]
    assert cli.json("show", first)["status"] == "cancelled"

    def archived() -> bool:
        return "1 session archived in FLAGMAN_DATA/archive." in cli("gc", "--older-than", "1s").stdout

    until(archived)
    (file,) = (flagman.folder / ".flagman" / "archive").rglob("*.md")
    where = file.relative_to(flagman.folder / ".flagman")
    for words in ("show", "log"):
        assert f"was archived as {where} in FLAGMAN_DATA" in cli(words, first, code=1).stderr
    assert [row["id"] for row in cli.json("list")] == [open_]
    archived_now = "Archived: 1 session in FLAGMAN_DATA/archive; `flagman show ID` says where.\n"
    assert cli("list").stderr == archived_now
    assert "is back" in cli("restore", str(file)).stdout
    assert cli.json("show", first)["status"] == "cancelled"


async def test_with_a_store_of_its_own_nothing_needs_to_run(
    redis: Redis, valkey_url: str, tmp_path: Path
) -> None:
    key, ada = "a-key-for-tests-only-0123456789abcdef", Actor(id="slack:U0ADA0001")
    settings = Settings(redis_url=SecretStr(valkey_url), secret_key=SecretStr(key), data=tmp_path / "web")
    async with core(settings) as parts:
        session = await parts.supervisor.launch("sre", "look", ada)
        await parts.supervisor.cancel(session.id, ada)
        cli = Cli(tmp_path, environment(REDIS_URL=valkey_url))
        refused = await asyncio.to_thread(cli, "gc", "--older-than", "1s", code=1)
        assert "FLAGMAN_SECRET_KEY: needed together with REDIS_URL" in refused.stderr
        cli = Cli(tmp_path, environment(REDIS_URL=valkey_url, FLAGMAN_SECRET_KEY=key))

        def archived() -> bool:
            return bool(cli.json("gc", "--older-than", "1s")["archived"] == [session.id])

        await asyncio.to_thread(until, archived)
        assert await parts.log.length(session.id) == 0
    assert len(list((tmp_path / ".flagman" / "archive").rglob("*.md"))) == 1
