"""POST /v1/restore: a SESSION_LOG as body, the session as answer."""

from __future__ import annotations

from redis.asyncio import Redis

from tests.api.conftest import Build, House

HEADERS = {"Content-Type": "text/markdown"}


async def document(house: House, session_id: str) -> str:
    reply = await house.api.get(f"/v1/sessions/{session_id}/log", headers={"Accept": "text/markdown"})
    assert reply.headers["Content-Type"].startswith("text/markdown")
    return str(reply.body)


async def test_what_the_log_gives_can_be_restored(house: House, redis: Redis) -> None:
    session_id = await house.launch()
    await house.resting(session_id)
    text = await document(house, session_id)
    here = await house.api("POST", "/v1/restore", data=text.encode(), headers=HEADERS)
    assert "is here already" in here.problem(409, "session_exists")["detail"]
    await redis.flushall()
    (await house.api.get(f"/v1/sessions/{session_id}")).problem(404, "session_not_found")
    back = await house.api("POST", "/v1/restore", data=text.encode(), headers=HEADERS)
    assert back.status == 201, back
    assert back.headers["Location"] == f"/v1/sessions/{session_id}"
    assert (back["id"], back["waiting_for"]) == (session_id, "human_approval_required")
    assert (await house.api.decide(f"/v1/sessions/{session_id}", {"verdict": "approve"})).status == 200
    ended = await house.api.get(f"/v1/sessions/{session_id}/wait", params={"timeout": "10", "until": "ended"})
    assert (ended["status"], len(house.scene.runs("deploy"))) == ("completed", 1)


async def test_a_changed_document_is_refused_with_line_and_kind(house: House, redis: Redis) -> None:
    session_id = await house.launch()
    await house.resting(session_id)
    text = (await document(house, session_id)).replace("ship it", "shop it", 1)
    refused = await house.api("POST", "/v1/restore", data=text.encode(), headers=HEADERS)
    detail = refused.problem(422, "session_log_altered")["detail"]
    assert detail.startswith("Changed text: line ")
    for other in (b"", b"\xff\xfe", b"# A list\n"):
        reply = await house.api("POST", "/v1/restore", data=other, headers=HEADERS)
        reply.problem(422, "session_log_altered")


async def test_another_kind_of_body_or_too_much_of_it_is_not_taken(build: Build) -> None:
    house = await build()
    (await house.api.post("/v1/restore", {"text": "x"})).problem(415, "unsupported_media_type")
    large = b"x" * (32 * 1024 * 1024 + 1)
    (await house.api("POST", "/v1/restore", data=large, headers=HEADERS)).problem(413, "too_large")
