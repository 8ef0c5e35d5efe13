"""Resume tokens: for one pause of one session, once, for a while, by whoever holds it."""

from __future__ import annotations

import asyncio

import pytest
from pydantic import SecretStr

from tests.api.conftest import LAUNCH, Build, House
from tests.support.flagman import Flagman
from tests.support.scripted import told

OLD, NEW = "old-secret-key-0123456789", "new-secret-key-0123456789"


async def test_a_pause_gives_a_token_that_resumes_without_a_key(house: House) -> None:
    session_id, pause = await house.paused("webhook: redis_ready")
    assert (pause["status"], pause["session_id"], pause["conditions"]) == (
        "paused",
        session_id,
        ["webhook: redis_ready"],
    )
    anybody = await house.as_(None)
    resumed = await anybody.post(
        f"/v1/resume/{pause['resume_token']}", {"data": {"redis_url": "redis://x"}, "context": "it is up"}
    )
    assert resumed.status == 200, resumed
    assert resumed["pause"] is None
    events = (await house.api.get(f"/v1/sessions/{session_id}/events"))["events"]
    (event,) = [e for e in events if e["type"] == "Resumed"]
    assert (event["by"], event["data"]["trigger"]) == ("token", "token")
    await house.api.decide(f"/v1/sessions/{session_id}", {"verdict": "deny"})
    await house.until(session_id, lambda s: s.ended)
    heard = "\n".join(told(house.scene.model.requests[-1]))
    assert "it is up" in heard
    assert '"redis_url":"redis://x"' in heard


async def test_a_token_works_once_even_when_used_twice_at_once(house: House) -> None:
    session_id, pause = await house.paused()
    anybody = await house.as_(None)
    path = f"/v1/resume/{pause['resume_token']}"
    replies = await asyncio.gather(*(anybody.post(path) for _ in range(5)))
    assert sorted(r.status for r in replies) == [200, 409, 409, 409, 409]
    problem = (await anybody.post(path)).problem(409, "token_used")
    assert "a resume token" in problem["detail"]
    # The next pause is not this token's.
    await house.api.post(f"/v1/sessions/{session_id}/pause", {})
    (await anybody.post(path)).problem(409, "token_used")
    assert (await house.api.get(f"/v1/sessions/{session_id}"))["pause"]["number"] == 2


async def test_a_token_tells_nothing_of_a_session_that_its_bearer_does_not_read(house: House) -> None:
    session_id, pause = await house.paused()
    anybody = await house.as_(None)
    shown = await anybody.post(f"/v1/resume/{pause['resume_token']}")
    assert (shown["id"], shown["task"], shown["calls"], shown["said"]) == (session_id, "", [], "")


async def test_a_token_of_an_ended_session_or_pause_is_used(house: House) -> None:
    session_id, pause = await house.paused()
    await house.api.post(f"/v1/sessions/{session_id}/resume", {})
    anybody = await house.as_(None)
    (await anybody.post(f"/v1/resume/{pause['resume_token']}")).problem(409, "token_used")
    session_id, pause = await house.paused()
    await house.api.post(f"/v1/sessions/{session_id}/cancel", {})
    problem = (await anybody.post(f"/v1/resume/{pause['resume_token']}")).problem(409, "token_used")
    assert "cancelled" in problem["detail"]


async def test_a_forged_or_foreign_token_is_refused(build: Build) -> None:
    house = await build()
    session_id, pause = await house.paused()
    anybody, token = await house.as_(None), pause["resume_token"]
    body, _, signature = token.rpartition(".")
    for wrong in ("x", token[:-2], f"{body}.{signature[::-1]}", f"A{token[1:]}", "x" * 500, "%00", "a%2Fb"):
        (await anybody.post(f"/v1/resume/{wrong}")).problem(403, "token_invalid")
    stranger = await _as(house, "another-flagman-0123456789")
    (await anybody.post(f"{stranger}/v1/resume/{token}")).problem(403, "token_invalid")
    assert (await house.api.get(f"/v1/sessions/{session_id}"))["status"] == "paused"


async def _as(house: House, secret: str) -> str:
    """The address of a process on the same store with another secret."""
    flagman: Flagman = house.scene.flagman
    flagman.config = flagman.config.model_copy(update={"secret_key": SecretStr(secret)})
    return await flagman.add_api()


async def test_an_expired_token_is_gone(build: Build) -> None:
    house = await build(token_seconds=1)
    session_id, pause = await house.paused()
    await asyncio.sleep(2.1)
    anybody = await house.as_(None)
    (await anybody.post(f"/v1/resume/{pause['resume_token']}")).problem(410, "token_expired")
    assert (await house.api.get(f"/v1/sessions/{session_id}"))["status"] == "paused"


