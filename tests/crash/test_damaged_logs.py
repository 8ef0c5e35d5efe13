"""A log that cannot be read is named as trouble; every other session goes on."""

from __future__ import annotations

import pytest

from storage import keys
from tests.crash.house import House
from tests.support.slack import ADA, OPS, wait_for

DAMAGE = [
    (b"\x00 not an event", "is damaged"),
    (b'{"type":"ContextAdded","v":99,"at":"2030-01-01T00:00:00Z","by":"x"}', "newer Flagman"),
    (b'{"type":"Moved","v":1,"at":"2030-01-01T00:00:00Z","by":"x"}', "no known type"),
]


@pytest.mark.parametrize(("garbage", "words"), DAMAGE)
async def test_a_damaged_session_is_named_and_others_go_on(house: House, garbage: bytes, words: str) -> None:
    house.propose("write_file", {"path": "a.txt", "content": "a"})
    _, worker = await house.both()
    bad = await house.launch("one")
    await house.asked(bad)
    await house.converged(bad)
    await house.redis.rpush(keys.log(bad), garbage)
    worker.terminate()
    await worker.ended()
    worker = await house.worker()
    clicked = await house.click(await house.asked(bad), "call_approve")
    assert clicked["ok"], clicked
    await house.redis.hset(keys.queue(0, "ready").state, bad, "queued")
    await house.redis.xadd(keys.queue(0, "ready").stream, {"s": bad})
    troubles = await wait_for(house.troubles)
    assert words in troubles[bad]
    assert bad in worker.output
    status = await house.slack.command(ADA, OPS, f"status {bad}")
    assert f"Session `{bad}` cannot be read" in str(status)
    listing = await house.slack.command(ADA, OPS, "list")
    assert listing["ok"], listing
    assert f"`{bad}`" in str(listing)
    assert ":warning: Session" in str(listing)
    assert "cannot be read" in str(listing)
    good = await house.launch("two")
    await house.approve(good)
    await house.completed(good)
