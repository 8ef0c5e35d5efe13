"""Events: plain or as CloudEvents, matched by their data, each once; and the four listings of factor 6."""

from __future__ import annotations

import asyncio
import base64
import json
from datetime import timedelta
from typing import Any

import pytest

from storage.mailbox import Delivery, Mailbox
from tests.api.conftest import LAUNCH, SECRET, House
from tests.api.test_webhooks_wake_sessions import send, signed
from tests.support.scripted import told

pytestmark = pytest.mark.usefixtures("partitions")

WAITS = 'event: deploy.finished where env == "prod"'
EVENT: dict[str, Any] = {"type": "deploy.finished", "data": {"env": "prod", "version": 3}, "id": "e1"}
CLOUD: dict[str, Any] = {
    "specversion": "1.0",
    "id": "e1",
    "source": "/ci/main",
    "type": "deploy.finished",
    "time": "2026-11-24T10:00:00Z",
    "datacontenttype": "application/json",
    "data": {"env": "prod"},
}
STRUCTURED = {"Content-Type": "application/cloudevents+json; charset=utf-8"}


async def resumed_with(house: House, session_id: str) -> Any:
    events = (await house.api.get(f"/v1/sessions/{session_id}/events"))["events"]
    return [e["data"]["data"] for e in events if e["type"] == "Resumed"]


async def test_an_event_resumes_those_whose_condition_it_meets(house: House) -> None:
    (prod, _), (anything, _), (other, _) = (
        await house.paused(WAITS),
        await house.paused("event: deploy.finished"),
        await house.paused('event: deploy.finished where env == "test"'),
    )
    reply = await house.api.post("/v1/events", EVENT)
    assert reply.status == 200
    assert set(reply["resumed"]) == {prod, anything}
    assert (await house.api.get(f"/v1/sessions/{other}"))["pause"]
    assert await resumed_with(house, prod) == [{"env": "prod", "version": 3}]


async def test_two_identical_events_at_once_resume_once(house: House) -> None:
    session_id, _ = await house.paused(WAITS)
    replies = await asyncio.gather(*(house.api.post("/v1/events", EVENT) for _ in range(6)))
    assert {r.status for r in replies} == {200}
    assert [r["resumed"] for r in replies if r["resumed"]] == [[session_id]]
    assert len(await resumed_with(house, session_id)) == 1
    again, _ = await house.paused(WAITS)
    assert (await house.api.post("/v1/events", EVENT))["resumed"] == []
    assert (await house.api.get(f"/v1/sessions/{again}"))["pause"]


async def test_an_early_event_is_kept(house: House) -> None:
    assert (await house.api.post("/v1/events", EVENT))["resumed"] == []
    session_id, _ = await house.paused(WAITS)
    await house.until(session_id, lambda s: s.halts and s.halts[0].resumed_at)


async def test_an_id_is_one_for_each_sender(house: House) -> None:
    """Two pipelines number their events on their own; one cannot use up an id of the other."""
    other = await house.as_(LAUNCH)
    first, _ = await house.paused(WAITS)
    assert (await house.api.post("/v1/events", EVENT))["resumed"] == [first]
    second, _ = await house.paused(WAITS)
    assert (await house.api.post("/v1/events", EVENT)).body == {"resumed": [], "others": 0, "repeated": True}
    assert (await other.post("/v1/events", EVENT)).body == {
        "resumed": [second],
        "others": 0,
        "repeated": False,
    }
    third, _ = await house.paused(WAITS)
    assert (await other.post("/v1/events", EVENT)).body == {"resumed": [], "others": 0, "repeated": True}
    assert (await house.api.get(f"/v1/sessions/{third}"))["pause"]


async def test_the_same_from_two_senders_wakes_one_session_twice(house: House) -> None:
    session_id, _ = await house.paused(WAITS)
    assert (await house.api.post("/v1/events", EVENT))["resumed"] == [session_id]
    await house.api.post(f"/v1/sessions/{session_id}/pause", {"resume_conditions": [WAITS]})
    other = await house.as_(LAUNCH)
    assert (await other.post("/v1/events", EVENT))["resumed"] == [session_id]


async def test_an_early_event_keeps_its_sender(house: House) -> None:
    await (await house.as_(LAUNCH)).post("/v1/events", EVENT)
    session_id, _ = await house.paused(WAITS)
    found = await house.until(session_id, lambda s: s.halts and s.halts[0].resumed_at)
    assert (found.halts[0].resumed_by, found.halts[0].resumed_by_name) == ("api:ci", "ci")


