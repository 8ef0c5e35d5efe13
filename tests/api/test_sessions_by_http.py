"""Launch, look, wait, approve and read, by HTTP alone."""

from __future__ import annotations

import asyncio
from datetime import datetime
from zoneinfo import ZoneInfo

import pytest

from storage import keys
from supervisor.session_log.render.document import FORMAT
from tests.api.conftest import ASKS, LAUNCH, Build, House
from tests.support.api import Reply
from tests.support.scripted import told
from tests.support.slack import OPS, texts

pytestmark = pytest.mark.usefixtures("partitions")


async def test_launch_wait_approve_and_read_the_result(house: House) -> None:
    launched = await house.api.post("/v1/sessions", {"persona": "ops", "task": "ship it"})
    assert launched.status == 201
    path = launched.headers["Location"]
    assert path == f"/v1/sessions/{launched['id']}"
    waiting = await house.api.get(f"{path}/wait?timeout=60")
    assert (waiting["status"], waiting["waiting_for"]) == ("paused", "human_approval_required")
    (call,) = waiting["calls"]
    assert (call["tool"], call["arguments"], call["phase"]) == (
        "deploy",
        {"notes": "", "service": "shop"},
        "awaiting",
    )
    decided = await house.api.post(
        f"{path}/calls/{call['call_id']}/decision", {"verdict": "approve", "digest": call["digest"]}
    )
    assert decided.status == 200, decided
    ended = await house.api.get(f"{path}/wait", params={"timeout": "10", "until": "ended"})
    assert (ended["status"], ended["result"], ended["calls"]) == ("completed", "Done.", [])
    assert len(house.scene.runs("deploy")) == 1
    log = await house.api.get(f"{path}/log")
    assert log.headers["Content-Type"].startswith("text/markdown")
    assert log.body.startswith(f"---\nsession_log: {FORMAT}\n")
    assert "**boss** (`api:boss`) **approved** `1.1` `deploy`" in log.body
    plain = await house.api.get(f"{path}/log", headers={"Accept": "text/plain"})
    assert plain.headers["Content-Type"].startswith("text/plain")
    assert "boss  launched ops: ship it" in plain.body


async def test_a_launch_into_a_channel_shows_in_slack(house: House) -> None:
    session_id = await house.launch(channel=OPS, context="by the pipeline")
    message = await house.scene.slack.message(OPS, lambda m: session_id in texts(m))
    assert "ship it" in texts(message)
    shown = await house.api.get(f"/v1/sessions/{session_id}")
    assert shown["channel"] == OPS
    assert shown["task"] == "ship it\n\nby the pipeline"
    assert shown["launched_by"] == "api:boss"


async def test_the_same_idempotency_key_launches_once(house: House) -> None:
    body, headers = {"persona": "ops", "task": "ship it"}, {"Idempotency-Key": "run-7"}
    replies = await asyncio.gather(*(house.api.post("/v1/sessions", body, headers=headers) for _ in range(5)))
    assert {r.status for r in replies} == {201}
    assert len({r["id"] for r in replies}) == 1
    for other in ({"task": "another"}, {"channel": OPS}):
        reply = await house.api.post("/v1/sessions", {**body, **other}, headers=headers)
        reply.problem(409, "idempotency_conflict")
    listed = await house.api.get("/v1/sessions")
    assert len(listed["sessions"]) == 1


async def test_a_wrong_launch_is_told_what_is_wrong(house: House) -> None:
    wrong: list[tuple[dict[str, object], str]] = [
        ({"persona": "ops"}, "body.task"),
        ({"persona": "ops", "task": ""}, "body.task"),
        ({"persona": "ops", "task": "x" * 20_001}, "body.task"),
        ({"persona": "ops", "task": 7}, "body.task"),
        ({"persona": "ops", "task": "x", "chanel": OPS}, "body.chanel"),
        ({"persona": "ops", "task": "x", "channel": "#ops"}, "body.channel"),
    ]
    for body, where in wrong:
        problem = (await house.api.post("/v1/sessions", body)).problem(422, "invalid_request")
        assert [row["where"] for row in problem["errors"]] == [where], body


async def test_wrong_requests_are_problem_documents(house: House) -> None:
    api = house.api
    (await api.post("/v1/sessions", {"persona": "none", "task": "x"})).problem(404, "persona_not_found")
    (await api.post("/v1/sessions", {"persona": "ops", "task": " "})).problem(422, "invalid_input")
    (await api.get("/v1/sessions/nope-nope")).problem(404, "session_not_found")
    (await api.get("/v1/sessions/%00%2F..")).problem(404, "session_not_found")
    (await api.get("/v1/nothing")).problem(404, "not_found")
    refused = await api("PUT", "/v1/sessions", {})
    refused.problem(405, "method_not_allowed")
    assert refused.headers["Allow"] == "GET,POST"
    (await api.post("/v1/sessions", data=b"{", headers={"Content-Type": "application/json"})).problem(
        400, "bad_request"
    )
    (await api.post("/v1/sessions", data=b"persona=ops")).problem(415, "unsupported_media_type")
    big = b'{"task": "' + b"x" * 1024 * 1024 + b'"}'
    (await api.post("/v1/sessions", data=big, headers={"Content-Type": "application/json"})).problem(
        413, "too_large"
    )
    (await api.get(f"/v1/sessions?cursor={'z' * 8190}")).problem(414, "uri_too_long")
    for query in ("limit=0", "limit=many", "status=asleep", "cursor=zzz", "page=2"):
        (await api.get(f"/v1/sessions?{query}")).problem(422, "invalid_request")


