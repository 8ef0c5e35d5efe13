"""The id of a known API key opens nothing without its secret, over HTTP and in `ApiKeys.recognise`."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from redis.asyncio import Redis

from storage.api_keys import ApiKeyStore
from supervisor.api_keys import ApiKey, ApiKeys, parse_keys
from supervisor.core.errors import KeyRefused
from tests.api.conftest import ALL, KEYS, House

NOW = datetime(2026, 11, 3, 9, 0, tzinfo=UTC)


def wrong(key: str, other: str) -> dict[str, str]:
    """Texts that resemble `key`, each without its secret; `other` is the text of another key."""
    _, key_id, secret = key.split("_", 2)
    return {
        "another secret": f"fm_{key_id}_{'A' * 43}",
        "an empty secret": f"fm_{key_id}_",
        "no secret": f"fm_{key_id}",
        "the secret of another key": f"fm_{key_id}_{other.split('_', 2)[2]}",
        "the secret alone": secret,
        "its beginning": key[:-1],
        "more behind it": key + "A",
        "another case": f"fm_{key_id}_{secret.swapcase()}",
        "another prefix": f"xx_{key_id}_{secret}",
        "an empty id": f"fm__{secret}",
        "an unknown id": f"fm_{'0' * 8}_{secret}",
    }


async def test_over_http(house: House) -> None:
    made = [
        await house.api.post("/v1/keys", {"name": name, "scopes": ["admin"]}) for name in ("first", "second")
    ]
    keys = [str(reply["key"]) for reply in made]
    assert [(await (await house.as_(key)).get("/v1/me"))["name"] for key in keys] == ["first", "second"]
    for what, text in {
        **wrong(*keys),
        "the hash of a given key": "0" * 64,
        "a part of one": ALL[:-1],
    }.items():
        reply = await (await house.as_(text)).get("/v1/me")
        assert reply.status == 401, what
        reply.problem(401, "unauthorized")
    for header in ("Bearer", "Bearer ", f"Basic {keys[0]}", keys[0]):
        reply = await (await house.as_(None)).get("/v1/me", headers={"Authorization": header})
        reply.problem(401, "unauthorized")


@pytest.fixture
def stored(redis: Redis) -> ApiKeys:
    return ApiKeys(ApiKeyStore(redis), [key for key, _ in parse_keys(KEYS)], lambda: NOW)


async def test_a_stored_key(stored: ApiKeys) -> None:
    (first, text), (_, other) = [await stored.create(name, ["read"], "api:boss") for name in ("a", "b")]
    assert await stored.recognise(text) == first
    for what, attempt in wrong(text, other).items():
        with pytest.raises(KeyRefused):
            print(what, await stored.recognise(attempt))


async def test_what_is_refused_is_not_noted_as_used(stored: ApiKeys) -> None:
    key, text = await stored.create("a", ["read"], "api:boss")
    with pytest.raises(KeyRefused):
        await stored.recognise(f"fm_{key.id}_{'A' * 43}")
    assert dict(await stored.list())[key] is None
    await stored.recognise(text)
    assert dict(await stored.list())[key] == NOW


async def test_the_hash_that_is_stored_opens_nothing(stored: ApiKeys, redis: Redis) -> None:
    key, _ = await stored.create("a", ["read"], "api:boss")
    for text in (key.hash, f"fm_{key.id}_{key.hash}"):
        with pytest.raises(KeyRefused):
            await stored.recognise(text)


async def test_a_key_of_the_environment(stored: ApiKeys) -> None:
    given = parse_keys(KEYS)
    for key, secret in given:
        assert await stored.recognise(secret) == key
    for text in (
        "",
        given[0][1][:-1],
        given[0][1] + "x",
        given[0][0].hash,
        given[0][0].id,
        "boss",
        "fm_env1_x",
    ):
        with pytest.raises(KeyRefused):
            await stored.recognise(text)


async def test_a_revoked_key_and_a_row_of_another_shape_open_nothing(stored: ApiKeys, redis: Redis) -> None:
    key, text = await stored.create("a", ["read"], "api:boss")
    await stored.revoke(key.id)
    with pytest.raises(KeyRefused):
        await stored.recognise(text)
    await ApiKeyStore(redis).put(key.id, b'{"id": "a"}')
    with pytest.raises(KeyRefused):
        await stored.recognise(text)


@pytest.mark.parametrize("scope", ["launch", "approve", "read"])
def test_a_scope_gives_no_other_one(scope: str) -> None:
    key = ApiKey.model_validate({"id": "1", "name": "a", "scopes": (scope,), "hash": "x"})
    assert [s for s in ("launch", "approve", "read", "admin") if key.may(s)] == [scope]


async def test_a_use_is_noted_to_the_minute(redis: Redis) -> None:
    now = [NOW]
    keys = ApiKeys(ApiKeyStore(redis), [], lambda: now[0])
    key, text = await keys.create("a", ["read"], "api:boss")
    noted = []
    for seconds in (0, 59, 60):
        now[0] = NOW + timedelta(seconds=seconds)
        await keys.recognise(text)
        noted.append(dict(await keys.list())[key])
    assert noted == [NOW, NOW, NOW + timedelta(seconds=60)]
