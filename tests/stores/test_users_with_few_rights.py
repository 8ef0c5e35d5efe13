"""A user with the rules in the documentation runs everything; doctor names what another one lacks."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from pydantic import SecretStr

from bot.doctor import _store
from bot.settings import Settings
from storage.clients.permissions import RULES, RULES_IN_A_CLUSTER
from tests.e2e.conftest import flagman, slack
from tests.e2e.test_the_whole_loop import test_a_launched_session_waits_for_approval_and_then_runs
from tests.e2e.test_waiting_in_slack import clock, test_a_timed_resume_goes_on_by_itself
from tests.support.store_servers import LOOPBACK, Cluster, Server, alone

__all__ = [
    "clock",
    "flagman",
    "slack",
    "test_a_launched_session_waits_for_approval_and_then_runs",
    "test_a_timed_resume_goes_on_by_itself",
]
PAGE = Path(__file__).parents[2] / "docs" / "stores.md"
USER = "on >of-the-user"
# Tests empty their store.
EMPTIES = "+flushall +flushdb"


@pytest.fixture(autouse=True)
def _partitions(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("FLAGMAN_PARTITIONS", "4")


@pytest.fixture(scope="module")
def server() -> Iterator[Server]:
    with alone() as made:
        made.ask("ACL SETUSER flagman", USER, RULES, EMPTIES)
        yield made


@pytest.fixture(scope="module")
def valkey_url(server: Server) -> str:
    return f"redis://flagman:of-the-user@{LOOPBACK}:{server.port}"


async def findings(url: str, folder: Path, **more: str) -> list[tuple[str, str, str, str]]:
    settings = Settings(redis_url=SecretStr(url), data=folder, **more)  # type: ignore[arg-type]
    return [(one.what, one.state, one.found, one.mend) async for one in _store(settings, unpark=False)]


def test_the_page_has_these_rules() -> None:
    text = PAGE.read_text(encoding="utf-8")
    assert RULES in text
    assert RULES_IN_A_CLUSTER.removeprefix(RULES).strip() in text


@pytest.mark.parametrize(
    ("taken", "lacks"),
    [
        ("-xclaim -xgroup", "+xgroup|create +xgroup|delconsumer +xclaim"),
        ("resetkeys ~flagman:{p1}:*", "~flagman:*"),
        ("-wait -time", "+time +wait"),
        ("-evalsha", "+evalsha"),
        ("resetchannels &flagman:*", "&flagman:{p*}:changed"),
    ],
)
async def test_doctor_names_what_a_user_lacks(server: Server, taken: str, lacks: str, tmp_path: Path) -> None:
    server.ask("ACL SETUSER few reset", USER, RULES, taken)
    (found,) = await findings(f"redis://few:of-the-user@{LOOPBACK}:{server.port}", tmp_path)
    assert found[:2] == ("Store's user", "wrong")
    assert set(lacks.split()) <= set(found[2].split())
    assert "docs/stores.md" in found[3]


async def test_doctor_says_which_kind_of_store_it_is(nodes: Cluster, server: Server, tmp_path: Path) -> None:
    for node in nodes.nodes:
        node.ask("ACL SETUSER flagman", USER, RULES_IN_A_CLUSTER)
    url = nodes.url.replace("://", "://flagman:of-the-user@")
    of_cluster = {what: (state, said) for what, state, said, _ in await findings(url, tmp_path)}
    assert "a cluster of 3 primaries" in of_cluster["Store"][1]
    assert of_cluster["Replicas"] == ("note", "a primary has 1 replica, and no append waits for them")
    assert of_cluster["Durability"] == ("note", "the store syncs to disk: off")
    alone = f"redis://{LOOPBACK}:{server.port}"
    found = {what: state for what, state, *_ in await findings(alone, tmp_path, wait_replicas="1")}
    assert found["Replicas"] == "wrong"
    server.ask("CONFIG SET maxmemory-policy allkeys-lru")
    try:
        found = {what: state for what, state, *_ in await findings(alone, tmp_path)}
        assert found["Eviction"] == "wrong"
        assert "Replicas" not in found
    finally:
        server.ask("CONFIG SET maxmemory-policy noeviction")
