"""Secrets by name: set through a running Flagman, encrypted in the store, given to servers, and shown to nobody."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

import pytest
from redis.asyncio import Redis

from storage import keys
from storage.rows import RowStore
from supervisor.core.errors import InvalidInput
from supervisor.mcp.secrets import Secrets
from tests.cli.served import Cli, served
from tests.mcp.hosted import Hosted, described
from tests.support.scenario import APPROVE, Director
from tests.support.scripted import calls, in_turn, results, says
from tests.support.slack import ADA, OPS

VALUE = "ghx-9876543210fedcba"
KEY, NEW_KEY = "a-key-for-tests-only-0123456789abcdef", "another-key-for-tests-0123456789abcdef"


def secrets_of(redis: Redis, *secret_keys: str) -> Secrets:
    return Secrets(RowStore(redis, keys.secrets()), secret_keys, lambda: datetime.now(UTC))


async def test_they_are_encrypted_and_survive_a_rotation_of_the_key(redis: Redis) -> None:
    await secrets_of(redis, KEY).set("github", VALUE, "api:boss")
    stored = await RowStore(redis, keys.secrets()).get("github")
    assert stored
    assert VALUE.encode() not in stored
    rotated = secrets_of(redis, NEW_KEY, KEY)
    assert await rotated.get("github") == VALUE
    with pytest.raises(InvalidInput, match="cannot be decrypted"):
        await secrets_of(redis, NEW_KEY).get("github")
    await rotated.remove("github")
    with pytest.raises(InvalidInput, match="`flagman secrets set github` sets it"):
        await rotated.get("github")
    with pytest.raises(InvalidInput, match="The name of a secret"):
        await rotated.set("a b", VALUE, "api:boss")


async def test_a_server_gets_one_and_what_it_says_of_it_is_masked(
    scenario: Director, hosted: Hosted, redis: Redis
) -> None:
    hosted.offers(described("environment"))
    hosted.more = {"env": {"TOKEN": "${secret:github}"}}
    await secrets_of(redis, KEY).set("github", VALUE, "api:boss")
    persona = {"tools": ["host__*"], "mcp_servers": ["host"]}
    scene = await scenario(
        in_turn(calls(("host__environment", {"to": "x"})), says("Done.")), persona=persona, mcp=hosted.file()
    )
    session = await scene.launch()
    (ask,) = await scene.asked(session)
    await scene.slack.click(ADA, OPS, ask["ts"], APPROVE)
    await scene.ended(session)
    (told,) = results(scene.model.requests[-1])
    assert '"TOKEN": "[masked]"' in told
    assert VALUE not in told


async def test_a_server_without_its_secret_pauses_the_session_with_the_way_out(
    scenario: Director, hosted: Hosted, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("supervisor.mcp.servers.PATIENCE", 0.0)
    hosted.more = {"env": {"TOKEN": "${secret:github}"}}
    persona = {"tools": ["host__*"], "mcp_servers": ["host"]}
    scene = await scenario(in_turn(says("Done.")), persona=persona, mcp=hosted.file())
    session = await scene.launch()
    paused = await scene.flagman.session(lambda s: s.pause, session.id)
    assert "`flagman secrets set github` sets it" in paused.halts[-1].detail


def test_the_command_sets_lists_and_removes_and_never_shows_the_value(tmp_path: Path) -> None:
    with served(tmp_path) as running:
        cli: Cli = running.cli
        assert "is set" in cli("secrets", "set", "github", given=VALUE).stdout
        (row,) = cli.json("secrets", "list")
        assert row["name"] == "github"
        assert VALUE not in str(row)
        cli("secrets", "remove", "github")
        assert cli.json("secrets", "list") == []
        assert "There is no secret `github`" in cli("secrets", "remove", "github", code=1).stderr
