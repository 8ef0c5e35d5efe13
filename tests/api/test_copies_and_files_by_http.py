"""Copies of a session, its files, and what it has used of its budget, by HTTP."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest

from supervisor.core.messages import ModelReply, ModelRequest
from tests.api.conftest import APPROVE, LAUNCH, READ, Build, House
from tests.support.scripted import calls, in_turn, results, says, told
from tests.support.slack import OPS, texts
from tests.support.two_level_plan import ALLOWED, two_level_plan

WRITES = in_turn(
    calls(("write_file", {"path": "out/ré sumé.md", "content": "one\n"})),
    calls(("deploy", {"service": "shop"})),
    says("Done."),
)


@pytest.fixture
async def writing(build: Build) -> House:
    """A session writes a file without asking, and then proposes a deployment."""
    return await build(WRITES, persona={"approvals": ALLOWED})


# Copies


async def test_a_copy_goes_on_by_itself_and_runs_nothing_twice(writing: House) -> None:
    session_id = await writing.launch("write", channel=OPS)
    await writing.resting(session_id)
    reply = await writing.api.post(f"/v1/sessions/{session_id}/fork", {"message": "do it otherwise"})
    assert reply.status == 201, reply
    copy = reply["id"]
    assert reply.headers["Location"] == f"/v1/sessions/{copy}"
    assert reply["forked_from"] == {"id": session_id, "step": 1, "missing": []}
    assert (reply["channel"], reply["artifacts"]) == (OPS, ["out/ré sumé.md"])
    await writing.resting(copy)
    assert "do it otherwise" in "\n".join(told(writing.scene.model.requests[-1]))
    decided = await writing.api.decide(f"/v1/sessions/{copy}", {"verdict": "approve"}, "2.1")
    assert decided.status == 200
    await writing.until(copy, lambda s: s.ended)
    assert (await writing.api.get(f"/v1/sessions/{session_id}"))["status"] == "paused"
    assert [row[1] for row in writing.scene.runs("deploy")] == [copy]
    content = await writing.api.get(f"/v1/sessions/{copy}/artifacts/out/r%C3%A9%20sum%C3%A9.md")
    assert content.body == "one\n"


async def test_a_copy_may_begin_anew_in_another_channel(writing: House) -> None:
    session_id = await writing.launch("write")
    await writing.resting(session_id)
    reply = await writing.api.post(f"/v1/sessions/{session_id}/fork", {"step": 0, "channel": OPS})
    assert (reply["forked_from"]["step"], reply["artifacts"]) == (0, [])
    await writing.scene.slack.message(OPS, lambda m: reply["id"] in texts(m))


async def test_the_same_key_copies_once_even_when_the_source_went_on(writing: House) -> None:
    session_id = await writing.launch("write")
    await writing.resting(session_id)
    path, headers = f"/v1/sessions/{session_id}/fork", {"Idempotency-Key": "copy-1"}
    replies = await asyncio.gather(*(writing.api.post(path, {}, headers=headers) for _ in range(4)))
    assert len({reply["id"] for reply in replies}) == 1
    await writing.api.decide(f"/v1/sessions/{session_id}", {"verdict": "approve"}, "2.1")
    await writing.until(session_id, lambda s: s.ended)
    assert (await writing.api.post(path, {}, headers=headers))["id"] == replies[0]["id"]
    for other in ({"step": 0}, {"message": "x"}, {"channel": OPS}):
        (await writing.api.post(path, other, headers=headers)).problem(409, "idempotency_conflict")
    launch = await writing.api.post("/v1/sessions", {"persona": "ops", "task": "x"}, headers=headers)
    launch.problem(409, "idempotency_conflict")


async def test_what_cannot_be_copied_is_told_why(writing: House) -> None:
    session_id = await writing.launch("write")
    await writing.resting(session_id)
    path = f"/v1/sessions/{session_id}/fork"
    refused = await writing.api.post(path, {"step": 2})
    assert "choose from 0 to 1" in refused.problem(422, "invalid_input")["detail"]
    (await writing.api.post(path, {"step": -1})).problem(422, "invalid_request")
    (await writing.api.post(path, {"step": "1"})).problem(422, "invalid_request")
    (await writing.api.post(path, {"message": "x" * 20_001})).problem(422, "invalid_request")
    for nobody in ("none-none", "none", "..%2F.."):
        (await writing.api.post(f"/v1/sessions/{nobody}/fork")).problem(404, "session_not_found")
    (await (await writing.as_(READ)).post(path)).problem(403, "missing_scope")
    assert (await (await writing.as_(LAUNCH)).post(path)).status == 201


# Files


async def test_files_are_listed_and_read_as_they_are(writing: House) -> None:
    session_id = await writing.launch("write")
    await writing.resting(session_id)
    path = f"/v1/sessions/{session_id}/artifacts"
    reader = await writing.as_(READ)
    listed = await reader.get(path)
    assert listed["artifacts"] == [{"path": "out/ré sumé.md", "size": 4, "removed": False}]
    assert (await reader.get(f"/v1/sessions/{session_id}"))["artifacts"] == ["out/ré sumé.md"]
    for written in ("out/r%C3%A9%20sum%C3%A9.md", "out%2Fr%C3%A9%20sum%C3%A9.md"):
        file = await reader.get(f"{path}/{written}")
        assert (file.status, file.body) == (200, "one\n")
    assert file.headers["Content-Type"] == "application/octet-stream"
    assert file.headers["Content-Disposition"] == "attachment; filename*=UTF-8''r%C3%A9%20sum%C3%A9.md"
    assert file.headers["X-Content-Type-Options"] == "nosniff"


async def test_only_what_the_session_wrote_is_read(writing: House) -> None:
    session_id = await writing.launch("write")
    await writing.resting(session_id)
    path = f"/v1/sessions/{session_id}/artifacts"
    folder = writing.scene.flagman.config.workspace_folder / session_id
    (folder / "secret.txt").write_text("not listed")
    for wrong in ("secret.txt", "out", "%2Fetc%2Fpasswd", "out%2F..%2Fsecret.txt", "%00"):
        (await writing.api.get(f"{path}/{wrong}")).problem(404, "artifact_not_found")
    (folder / "out" / "ré sumé.md").unlink()
    (folder / "out" / "ré sumé.md").symlink_to(Path("/etc/passwd"))
    (await writing.api.get(f"{path}/out/r%C3%A9%20sum%C3%A9.md")).problem(404, "artifact_not_found")
    assert (await writing.api.get(path))["artifacts"][0]["size"] is None
    (await (await writing.as_(None)).get(path)).problem(401, "unauthorized")
    blind = await writing.api.post("/v1/keys", {"name": "blind", "scopes": ["approve"]})
    (await (await writing.as_(blind["key"])).get(path)).problem(403, "missing_scope")
    (await writing.api.get("/v1/sessions/none-none/artifacts")).problem(404, "session_not_found")
    (await writing.api.get("/v1/sessions/none-none/artifacts/x")).problem(404, "session_not_found")


# Budgets


def fills(request: ModelRequest) -> ModelReply:
    """It writes a file, after which its context is full."""
    if request.purpose == "summary":
        return says("The report is written.")
    if results(request) or "The report is written." in "\n".join(told(request)):
        return says("Done.")
    return calls(("write_file", {"path": "report.md", "content": "x"}))


async def test_a_session_stopped_by_its_budget_tells_what_is_used(build: Build) -> None:
    house = await build(
        two_level_plan, persona={"approvals": ALLOWED, "budgets": {"max_steps": 1, "max_cost_usd": 2}}
    )
    session_id = await house.launch("write it")
    waiting = await house.api.get(f"/v1/sessions/{session_id}/wait?timeout=60")
    assert waiting["waiting_for"] == "budget_exceeded"
    budget = waiting["budget"]
    assert budget["steps"] == {"used": 1, "limit": 1}
    assert budget["tokens"] == {"used": 120, "limit": None}
    assert budget["cost_usd"] == {"used": "0.001", "limit": "2"}
    assert budget["context_tokens"] == {"used": 120, "limit": None}
    assert (budget["minutes"]["limit"], budget["minutes"]["used"] < 1) == (None, True)
    resumed = await house.api.post(f"/v1/sessions/{session_id}/resume", {})
    assert resumed["budget"]["steps"]["limit"] == 2
    ended = await house.until(session_id, lambda s: s.ended)
    assert ended.lifecycle == "completed"


async def test_a_full_context_is_summed_up(build: Build) -> None:
    house = await build(fills, persona={"approvals": ALLOWED, "budgets": {"max_context_tokens": 100}})
    session_id = await house.launch("write it")
    path = f"/v1/sessions/{session_id}"
    waiting = await house.api.get(f"{path}/wait?timeout=60")
    assert waiting["waiting_for"] == "context_budget_exceeded"
    assert waiting["budget"]["context_tokens"] == {"used": 120, "limit": 100}
    (await house.api.post(f"{path}/resume", {"compact": "yes"})).problem(422, "invalid_request")
    (await (await house.as_(APPROVE)).post(f"{path}/resume", {"compact": True})).problem(403, "missing_scope")
    assert (await house.api.post(f"{path}/resume", {"compact": True})).status == 200
    ended = await house.until(session_id, lambda s: s.ended)
    assert [c.through_step for c in ended.compactions] == [1]
    assert ended.budgets.max_context_tokens == 100
    assert house.scene.model.requests[1].purpose == "summary"


async def test_there_is_nothing_to_sum_up_before_a_step(build: Build) -> None:
    asked = asyncio.Event()

    async def never(_: ModelRequest) -> ModelReply:
        asked.set()
        await asyncio.sleep(3600)
        return says("")

    house = await build(never)
    session_id = await house.launch()
    await asyncio.wait_for(asked.wait(), 60)
    path = f"/v1/sessions/{session_id}"
    assert (await house.api.post(f"{path}/pause", {})).status == 200
    (await house.api.post(f"{path}/resume", {"compact": True})).problem(409, "illegal_event")
    assert (await house.api.post(f"{path}/cancel", {})).status == 200
