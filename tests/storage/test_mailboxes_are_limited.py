"""What is kept for later is limited by count and bytes: of one signal, of one sender, and in all. None is dropped."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest
from redis.asyncio import Redis

from storage import keys
from storage.mailbox import Delivery, Limits, Mailbox
from tests.support.slack import wait_for

SECOND, HOUR, DAY = timedelta(seconds=1), timedelta(hours=1), timedelta(days=1)
WIDE = Limits()
# By what is limited: the limit, and the signal and the sender of the nth delivery.
KINDS: dict[str, tuple[dict[str, int], str, str]] = {
    "items of one signal": ({"signal_items": 3}, "event:built", "api:{n}"),
    "bytes of one signal": ({"signal_size": 30}, "event:built", "api:{n}"),
    "items of one sender": ({"sender_items": 3}, "event:{n}", "api:ci"),
    "bytes of one sender": ({"sender_size": 30}, "event:{n}", "api:ci"),
    "items of all": ({"items": 3}, "event:{n}", "api:{n}"),
    "bytes of all": ({"size": 30}, "event:{n}", "api:{n}"),
}


@pytest.mark.parametrize("kind", KINDS)
async def test_at_a_limit_nothing_more_is_taken_and_nothing_is_lost(redis: Redis, kind: str) -> None:
    limit, signal, sender = KINDS[kind]
    box = Mailbox(redis, replace(WIDE, **limit))
    sent = [Delivery(signal.format(n=n), sender.format(n=n), str(n)) for n in range(5)]

    async def keep(n: int) -> Any:
        return await box.keep(sent[n], b"%010d" % n, ttl=HOUR, seen_for=DAY)

    assert [await keep(n) for n in range(4)] == ["kept", "kept", "kept", "full"]
    for n in range(3):
        assert b"%010d" % n in await box.items(sent[n].signal)
        assert await keep(n) == "seen"
    # What was not taken is not known as one that came, so its sender may send it again.
    assert await keep(3) == "full"
    assert await box.remove(sent[1], b"%010d" % 1)
    assert await keep(3) == "kept"
    assert await keep(4) == "full"


async def test_what_has_expired_makes_room(redis: Redis) -> None:
    box = Mailbox(redis, replace(WIDE, items=1))
    first, second = Delivery("event:a", "api:ci", "1"), Delivery("event:b", "api:ci", "2")
    assert await box.keep(first, b"one", ttl=SECOND, seen_for=HOUR) == "kept"

    async def taken() -> bool:
        return await box.keep(second, b"two", ttl=HOUR, seen_for=HOUR) == "kept"

    await wait_for(taken)
    assert await box.items("event:a") == []


async def test_counts_go_with_the_items(redis: Redis) -> None:
    box = Mailbox(redis)
    sent = [Delivery(f"event:{n % 2}", f"api:{n % 3}", str(n)) for n in range(6)]
    for delivery in sent:
        await box.keep(delivery, b"x" * 7, ttl=HOUR, seen_for=HOUR)
    use: Any = await redis.hgetall(keys.mailbox_use())
    assert (use[b"n all"], use[b"b all"]) == (b"6", b"42")
    assert (use[b"n for event:1"], use[b"b for event:1"]) == (b"3", b"21")
    for delivery in sent:
        assert await box.remove(delivery, b"x" * 7)
    assert await redis.keys("*{mail}*") != []
    assert not await redis.exists(keys.mailbox_use(), keys.mailbox_rows())


async def test_items_that_expired_do_not_stay_because_others_came(redis: Redis) -> None:
    box = Mailbox(redis)
    old, new = Delivery("event:a", "api:ci", "1"), Delivery("event:a", "api:ci", "2")
    await box.keep(old, b"old", ttl=SECOND, seen_for=HOUR)
    # As another item would that came in time.
    await redis.persist(keys.mailbox("event:a"))

    async def expired() -> bool:
        return bool(await redis.zcount(keys.mailbox_rows(), "-inf", (await redis.time())[0] * 1000))

    await wait_for(expired)
    await box.keep(new, b"new", ttl=HOUR, seen_for=HOUR)
    assert await box.items("event:a") == [b"new"]