async def test_one_that_is_still_kept_after_a_crash_does_not_wake_the_same_session_twice(
    house: House,
) -> None:
    mailbox, hour = Mailbox(house.scene.flagman.core.redis), timedelta(hours=1)
    await house.api.post("/v1/events", EVENT)
    (item,) = await mailbox.items("event:deploy.finished")
    session_id, _ = await house.paused(WAITS)
    await house.until(session_id, lambda s: s.halts and s.halts[0].resumed_at)
    # As a process leaves it that dies before it takes the event out of the mailbox.
    left = Delivery("event:deploy.finished", "api:boss", "as-left")
    assert await mailbox.keep(left, item, ttl=hour, seen_for=hour) == "kept"
    paused = await house.api.post(f"/v1/sessions/{session_id}/pause", {"resume_conditions": [WAITS]})
    assert paused.status == 200, paused
    await house.looked_after(session_id)
    assert (await house.api.get(f"/v1/sessions/{session_id}"))["pause"]
    assert (await house.api.post("/v1/events", {**EVENT, "id": "e2"}))["resumed"] == [session_id]


async def test_a_cloudevent_in_structured_mode(house: House) -> None:
    session_id, _ = await house.paused(WAITS)
    reply = await house.api.post("/v1/events", data=json.dumps(CLOUD).encode(), headers=STRUCTURED)
    assert (reply.status, reply["resumed"]) == (200, [session_id])
    again, _ = await house.paused(WAITS)
    assert (await house.api.post("/v1/events", data=json.dumps(CLOUD), headers=STRUCTURED))["resumed"] == []
    elsewhere = {**CLOUD, "source": "/ci/other"}
    del elsewhere["data"]
    elsewhere["data_base64"] = base64.b64encode(b'{"env": "prod"}').decode()
    reply = await house.api.post("/v1/events", data=json.dumps(elsewhere), headers=STRUCTURED)
    assert reply["resumed"] == [again]


async def test_a_cloudevent_in_binary_mode(house: House) -> None:
    session_id, _ = await house.paused(WAITS)
    headers = {f"ce-{name}": CLOUD[name] for name in ("specversion", "id", "source", "type", "time")}
    reply = await house.api.post("/v1/events", {"env": "prod"}, headers=headers)
    assert (reply.status, reply["resumed"]) == (200, [session_id])
    text, _ = await house.paused("event: deploy.finished")
    headers = {**headers, "ce-id": "e2", "Content-Type": "text/plain"}
    assert (await house.api.post("/v1/events", data=b"done", headers=headers))["resumed"] == [text]
    assert await resumed_with(house, text) == ["done"]
    assert (await house.api.post("/v1/events", headers={**headers, "ce-id": "e3"})).status == 200


WRONG: list[tuple[Any, dict[str, str], int]] = [
    ({"data": 1}, {}, 422),
    ({"type": "a b"}, {}, 422),
    ({"type": ""}, {}, 422),
    ({**CLOUD, "specversion": "0.3"}, STRUCTURED, 422),
    ({k: v for k, v in CLOUD.items() if k != "source"}, STRUCTURED, 422),
    ({**CLOUD, "data_base64": "%%"}, STRUCTURED, 422),
    ({}, {"ce-specversion": "1.0", "ce-id": "1"}, 422),
    ({}, {"ce-specversion": "2.0"}, 422),
    ([CLOUD], {"Content-Type": "application/cloudevents-batch+json"}, 415),
    (EVENT, {"Content-Type": "text/plain"}, 415),
    (EVENT, {**{f"ce-{n}": CLOUD[n] for n in ("specversion", "id", "source", "type")},
             "Content-Type": "image/png"}, 415),
]  # fmt: skip


async def test_a_wrong_event_is_told_what_is_wrong(house: House) -> None:
    for body, headers, status in WRONG:
        given = {"Content-Type": "application/json", **headers}
        reply = await house.api.post("/v1/events", data=json.dumps(body).encode(), headers=given)
        reply.problem(status, {422: "invalid_request", 415: "unsupported_media_type"}[status])


async def test_the_four_listings_of_factor_6(house: House) -> None:
    """Launch, pause with a condition, resume from a webhook with data, resume with context."""
    api = house.api
    launched = await api.post("/v1/sessions", {"persona": "ops", "task": "Create auth endpoint"})
    session_id = launched["id"]
    path = f"/v1/sessions/{session_id}"
    await api.get(f"{path}/wait")

    paused = await api.post(
        f"{path}/pause",
        {"reason": "External dependency", "resume_conditions": ["webhook: redis_ready"]},
    )
    assert (paused["status"], paused["session_id"]) == ("paused", session_id)
    assert paused["resume_token"]
    assert (await api.get(path))["waiting_for"] == "external_dependency"

    body = json.dumps({"redis_url": "redis://cache:6379"}).encode()
    assert (await send(house, signed(body, secret=SECRET), body))["resumed"] == [session_id]

    await api.post(f"{path}/pause", {"reason": "Waiting for review"})
    resumed = await api.post(f"{path}/resume", {"context": "Use the new cluster"})
    assert resumed["pause"] is None
    await api.decide(path, {"verdict": "approve"})
    ended = await api.get(f"{path}/wait?until=ended")
    assert (ended["status"], ended["result"]) == ("completed", "Done.")
    heard = "\n".join(told(house.scene.model.requests[-1]))
    assert "redis://cache:6379" in heard
    assert "Use the new cluster" in heard
