"""Python programs, as DESIGN and README show them, do the same in process and over HTTP."""

from __future__ import annotations

import asyncio

import pytest

from bot.sdk import Agent, Session
from supervisor.core.errors import (
    AlreadyDecided,
    AlreadyEnded,
    IdempotencyConflict,
    IllegalEvent,
    InvalidCondition,
    InvalidInput,
    PersonaNotFound,
    SessionNotFound,
)
from tests.sdk.conftest import Around


async def test_the_listings_of_the_design_run_as_written(around: Around) -> None:
    async with around():
        session = await Agent(persona="backend-architect").start(task="Create auth endpoint")
        await session.pause(reason="External dependency", resume_condition="webhook: redis_ready")
        assert session.status == "paused"
        assert session.waiting_for == "external_dependency"

        session = await Session.load(session_id=session.id)
        await session.resume(trigger="webhook", data={"redis_url": "redis://cache:6379"})
        assert session.state.pause is None

        # The tour of the demo: two calls, and a question.
        for _ in range(2):
            await session.wait(timeout=60)
            assert session.needs_person
            await session.approve()
        await session.wait(timeout=60)
        await session.answer("Stop here")
        await session.wait(timeout=60)
        assert session.status == "completed"
        assert session.result
        assert "Create auth endpoint" in session.result
        events = [event async for event in session.events()]
        resumed = next(event for event in events if event.type == "Resumed")
        assert resumed.data["data"] == {"redis_url": "redis://cache:6379"}


async def test_a_pause_tells_status_session_and_token(around: Around) -> None:
    async with around():
        session = await Agent("sre").start("report on the disk")
        paused = await session.pause("wait", ["webhook: redis_ready", "in: 2h"])
        assert (paused.status, paused.session_id) == ("paused", session.id)
        assert paused.resume_token
        assert len(paused.resume_token) > 20
        assert paused.expires_at
        assert paused.conditions[0] == "webhook: redis_ready"
        assert paused.conditions[1].startswith("at: ")
        await session.cancel("enough")
        assert (session.status, session.ended) == ("cancelled", True)


async def test_deciding_one_call_and_then_another(around: Around) -> None:
    async with around():
        session = await Agent("sre").start("report on the disk")
        await session.wait(timeout=60)
        first, second = session.pending_approvals
        assert isinstance(second.arguments, dict)
        assert second.arguments["command"].startswith("df -h")
        await session.deny(second.call_id, reason="not now")
        await session.approve(first.call_id)
        with pytest.raises(AlreadyDecided, match="already denied by"):
            await session.approve(second.call_id)
        await session.wait(timeout=60, until="ended")
        assert session.status == "completed"
        with pytest.raises(AlreadyEnded):
            await session.cancel()
        with pytest.raises(InvalidInput, match="no call that waits"):
            await session.approve()


async def test_events_come_live_until_the_end(around: Around) -> None:
    async with around():
        session = await Agent("sre").start("report on the disk")
        seen: list[str] = []
        versions: list[int] = []

        async def follow() -> None:
            async for event in session.events():
                seen.append(event.type)
                versions.append(event.version)
                assert event.fact().type == event.type

        following = asyncio.create_task(follow())
        await session.wait(timeout=60)
        await session.tell("be quick about it")
        await session.approve()
        await asyncio.wait_for(following, 60)
        assert versions == list(range(1, len(versions) + 1))
        assert seen[0] == "SessionLaunched"
        assert seen[-1] == "Completed"
        assert {"ContextAdded", "ApprovalRequested", "ApprovalDecided"} <= set(seen)
        assert [event.version async for event in session.events(after=versions[-1] - 2)] == versions[-2:]


async def test_waiting_ends_in_time(around: Around) -> None:
    async with around():
        session = await Agent("sre").start("report on the disk")
        await session.wait(timeout=60, until="paused")
        with pytest.raises(TimeoutError):
            await session.wait(timeout=0.3, until="ended")
        await session.pause(resume_condition="webhook: never")
        assert not session.needs_person
        with pytest.raises(TimeoutError):
            await session.wait(timeout=0.3)
        await session.cancel()


async def test_refusals_are_the_same_errors(around: Around) -> None:
    async with around():
        with pytest.raises(SessionNotFound, match="There is no session"):
            await Session.load("nope-nope")
        with pytest.raises(PersonaNotFound, match="Choose one of"):
            await Agent("nobody").start("x")
        session = await Agent("sre").start("check", idempotency_key="one")
        again = await Agent("sre").start("check", idempotency_key="one")
        assert again.id == session.id
        with pytest.raises(IdempotencyConflict):
            await Agent("sre").start("something else", idempotency_key="one")
        with pytest.raises(InvalidCondition, match="webhook: redis_ready"):
            await session.pause(resume_condition="when it rains")
        with pytest.raises(IllegalEvent):
            await session.answer("42")
        await session.cancel()