async def test_a_list_is_paged_and_filtered_and_skips_none(house: House) -> None:
    ids = {await house.launch(f"task {n}") for n in range(7)}
    cancelled = sorted(ids)[:2]
    for session_id in ids:
        await house.resting(session_id)
    for session_id in cancelled:
        assert (await house.api.post(f"/v1/sessions/{session_id}/cancel")).status == 200
    seen: list[str] = []
    cursor = ""
    while True:
        page = await house.api.get(f"/v1/sessions?limit=2{cursor}")
        seen += [row["id"] for row in page["sessions"]]
        if page["next"] is None:
            break
        cursor = f"&cursor={page['next']}"
    assert len(seen) == 7
    assert set(seen) == ids
    for query, count in {
        "status=cancelled": 2,
        "status=paused": 5,
        "status=failed": 0,
        "persona=ops": 7,
        "persona=x": 0,
    }.items():
        page = await house.api.get(f"/v1/sessions?{query}")
        assert len(page["sessions"]) == count, query
        assert page["next"] is None


async def test_a_session_that_cannot_be_read_is_listed_as_such(house: House) -> None:
    good, bad = await house.launch(), await house.launch()
    for session_id in (good, bad):
        await house.resting(session_id)
    await house.scene.flagman.core.redis.rpush(keys.log(bad), b"\x00 no event")
    for query in ("", "?status=paused", "?persona=ops"):
        page = await house.api.get(f"/v1/sessions{query}")
        assert [row["id"] for row in page["sessions"]] == [good]
        [row] = page["unreadable"]
        assert row["id"] == bad
        assert "cannot be read: event" in row["problem"]


async def test_a_question_is_answered_and_context_is_heard(build: Build) -> None:
    house = await build(ASKS)
    session_id = await house.launch()
    session = await house.resting(session_id)
    path = f"/v1/sessions/{session_id}"
    shown = await house.api.get(path)
    assert (shown["waiting_for"], shown["calls"][0]["options"]) == ("human_input_required", ["a", "b"])
    wrong = await house.api.post(f"{path}/answer", {"call_id": "9.9", "answer": "a"})
    wrong.problem(409, "illegal_event")
    answered = await house.api.post(f"{path}/answer", {"answer": "a"})
    assert answered.status == 200
    (await house.api.post(f"{path}/answer", {"answer": "b"})).problem(409, "illegal_event")
    ended = await house.until(session.id, lambda s: s.ended)
    assert ended.steps[0].calls[0].content == "a"


async def test_context_reaches_the_model(house: House) -> None:
    session_id = await house.launch()
    await house.resting(session_id)
    path = f"/v1/sessions/{session_id}"
    heard = await house.api.post(f"{path}/context", {"text": "mind the cache"})
    assert (heard.status, heard["heard"]) == (200, "noted")
    await house.api.decide(path, {"verdict": "deny", "reason": "not today"})
    await house.until(session_id, lambda s: s.ended)
    assert "mind the cache" in "\n".join(told(house.scene.model.requests[-1]))
    (await house.api.post(f"{path}/context", {"text": "late"})).problem(409, "already_ended")


async def test_reminders_are_set_listed_and_taken_back(house: House) -> None:
    session_id = await house.launch()
    path = f"/v1/sessions/{session_id}"
    made = await house.api.post(
        f"{path}/reminders", {"when": "tomorrow 09:00", "text": "look", "zone": "Europe/Berlin"}
    )
    assert made.status == 201
    assert made["text"] == "look"
    for when in ("in 30m", "2h", "at 09:00"):
        assert (await house.api.post(f"{path}/reminders", {"when": when})).status == 201
    (await house.api.post(f"{path}/reminders", {"when": "soon"})).problem(422, "invalid_condition")
    (await house.api.post(f"{path}/reminders", {"when": "2h", "zone": "Mars/Base"})).problem(
        422, "invalid_condition"
    )
    assert len((await house.api.get(path))["reminders"]) == 4
    assert (await house.api.delete(f"{path}/reminders/{made['id']}")).status == 204
    (await house.api.delete(f"{path}/reminders/{made['id']}")).problem(409, "illegal_event")
    assert len((await house.api.get(path))["reminders"]) == 3


