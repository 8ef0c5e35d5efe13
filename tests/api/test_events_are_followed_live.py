"""The log by pages and as a stream: nothing missed, nothing twice, ended with the session."""

from __future__ import annotations

import asyncio
import time
from contextlib import AsyncExitStack

import pytest

from bot.api.routes import event_stream as stream
from bot.processes.web import application, listen
from supervisor.contract import followers as live
from tests.api.conftest import READ, Build, House
from tests.support.api import Frame
from tests.support.ports import free_port
from tests.support.redis_proxy import RedisProxy
from tests.support.slack import wait_for


async def test_a_stream_tells_everything_once_and_ends_with_the_session(house: House) -> None:
    session_id = await house.launch()
    path = f"/v1/sessions/{session_id}"
    frames: list[Frame] = []
    async with house.api.stream(f"{path}/events") as coming:
        async for frame in coming:
            frames.append(frame)
            if frame.event == "ApprovalRequested":
                reply = await house.api.decide(path, {"verdict": "approve"})
                assert reply.status == 200
    assert [f.id for f in frames] == list(range(1, len(frames) + 1))
    assert (frames[0].event, frames[-1].event) == ("SessionLaunched", "Completed")
    assert frames[0].data["data"]["task"] == "ship it"
    assert frames[-1].data == (await house.api.get(f"{path}/events"))["events"][-1]


async def test_a_stream_goes_on_after_the_last_event_seen(house: House) -> None:
    session_id = await house.launch()
    await house.resting(session_id)
    path = f"/v1/sessions/{session_id}"
    seen: list[int] = []
    async with house.api.stream(f"{path}/events") as coming:
        async for frame in coming:
            seen.append(frame.id)
            if len(seen) == 2:
                break
    await house.api.post(f"{path}/cancel", {"reason": "enough"})
    async with house.api.stream(f"{path}/events", Last_Event_ID="2") as coming:
        rest = [frame async for frame in coming]
    version = (await house.api.get(path))["version"]
    assert seen + [f.id for f in rest] == list(range(1, version + 1))
    async with house.api.stream(f"{path}/events?after={version - 1}") as coming:
        assert [f.event async for f in coming] == ["Cancelled"]
    headers = {"Accept": "text/event-stream", "Last-Event-ID": str(version)}
    assert (await house.api.get(f"{path}/events", headers=headers)).status == 204
    headers["Last-Event-ID"] = "many"
    (await house.api.get(f"{path}/events", headers=headers)).problem(422, "invalid_request")


async def test_what_happens_is_told_at_once_and_by_any_process(
    house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    # Only what the processes tell each other comes in time.
    monkeypatch.setattr(live, "LOOK_AGAIN_SECONDS", 3600.0)
    session_id = await house.launch()
    await house.resting(session_id)
    path = f"/v1/sessions/{session_id}"
    other = await house.scene.flagman.add_api()
    async with house.api.stream(f"{path}/events") as coming:
        async for frame in coming:
            if frame.event == "ApprovalRequested":
                break
        await wait_for(house.scene.flagman.core.redis.pubsub_numpat)
        async with house.api.session.post(f"{other}{path}/context", json={"text": "hello"}) as answer:
            assert answer.status == 200
        frame = await anext(coming)
        assert frame.data["data"]["text"] == "hello"


async def test_messages_that_are_missed_are_made_up_for(
    build: Build, valkey_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(live, "LOOK_AGAIN_SECONDS", 0.3)
    async with RedisProxy(valkey_url) as proxy:
        house = await build(redis_url=proxy.url)
        session_id = await house.launch()
        await house.resting(session_id)
        # The subscription is asked for and never stands.
        proxy.at(("SUBSCRIBE", ":changed"), "stall", lambda: None)
        async with house.api.stream(f"/v1/sessions/{session_id}/events") as coming:
            async for frame in coming:
                if frame.event == "ApprovalRequested":
                    break
            await house.api.post(f"/v1/sessions/{session_id}/cancel", {})
            assert (await anext(coming)).event == "Cancelled"


async def test_a_quiet_stream_beats_and_ends_when_the_process_does(
    house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(stream, "HEARTBEAT_SECONDS", 0.2)
    session_id = await house.launch()
    await house.resting(session_id)
    path = f"/v1/sessions/{session_id}/events"
    async with house.api.session.get(path, headers={"Accept": "text/event-stream"}) as answer:
        async for line in answer.content:
            if line.startswith(b": still here"):
                break
    metrics = await house.api.get("/metrics")
    assert "flagman_followers" in metrics.body

    async def nobody() -> bool:
        return "flagman_followers 0" in (await house.api.get("/metrics")).body

    await wait_for(nobody)


async def test_a_stream_and_a_wait_end_with_their_process(house: House) -> None:
    session_id = await house.launch()
    await house.resting(session_id)
    parts = house.scene.flagman.core
    app = application(parts)
    config = parts.settings.model_copy(update={"port": free_port()})
    path = f"http://{config.host}:{config.port}/v1/sessions/{session_id}"
    async with AsyncExitStack() as process:
        await process.enter_async_context(listen(app, config))
        waiting = asyncio.create_task(house.api.get(f"{path}/wait?until=ended&timeout=60"))
        async with house.api.stream(f"{path}/events") as coming:
            async for frame in coming:
                if frame.event == "ApprovalRequested":
                    break
            began = time.monotonic()
            await process.aclose()
            assert [frame async for frame in coming] == []
        assert (await waiting)["status"] == "paused"
    assert time.monotonic() - began < 50


async def test_pages_follow_each_other(house: House) -> None:
    session_id = await house.launch()
    await house.resting(session_id)
    path = f"/v1/sessions/{session_id}/events"
    versions: list[int] = []
    after: int | None = 0
    while after is not None:
        page = await house.api.get(f"{path}?limit=2&after={after}")
        versions += [row["version"] for row in page["events"]]
        after = page["next"]
    assert versions == list(range(1, len(versions) + 1))
    assert (await house.api.get(f"{path}?after=999"))["events"] == []


async def test_wait_comes_back_when_it_is_so_far_or_the_time_is_over(house: House) -> None:
    reader = await house.as_(READ)
    session_id = await house.launch()
    path = f"/v1/sessions/{session_id}"
    assert (await reader.get(f"{path}/wait"))["status"] == "paused"
    began = time.monotonic()
    assert (await reader.get(f"{path}/wait?until=ended&timeout=0.3"))["status"] == "paused"
    assert 0.2 < time.monotonic() - began < 50
    version = (await reader.get(path))["version"]
    changed = asyncio.create_task(reader.get(f"{path}/wait?until=changed&version={version}"))
    await asyncio.sleep(0.1)
    await house.api.post(f"{path}/context", {"text": "hello"})
    assert (await changed)["version"] == version + 1
    for query in ("timeout=61", "timeout=nan", "until=later", "version=-1"):
        (await reader.get(f"{path}/wait?{query}")).problem(422, "invalid_request")
    (await reader.get("/v1/sessions/x/wait")).problem(404, "session_not_found")
