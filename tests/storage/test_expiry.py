"""What is kept for a while goes away by itself: mailboxes, idempotency keys, deliveries, rate limits."""

from __future__ import annotations

from collections.abc import AsyncIterator
from datetime import timedelta
from pathlib import Path

import pytest
from redis.asyncio import Redis

from bot.compose import Core, core
from storage import keys
from storage.errors import IdempotencyKeyKnown, TooManyClaims
from storage.log import CLAIM_TTL, Claim, Effects, LogStore
from storage.mailbox import Delivery, Mailbox
from storage.projections import ProjectionStore
from supervisor.core.events import Actor
from tests.support.flagman import settings
from tests.support.slack import wait_for

SECOND, HOUR, DAY = timedelta(seconds=1), timedelta(hours=1), timedelta(days=1)
ADA = Actor(id="api:ada", name="ada")
SID = "abcd-efgh-3"


async def left(redis: Redis, key: str) -> timedelta:
    """How long the key is still there; negative where it stays for ever or is gone."""
    return timedelta(milliseconds=await redis.pttl(key))


def about(found: timedelta, wanted: timedelta) -> bool:
    """Within a slow test's time below what was asked for."""
    return wanted - timedelta(minutes=1) < found <= wanted


async def gone(redis: Redis, key: str) -> None:
    async def look() -> bool:
        return not await redis.exists(key)

    await wait_for(look)


# Mailboxes


def sent(signal: str, ident: str = "d1", sender: str = "api:ci") -> Delivery:
    return Delivery(signal, sender, ident)


async def test_a_signal_that_no_session_took_is_gone_after_its_time(redis: Redis) -> None:
    box, go = Mailbox(redis), sent("webhook:go")
    assert await box.keep(go, b"one", ttl=SECOND, seen_for=HOUR) == "kept"
    assert await box.items("webhook:go") == [b"one"]
    await gone(redis, keys.mailbox("webhook:go"))
    assert await box.items("webhook:go") == []
    # The delivery is known for longer: the sender's late repetition is not taken for a new signal.
    assert await box.keep(go, b"one", ttl=SECOND, seen_for=HOUR) == "seen"
    assert await box.items("webhook:go") == []


async def test_a_delivery_is_known_for_its_time_only(redis: Redis) -> None:
    box, built = Mailbox(redis), sent("event:built")
    assert await box.keep(built, b"one", ttl=HOUR, seen_for=SECOND) == "kept"
    assert await box.keep(built, b"again", ttl=HOUR, seen_for=SECOND) == "seen"
    await gone(redis, keys.mailbox_seen(built.mark))
    assert await box.keep(built, b"again", ttl=HOUR, seen_for=SECOND) == "kept"
    assert await box.items("event:built") == [b"one", b"again"]


async def test_a_repetition_does_not_lengthen_a_life_and_a_new_signal_does(redis: Redis) -> None:
    box, first = Mailbox(redis), sent("event:built")
    await box.keep(first, b"one", ttl=HOUR, seen_for=DAY)
    assert about(await left(redis, keys.mailbox("event:built")), HOUR)
    assert about(await left(redis, keys.mailbox_seen(first.mark)), DAY)
    await redis.expire(keys.mailbox("event:built"), 60)
    await box.keep(first, b"one", ttl=HOUR, seen_for=DAY)
    assert await left(redis, keys.mailbox("event:built")) <= timedelta(seconds=60)
    await box.keep(sent("event:built", "d2"), b"two", ttl=HOUR, seen_for=DAY)
    assert about(await left(redis, keys.mailbox("event:built")), HOUR)


async def test_other_signals_and_other_senders_are_not_touched(redis: Redis) -> None:
    box, event = Mailbox(redis), sent("event:built")
    await box.keep(event, b"event", ttl=HOUR, seen_for=DAY)
    assert await box.keep(sent("webhook:built"), b"webhook", ttl=SECOND, seen_for=SECOND) == "kept"
    other = sent("event:built", sender="api:another")
    assert await box.keep(other, b"other", ttl=HOUR, seen_for=DAY) == "kept"
    await gone(redis, keys.mailbox("webhook:built"))
    assert await box.items("event:built") == [b"event", b"other"]
    assert await box.remove(event, b"event")
    assert not await box.remove(event, b"event")
    assert await box.items("event:built") == [b"other"]


# Idempotency keys


async def test_an_idempotency_key_is_free_again_after_its_time(redis: Redis) -> None:
    store = LogStore(redis)
    await store.append(SID, 0, [b"1"], Effects(claim=Claim("k", b"first", ttl=SECOND)))
    with pytest.raises(IdempotencyKeyKnown) as known:
        await store.append(SID, 1, [b"2"], Effects(claim=Claim("k", b"second", ttl=HOUR)))
    assert known.value.value == b"first"
    assert await left(redis, keys.claim(3, "k")) <= SECOND
    await gone(redis, keys.claim(3, "k"))
    await store.append(SID, 1, [b"2"], Effects(claim=Claim("k", b"second", ttl=HOUR)))
    assert await store.claim_of(3, "k") == b"second"
    assert await store.read(SID) == [b"1", b"2"]