async def test_schedules_are_added_paused_run_and_deleted(house: House) -> None:
    body = {
        "cron": "0 9 * * MON",
        "persona": "ops",
        "task": "weekly",
        "zone": "Europe/Berlin",
        "channel": OPS,
    }
    made = await house.api.post("/v1/schedules", body)
    assert made.status == 201
    path = made.headers["Location"]
    mondays = [datetime.fromisoformat(due) for due in made["next_times"]]
    assert [due.astimezone(ZoneInfo("Europe/Berlin")).strftime("%a %H:%M") for due in mondays] == [
        "Mon 09:00"
    ] * 3
    assert made["due"] == made["next_times"][0]
    assert (made["channel"], made["by"]) == (OPS, "api:boss")
    assert [s["id"] for s in (await house.api.get("/v1/schedules"))["schedules"]] == [made["id"]]
    assert (await house.api.post(f"{path}/pause"))["due"] is None
    assert (await house.api.post(f"{path}/resume"))["due"] == made["due"]
    run = await house.api.post(f"{path}/run")
    assert run.status == 201
    assert (await house.api.get(path))["last_session"] == run["id"]
    assert (await house.api.delete(path)).status == 204
    (await house.api.get(path)).problem(404, "schedule_not_found")
    never = await house.api.post("/v1/schedules", {**body, "cron": "0 0 31 2 *"})
    assert "“0 0 31 2 *” never comes" in never.problem(422, "invalid_condition")["detail"]
    session_id = await house.launch()
    paused = await house.api.post(
        f"/v1/sessions/{session_id}/pause", {"resume_conditions": ["cron: 0 0 31 2 *"]}
    )
    assert "“0 0 31 2 *” never comes" in paused.problem(422, "invalid_condition")["detail"]
    for wrong in ({"cron": "every day"}, {"cron": "0 9 * * MON tail"}, {"zone": "Mars/Base"}):
        (await house.api.post("/v1/schedules", {**body, **wrong})).problem(422, "invalid_condition")
    (await house.api.post("/v1/schedules", {**body, "persona": "x"})).problem(404, "persona_not_found")


async def test_schedules_are_limited_for_each_and_for_all(
    house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("supervisor.schedules.MOST_OF_ONE", 2)
    monkeypatch.setattr("supervisor.schedules.MOST", 3)
    weekly = {"cron": "0 9 * * MON", "persona": "ops", "task": "report"}
    other = await house.as_(LAUNCH)
    for _ in range(2):
        added = await house.api.post("/v1/schedules", weekly)
        assert added.status == 201
    refused = await house.api.post("/v1/schedules", weekly)
    assert refused.problem(429, "limit_reached")["detail"].startswith("You have 2 schedules already")
    assert (await other.post("/v1/schedules", weekly)).status == 201
    refused = await other.post("/v1/schedules", weekly)
    assert refused.problem(429, "limit_reached")["detail"].startswith("There are 3 schedules already")
    assert (await house.api.delete(f"/v1/schedules/{added['id']}")).status == 204
    assert (await house.api.post("/v1/schedules", weekly)).status == 201


async def test_idempotency_keys_are_limited(house: House, monkeypatch: pytest.MonkeyPatch) -> None:
    """One of each sender in each partition of the store."""
    monkeypatch.setattr("storage.log.MOST_CLAIMS", 1)
    launch, other = {"persona": "ops", "task": "look"}, await house.as_(LAUNCH)

    async def send(key: str) -> Reply:
        return await house.api.post("/v1/sessions", launch, headers={"Idempotency-Key": key})

    sent = {key: await send(key) for key in map(str, range(12))}
    refused = {key: reply for key, reply in sent.items() if reply.status != 201}
    assert len(refused) == 12 - len(await house.scene.flagman.core.partitions.all())
    for reply in refused.values():
        reply.problem(429, "limit_reached")
    for key in sent.keys() - refused:
        assert (await send(key))["id"] == sent[key]["id"]
    assert (await house.api.post("/v1/sessions", launch)).status == 201
    assert (await other.post("/v1/sessions", launch, headers={"Idempotency-Key": "0"})).status == 201


async def test_personas_and_metrics_are_shown(house: House) -> None:
    personas = await house.api.get("/v1/personas")
    assert [p["name"] for p in personas["personas"]] == ["ops"]
    await house.launch()
    metrics = await (await house.as_(None)).get("/metrics")
    assert metrics.headers["Content-Type"].startswith("text/plain; version=0.0.4")
    for name in ("sessions", "queue_depth", "parked", "timers", "uptime_seconds", "info"):
        assert f"# TYPE flagman_{name} gauge" in metrics.body
    assert "flagman_sessions" in metrics.body


async def test_secrets_are_masked_in_all_that_comes_out(house: House) -> None:
    secret = "ghp_0123456789012345678901234567890123"
    session_id = await house.launch(f"use {secret}")
    for path in ("", "/events", "/log"):
        reply = await house.api.get(f"/v1/sessions/{session_id}{path}")
        assert secret not in str(reply.body)
        assert "[masked]" in str(reply.body)
