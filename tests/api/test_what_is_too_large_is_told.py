"""What is refused for its size is told to the sessions that wait for it, once, and only if its sender is known."""

from __future__ import annotations

import gzip
import json

import pytest

from bot.api.rate_limit import BODY_BYTES, HOOK_BYTES
from bot.api.routes.hooks import CHECKED_BYTES
from supervisor.core.state import Session
from tests.api.conftest import House
from tests.api.test_webhooks_wake_sessions import READY, by_github, send, signed
from tests.support.slack import OPS, texts

pytestmark = pytest.mark.usefixtures("partitions")

OVER = json.dumps("x" * HOOK_BYTES).encode()


async def session_of(house: House, session_id: str) -> Session:
    return await house.scene.flagman.core.supervisor.get(session_id)


async def test_a_genuine_webhook_that_is_too_large_is_told_to_whoever_waits(house: House) -> None:
    session_id = (await house.scene.launch()).id
    await house.resting(session_id)
    await house.api.post(f"/v1/sessions/{session_id}/pause", {"resume_conditions": [READY]})
    other, _ = await house.paused("webhook: another")
    (await send(house, signed(OVER), OVER)).problem(413, "too_large")
    session = await session_of(house, session_id)
    (note,) = session.inbox
    assert note.by == "webhook:redis_ready"
    assert "webhook `redis_ready` came and was refused, as it has more than the 262,144 bytes" in note.text
    assert session.status == "paused"
    assert (await session_of(house, other)).inbox == ()
    await house.scene.slack.message(
        OPS, lambda m: "was refused, as it has more" in texts(m), await _thread(house)
    )
    # A sender that tries again and again is told of once.
    for n in range(3):
        (await send(house, by_github(OVER, id_=str(n)), OVER)).problem(413, "too_large")
    assert len((await session_of(house, session_id)).inbox) == 1
    fits = b"{}"
    assert (await send(house, signed(fits), fits))["resumed"] == [session_id]


async def _thread(house: House) -> str:
    card = await house.scene.slack.message(OPS, lambda m: "card:" in texts(m))
    return str(card["ts"])


async def test_one_that_unpacks_to_too_much_is_told_as_well(house: House) -> None:
    session_id, _ = await house.paused(READY)
    packed = gzip.compress(OVER)
    (await send(house, {**by_github(packed), "Content-Encoding": "gzip"}, packed)).problem(413, "too_large")
    assert len((await session_of(house, session_id)).inbox) == 1


async def test_who_is_not_known_writes_nothing_into_a_session(house: House) -> None:
    session_id, _ = await house.paused(READY)
    unsigned = {"Content-Type": "application/json"}
    (await send(house, unsigned, OVER)).problem(401, "webhook_unsigned")
    (await send(house, signed(OVER, secret="whsec_c29tZWJvZHktZWxzZS1lbnRpcmVseQ=="), OVER)).problem(
        401, "webhook_forged"
    )
    (await send(house, signed(OVER), OVER + b" ")).problem(401, "webhook_forged")
    (await send(house, signed(OVER, late=3600), OVER)).problem(400, "webhook_late")
    beyond = b" " * (CHECKED_BYTES + 1)
    (await send(house, by_github(beyond), beyond)).problem(413, "too_large")
    reader = await house.as_(None)
    (await reader.post("/v1/events", {"type": "redis_ready"})).problem(401, "unauthorized")
    assert (await session_of(house, session_id)).inbox == ()


@pytest.mark.parametrize("named", ["in the body", "in the headers"])
async def test_an_event_that_is_too_large_is_told_where_its_type_is_known(house: House, named: str) -> None:
    session_id, _ = await house.paused("event: deploy.finished")
    other, _ = await house.paused("event: another")
    data = "x" * BODY_BYTES
    headers, body = (
        {"Content-Type": "application/json"},
        json.dumps({"type": "deploy.finished", "data": data}),
    )
    if named == "in the headers":
        headers |= {"ce-specversion": "1.0", "ce-id": "1", "ce-source": "ci", "ce-type": "deploy.finished"}
        body = json.dumps(data)
    (await house.api.post("/v1/events", data=body.encode(), headers=headers)).problem(413, "too_large")
    (note,) = (await session_of(house, session_id)).inbox
    assert "An event `deploy.finished` came and was refused" in note.text
    assert (await session_of(house, other)).inbox == ()
    nameless = json.dumps({"data": data, "type": "deploy.finished"})
    headers = {"Content-Type": "application/json"}
    (await house.api.post("/v1/events", data=nameless.encode(), headers=headers)).problem(413, "too_large")
