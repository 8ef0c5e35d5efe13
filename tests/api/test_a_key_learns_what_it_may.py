"""What a key is told ends with its right to it, and is no more than its person may see."""

from __future__ import annotations

import pytest

from bot.api.routes import event_stream
from supervisor.contract import reader
from supervisor.core import rights
from supervisor.core.errors import NotAllowed
from supervisor.core.events import Actor
from tests.api.conftest import Build
from tests.api.test_keys_open_what_they_may import house_with
from tests.support.api import Json, Reply
from tests.support.slack import ADA, BOT, GRACE


def gone(actor: Actor) -> None:
    raise NotAllowed("This account is deactivated.")


@pytest.mark.parametrize("ends", ["revoked", "deactivated"])
async def test_a_stream_ends_with_the_right_to_it(
    build: Build, monkeypatch: pytest.MonkeyPatch, ends: str
) -> None:
    for module in (reader, event_stream):
        monkeypatch.setattr(module, "RIGHTS_SECONDS", 0.0)
    monkeypatch.setattr(event_stream, "HEARTBEAT_SECONDS", 0.1)
    house, _, _ = await house_with(build, admins=GRACE)
    made = await house.api.post("/v1/keys", {"name": "ear", "scopes": ["read"], "owner": ADA})
    ear = await house.as_(made["key"])
    session = await house.scene.launch("mine", user=ADA)
    await house.resting(session.id)
    async with ear.stream(f"/v1/sessions/{session.id}/events") as coming:
        assert (await anext(coming)).event == "SessionLaunched"
        if ends == "revoked":
            await house.api.delete(f"/v1/keys/{made['id']}")
        else:
            # What the directory knows of a person is remembered for a minute, which this does not wait for.
            monkeypatch.setattr(rights, "check_active", gone)
        assert [frame async for frame in coming if frame.event == "Cancelled"] == []
    await house.api.post(f"/v1/sessions/{session.id}/cancel", {})


async def test_who_may_decide_on_a_call_and_not_read_its_session_reads_the_call_alone(build: Build) -> None:
    rule = [{"tool": "deploy", "mode": "ask", "approvers": {"users": [ADA]}}]
    house, _, other = await house_with(build, persona={"approvals": rule})
    private = await house.scene.slack.channel("private", name="closed", members=[GRACE, BOT])
    session = await house.scene.launch("the secret merger", user=GRACE, channel=private)
    await house.resting(session.id)
    path = f"/v1/sessions/{session.id}"
    (await other.get(path)).problem(404, "session_not_found")
    told = await other.post(f"{path}/context", {"text": "careful"})
    assert told.status == 200
    call = session_call(await house.api.get(path))
    seen = {"digest": call["digest"], "request": call["request"]}
    decided = await other.post(f"{path}/calls/1.1/decision", {"verdict": "approve", **seen})
    assert [row["call_id"] for row in decided["calls"]] == ["1.1"]
    assert "merger" not in f"{told.body}{decided.body}"


def session_call(reply: Reply) -> Json:
    (call,) = reply["calls"]
    return dict(call)


async def test_a_person_chooses_by_a_key_how_they_are_told(build: Build) -> None:
    house, _, _ = await house_with(build, admins=GRACE)
    wanted = {"name": "ears", "scopes": ["read", "approve"], "owner": ADA}
    mine = await house.as_((await house.api.post("/v1/keys", wanted))["key"])
    assert (await mine.get("/v1/notifications")).body == {"way": "place", "quiet": ""}
    chosen = await mine("PATCH", "/v1/notifications", {"way": "direct", "quiet": "22-7:30"})
    assert chosen.body == {"way": "direct", "quiet": "22:00-07:30"}
    assert (await mine("PATCH", "/v1/notifications", {"quiet": "off"})).body == {"way": "direct", "quiet": ""}
    (await mine("PATCH", "/v1/notifications", {"quiet": "at night"})).problem(422, "invalid_input")
    (await mine("PATCH", "/v1/notifications", {})).problem(422, "invalid_input")
    nobody = await house.as_((await house.api.post("/v1/keys", {"name": "ci", "scopes": ["read"]}))["key"])
    (await nobody.get("/v1/notifications")).problem(403, "not_allowed")
