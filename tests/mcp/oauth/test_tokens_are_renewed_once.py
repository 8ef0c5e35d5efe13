"""Tokens in the store: two workers renew them once, a rotated key still opens them, and a crash loses no claim."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from mcp.shared.auth import OAuthToken
from redis.asyncio import Redis

from storage import keys
from storage.rows import RowStore
from supervisor.connections.authorization_server import discover, exchange, register
from supervisor.connections.rows import Connection
from supervisor.connections.store import Connections
from supervisor.mcp.bearer import NoToken
from supervisor.mcp.config import OAuth, Server
from supervisor.tools.contract import ConnectionRequired
from tests.mcp.oauth.authority import Authority
from tests.mcp.oauth.browser import Browser

KEY, NEW_KEY = "a-key-for-tests-only-0123456789abcdef", "another-key-for-tests-0123456789abcdef"
PERSON, BACK = "slack:U0ADA0001", "http://127.0.0.1:9/oauth/callback"


class Clock:
    """The time, which a test moves on."""

    def __init__(self) -> None:
        self.ahead = timedelta()

    def __call__(self) -> datetime:
        return datetime.now(UTC) + self.ahead


def worker(redis: Redis, clock: Clock, *secret_keys: str) -> Connections:
    """The connections as one process has them."""
    return Connections(RowStore(redis, keys.connections()), secret_keys or (KEY,), clock)


async def connected(redis: Redis, notes: Authority, clock: Clock) -> Connection:
    """What a person has authorized, by the real way without the pages."""
    from urllib.parse import parse_qs, urlencode, urlsplit

    from mcp.client.auth import PKCEParameters

    server = Server(name="notes", url=f"{notes.url}/mcp", oauth=OAuth())
    endpoints = await discover(server)
    client, pkce = await register(server, endpoints, BACK), PKCEParameters.generate()
    asked = {"response_type": "code", "client_id": client.client_id, "redirect_uri": BACK, "state": "s"}
    asked |= {"code_challenge": pkce.code_challenge, "code_challenge_method": "S256", "scope": "notes"}
    asked |= {"resource": endpoints.resource}
    async with Browser() as browser:
        _, back = await browser.get(f"{endpoints.authorize}?{urlencode(asked)}")
    code = parse_qs(urlsplit(back).query)["code"][0]
    tokens = await exchange(endpoints, client, code, pkce.code_verifier, BACK, clock())
    return await worker(redis, clock).add("notes", PERSON, "T1", tokens, client, endpoints)


async def test_workers_that_race_renew_once_and_all_have_the_new_token(
    redis: Redis, notes: Authority
) -> None:
    clock = Clock()
    one = await connected(redis, notes, clock)
    first, second = worker(redis, clock), worker(redis, clock)
    about = {"authorization": one.id}
    old = await first.token("notes", PERSON, **about)
    clock.ahead = timedelta(hours=2)
    asked = (of.token("notes", PERSON, **about) for of in (first, second, first, second))
    found = set(await asyncio.gather(*asked))
    assert (len(found), notes.refreshes) == (1, 1)
    assert old not in found
    (new,) = found
    clock.ahead = timedelta()
    assert await second.token("notes", PERSON, **about, refused=old) == new, (
        "another one has renewed it by then"
    )
    assert notes.refreshes == 1


async def test_a_process_that_died_while_renewing_holds_nobody_up_for_long(
    redis: Redis, notes: Authority
) -> None:
    clock = Clock()
    one = await connected(redis, notes, clock)
    rows = RowStore(redis, keys.connections())
    until = datetime.now(UTC) + timedelta(hours=2, seconds=30)
    claimed = one.model_copy(update={"renewing": "dead", "renewing_until": until})
    await rows.put(one.row_id, claimed.model_dump_json().encode())
    clock.ahead = timedelta(hours=2)
    waiting = asyncio.create_task(worker(redis, clock).token("notes", PERSON, authorization=one.id))
    await asyncio.sleep(0)
    assert notes.refreshes == 0
    clock.ahead = timedelta(hours=3)
    await waiting
    assert notes.refreshes == 1


@dataclass
class Slow:
    """A token endpoint that has renewed, and answers once it may."""

    has_renewed: asyncio.Event = field(default_factory=asyncio.Event)
    may_answer: asyncio.Event = field(default_factory=asyncio.Event)


@pytest.fixture
def slow(notes: Authority, monkeypatch: pytest.MonkeyPatch) -> Slow:
    made, renew = Slow(), notes.exchange_refresh_token

    async def slowly(*about: Any) -> OAuthToken:
        tokens = await renew(*about)
        made.has_renewed.set()
        await made.may_answer.wait()
        return tokens

    monkeypatch.setattr(notes, "exchange_refresh_token", slowly)
    return made


async def test_a_call_that_is_interrupted_while_its_token_is_renewed_loses_no_token(
    redis: Redis, notes: Authority, slow: Slow
) -> None:
    clock = Clock()
    one = await connected(redis, notes, clock)
    clock.ahead = timedelta(hours=2)
    mine = worker(redis, clock)
    asked = asyncio.create_task(mine.token("notes", PERSON, authorization=one.id))
    await slow.has_renewed.wait()
    asked.cancel()
    await asyncio.wait([asked])
    slow.may_answer.set()
    await mine.settle()
    assert await worker(redis, clock).token("notes", PERSON, authorization=one.id)
    assert notes.refreshes == 1


async def test_new_tokens_count_that_came_after_another_worker_was_refused(
    redis: Redis, notes: Authority, slow: Slow
) -> None:
    clock = Clock()
    one = await connected(redis, notes, clock)
    clock.ahead = timedelta(hours=2)
    first = asyncio.create_task(worker(redis, clock).token("notes", PERSON, authorization=one.id))
    await slow.has_renewed.wait()
    clock.ahead = timedelta(hours=2, minutes=1)
    with pytest.raises(NoToken, match="invalid_grant"):
        await worker(redis, clock).token("notes", PERSON, authorization=one.id)
    slow.may_answer.set()
    new = await first
    assert await worker(redis, clock).authorization("notes", PERSON) == one.id
    assert await worker(redis, clock).token("notes", PERSON, authorization=one.id) == new


async def test_new_tokens_of_what_was_removed_meanwhile_are_revoked(
    redis: Redis, notes: Authority, slow: Slow
) -> None:
    clock = Clock()
    one = await connected(redis, notes, clock)
    clock.ahead = timedelta(hours=2)
    mine = worker(redis, clock)
    asked = asyncio.create_task(mine.token("notes", PERSON, authorization=one.id))
    await slow.has_renewed.wait()
    await mine.remove("notes", PERSON)
    slow.may_answer.set()
    with pytest.raises(NoToken):
        await asked
    assert set(notes.given[-2:]) & set(notes.revoked)


async def test_a_rotated_key_opens_them_and_they_are_encrypted_anew(redis: Redis, notes: Authority) -> None:
    clock = Clock()
    one = await connected(redis, notes, clock)
    token = await worker(redis, clock, NEW_KEY, KEY).token("notes", PERSON, authorization=one.id)
    assert await worker(redis, clock, NEW_KEY).token("notes", PERSON, authorization=one.id) == token
    with pytest.raises(NoToken):
        await worker(redis, clock, KEY).token("notes", PERSON, authorization=one.id)
    with pytest.raises(ConnectionRequired, match="cannot be decrypted"):
        await worker(redis, clock, KEY).authorization("notes", PERSON)


async def test_a_server_that_is_away_is_no_refusal(redis: Redis, notes: Authority) -> None:
    clock = Clock()
    one = await connected(redis, notes, clock)
    row = await RowStore(redis, keys.connections()).get(one.row_id)
    assert row
    clock.ahead = timedelta(hours=2)
    notes.fails = True
    with pytest.raises(NoToken, match="try again later"):
        await worker(redis, clock).token("notes", PERSON, authorization=one.id)
    notes.fails = False
    assert await worker(redis, clock).authorization("notes", PERSON) == one.id
    assert await worker(redis, clock).token("notes", PERSON, authorization=one.id)


async def test_what_was_authorized_by_who_is_not_active_any_more_is_removed(
    redis: Redis, notes: Authority
) -> None:
    clock = Clock()
    one = await connected(redis, notes, clock)

    async def nobody(person: str) -> bool:
        return person != PERSON

    connections = Connections(RowStore(redis, keys.connections()), (KEY,), clock, is_active=nobody)
    with pytest.raises(ConnectionRequired, match="is deactivated"):
        await connections.authorization(one.server, PERSON)
    assert await connections.of(PERSON) == []
    assert notes.revoked