async def test_of_one_sender_only_so_many_idempotency_keys_are_kept(
    redis: Redis, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("storage.log.MOST_CLAIMS", 2)
    store = LogStore(redis)

    async def append(key: str, sender: str, ttl: timedelta = HOUR) -> None:
        claim = Claim(key, b"value", ttl=ttl, sender=sender)
        await store.append(SID, await store.length(SID), [b"1"], Effects(claim=claim))

    await append("k1", "api:ci", SECOND)
    await append("k2", "api:ci")
    with pytest.raises(TooManyClaims):
        await append("k3", "api:ci")
    # One that is kept still answers, and other senders have room of their own.
    with pytest.raises(IdempotencyKeyKnown):
        await append("k2", "api:ci")
    await append("k3", "api:another")
    assert await store.length(SID) == 3
    await gone(redis, keys.claim(3, "k1"))
    await append("k4", "api:ci")


@pytest.fixture
async def parts(redis: Redis, valkey_url: str, tmp_path: Path) -> AsyncIterator[Core]:
    config = settings("http://127.0.0.1:9/api/", valkey_url, tmp_path, partitions=4)
    async with core(config) as running:
        yield running


async def test_the_key_of_a_launch_lasts_a_day_wherever_it_went(redis: Redis, parts: Core) -> None:
    launched = [
        await parts.supervisor.launch("sre", "look", ADA, idempotency_key=f"run {n}") for n in range(12)
    ]
    again = [await parts.supervisor.launch("sre", "look", ADA, idempotency_key=f"run {n}") for n in range(12)]
    assert [session.id for session in again] == [session.id for session in launched]
    for n, session in enumerate(launched):
        partition = keys.partition_of(session.id)
        claim = await left(redis, keys.claim(partition, f"run {n}"))
        assert about(claim, CLAIM_TTL)
        # Where the request goes is known for as long as the key, at least.
        assert await left(redis, keys.placement(f"run {n}")) > claim
    assert {keys.partition_of(session.id) for session in launched} == {0, 1, 2, 3}


async def test_after_a_day_the_same_key_launches_anew(redis: Redis, parts: Core) -> None:
    first = await parts.supervisor.launch("sre", "look", ADA, idempotency_key="run")
    await redis.pexpire(keys.claim(keys.partition_of(first.id), "run"), 1)
    await gone(redis, keys.claim(keys.partition_of(first.id), "run"))
    second = await parts.supervisor.launch("sre", "another", ADA, idempotency_key="run")
    assert second.id != first.id
    assert about(await left(redis, keys.claim(keys.partition_of(second.id), "run")), CLAIM_TTL)


async def test_every_key_that_only_remembers_expires(redis: Redis, parts: Core) -> None:
    session = await parts.supervisor.launch("sre", "look", ADA, idempotency_key="run")
    await parts.supervisor.tell(session.id, "mind the cache", ADA, kind="reply", delivery="m1")
    await parts.deliveries.deliver("webhook", "go", "d1", {"a": 1}, Actor(id="webhook:go"))
    found = [key.decode() async for key in redis.scan_iter("*")]
    remembered = [
        key
        for key in found
        if ":idem:" in key or ":placement:" in key or "{mail}:box" in key or "{mail}:seen" in key
    ]
    assert len(remembered) == 5, found
    for key in remembered:
        assert await redis.ttl(key) > 0, key


# Deliveries and rate limits


async def test_a_delivery_is_known_for_its_time(redis: Redis) -> None:
    rows = ProjectionStore(redis)
    await rows.deliver("d1", timedelta(milliseconds=300))
    await rows.deliver("d2", HOUR)
    await gone(redis, keys.delivery("d1"))
    assert (await rows.delivered("d1"), await rows.delivered("d2")) == (False, True)


async def test_a_rate_limit_ends_when_it_said(redis: Redis) -> None:
    rows = ProjectionStore(redis)
    await rows.set_rate_limit("chat.postMessage:C1", HOUR)
    left = await rows.rate_limited_for("chat.postMessage:C1")
    assert left is not None
    assert timedelta(minutes=59) < left <= HOUR
    assert await rows.rate_limited_for("chat.postMessage:C2") is None
    await rows.set_rate_limit("chat.postMessage:C1", timedelta(milliseconds=300))
    await gone(redis, keys.rate_limit("chat.postMessage:C1"))
    assert await rows.rate_limited_for("chat.postMessage:C1") is None