async def test_secrets_are_rotated_without_losing_tokens(build: Build) -> None:
    house = await build(secret_key=SecretStr(OLD))
    _, pause = await house.paused()
    anybody = await house.as_(None)
    gone = await _as(house, NEW)
    (await anybody.post(f"{gone}/v1/resume/{pause['resume_token']}")).problem(403, "token_invalid")
    both = await _as(house, f"{NEW},{OLD}")
    assert (await anybody.post(f"{both}/v1/resume/{pause['resume_token']}")).status == 200
    # What is given out now is signed with the new one.
    session_id, _ = await house.paused()
    made = await house.api.post(f"{both}/v1/sessions/{session_id}/token")
    assert made.status == 201
    assert (await anybody.post(f"{gone}/v1/resume/{made['resume_token']}")).status == 200


async def test_one_more_condition_does_not_end_the_token(house: House) -> None:
    session_id, pause = await house.paused()
    path = f"/v1/sessions/{session_id}"
    more = await house.api.post(f"{path}/pause", {"resume_conditions": ["webhook: late"]})
    assert more["conditions"][-1] == "webhook: late"
    anybody = await house.as_(None)
    assert (await anybody.post(f"/v1/resume/{pause['resume_token']}")).status == 200


async def test_other_conditions_in_their_place_end_the_token(house: House) -> None:
    session_id, pause = await house.paused("webhook: early")
    only = {"resume_conditions": ["webhook: late"], "replace": True}
    other = await house.api.post(f"/v1/sessions/{session_id}/pause", only)
    assert other["conditions"] == ["webhook: late"]
    anybody = await house.as_(None)
    refused = await anybody.post(f"/v1/resume/{pause['resume_token']}")
    assert "when it was said what else" in refused.problem(409, "token_used")["detail"]
    assert (await anybody.post(f"/v1/resume/{other['resume_token']}")).status == 200


async def test_pausing_has_its_own_refusals(house: House) -> None:
    session_id, _ = await house.paused("in: 2h", 'event: deploy.finished where env == "prod"')
    path = f"/v1/sessions/{session_id}"
    assert len((await house.api.get(path))["pause"]["conditions"]) == 2
    (await house.api.post(f"{path}/pause", {})).problem(409, "illegal_event")
    wrong = await house.api.post(f"{path}/pause", {"resume_conditions": ["when the moon is full"]})
    assert "`webhook: redis_ready`" in wrong.problem(422, "invalid_condition")["detail"]
    (await house.api.post(f"{path}/pause", {"resume_conditions": ["manual"] * 11})).problem(
        422, "invalid_request"
    )
    (await house.api.post(f"{path}/resume", {"context": "go on"}))["version"]
    (await house.api.post(f"{path}/resume", {})).problem(409, "illegal_event")
    (await house.api.post(f"{path}/token")).problem(409, "illegal_event")
    (await house.api.post("/v1/sessions/no-no/pause", {})).problem(404, "session_not_found")


async def test_a_session_that_has_no_room_for_words_is_resumed_without(
    house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("supervisor.core.commands.base.MOST_UNREAD", 2)
    session_id, pause = await house.paused()
    path, anybody = f"/v1/sessions/{session_id}", await house.as_(None)
    for _ in range(2):
        assert (await house.api.post(f"{path}/context", {"text": "look"})).status == 200
    refused = await house.api.post(f"{path}/context", {"text": "look"})
    assert "has 2 messages to read first" in refused.problem(409, "illegal_event")["detail"]
    token = f"/v1/resume/{pause['resume_token']}"
    refused = await anybody.post(token, {"data": {"a": 1}})
    assert "has 2 messages to read first" in refused.problem(409, "illegal_event")["detail"]
    assert (await anybody.post(token)).status == 200


async def test_words_that_come_with_a_token_are_those_of_whose_token_it_is(house: House) -> None:
    ci = await house.as_(LAUNCH)
    session_id = str((await ci.post("/v1/sessions", {"persona": "ops", "task": "ship it"}))["id"])
    await house.resting(session_id)
    paused = await house.api.post(f"/v1/sessions/{session_id}/pause", {})
    token = (await ci.post(f"/v1/sessions/{session_id}/token"))["resume_token"]
    assert token != paused["resume_token"]
    nobody = await house.as_(None)
    assert (await nobody.post(f"/v1/resume/{token}", {"context": "take production"})).status == 200
    session = await house.until(session_id, lambda s: not s.pause)
    assert "api:ci" in session.steered_by
    events = (await house.api.get(f"/v1/sessions/{session_id}/events"))["events"]
    (resumed,) = [event for event in events if event["type"] == "Resumed"]
    assert (resumed["by"], resumed["by_owner"]) == ("token", "api:ci")
