"""An idempotency key belongs to one actor: another's is another key, and one's own is for one request."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from supervisor.core.errors import IdempotencyConflict
from supervisor.core.events import Actor
from tests.api.conftest import APPROVE, LAUNCH, House

BODY = {"persona": "ops", "task": "ship it"}
HEADERS = {"Idempotency-Key": "run-7"}


async def test_two_actors_with_one_key_have_a_session_each(house: House) -> None:
    other = await house.as_(LAUNCH)
    replies = [await api.post("/v1/sessions", BODY, headers=HEADERS) for api in (house.api, other) * 2]
    assert [reply.status for reply in replies] == [201] * 4, replies
    boss, ci, boss_again, ci_again = (reply["id"] for reply in replies)
    assert boss != ci
    assert (boss_again, ci_again) == (boss, ci)
    assert [reply["launched_by"] for reply in replies] == ["api:boss", "api:ci"] * 2
    assert len((await house.api.get("/v1/sessions"))["sessions"]) == 2


async def test_two_actors_at_the_same_moment_have_a_session_each(house: House) -> None:
    apis = (house.api, await house.as_(LAUNCH)) * 3
    replies = await asyncio.gather(*(api.post("/v1/sessions", BODY, headers=HEADERS) for api in apis))
    assert [reply.status for reply in replies] == [201] * 6, replies
    assert len({reply["id"] for reply in replies}) == 2
    assert len({(reply["id"], reply["launched_by"]) for reply in replies}) == 2


async def test_anothers_request_is_not_told_apart_by_a_conflict(house: House) -> None:
    assert (await house.api.post("/v1/sessions", BODY, headers=HEADERS)).status == 201
    other = await house.as_(LAUNCH)
    reply = await other.post("/v1/sessions", {**BODY, "task": "another"}, headers=HEADERS)
    assert reply.status == 201, reply
    # Nor can a key be written so that it is another's.
    forged = await other.post("/v1/sessions", BODY, headers={"Idempotency-Key": "api:boss:run-7"})
    assert (forged.status, forged["launched_by"]) == (201, "api:ci")


@pytest.mark.parametrize("change", [{"task": "another"}, {"context": "and more"}, {"channel": "C0OPS0001"}])
async def test_ones_own_key_for_another_request_is_a_conflict(house: House, change: dict[str, Any]) -> None:
    first = await house.api.post("/v1/sessions", BODY, headers=HEADERS)
    other = await house.api.post("/v1/sessions", {**BODY, **change}, headers=HEADERS)
    other.problem(409, "idempotency_conflict")
    again = await house.api.post("/v1/sessions", BODY, headers=HEADERS)
    assert (again.status, again["id"]) == (201, first["id"])
    assert len((await house.api.get("/v1/sessions"))["sessions"]) == 1


async def test_without_a_key_or_with_another_each_launch_is_one(house: House) -> None:
    sent: list[dict[str, str]] = [{}, {}, {"Idempotency-Key": "a"}, {"Idempotency-Key": "b"}]
    ids = {(await house.api.post("/v1/sessions", BODY, headers=headers))["id"] for headers in sent}
    assert len(ids) == 4


async def test_a_scope_is_asked_for_before_a_key_is_looked_up(house: House) -> None:
    assert (await house.api.post("/v1/sessions", BODY, headers=HEADERS)).status == 201
    gate = await house.as_(APPROVE)
    (await gate.post("/v1/sessions", BODY, headers=HEADERS)).problem(403, "missing_scope")


async def test_the_supervisor_itself_refuses_a_key_of_another_actor(house: House) -> None:
    supervisor = house.scene.flagman.core.supervisor
    first = await supervisor.launch("ops", "ship it", Actor(id="api:a"), idempotency_key="k")
    with pytest.raises(IdempotencyConflict):
        await supervisor.launch("ops", "ship it", Actor(id="api:b"), idempotency_key="k")
    again = await supervisor.launch("ops", "ship it", Actor(id="api:a"), idempotency_key="k")
    assert again.id == first.id


async def test_copies_have_their_own_keys_too(house: House) -> None:
    source = await house.launch()
    await house.resting(source)
    other, path = await house.as_(LAUNCH), f"/v1/sessions/{source}/fork"
    body = {"step": 0, "message": "otherwise"}
    replies = [await api.post(path, body, headers=HEADERS) for api in (house.api, other) * 2]
    assert [reply.status for reply in replies] == [201] * 4, replies
    ids = [reply["id"] for reply in replies]
    assert ids[:2] == ids[2:]
    assert len({source, *ids}) == 3
    (await other.post(path, {"step": 0}, headers=HEADERS)).problem(409, "idempotency_conflict")
