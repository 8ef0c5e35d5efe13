"""Launch, pause with a condition, resume from a webhook with data, resume with context, against a served Flagman."""

from __future__ import annotations

import json

from bot.sdk import Agent, Session, connect
from tests.api.test_webhooks_wake_sessions import signed
from tests.cli.served import Served
from tests.readme import examples
from tests.readme.conftest import SECRET
from tests.support.api import Client

DATA = {"redis_url": "redis://cache:6379"}


async def test_launch_pause_and_resume_in_python(flagman: Served, api: Client) -> None:
    async with connect(flagman.url, flagman.key):
        session = await Agent(persona="backend-architect").start(task="Create auth endpoint")
        assert (await api.get(f"/v1/sessions/{session.id}"))["task"] == "Create auth endpoint"

        await session.pause(reason="External dependency", resume_condition="webhook: redis_ready")
        assert (session.status, session.waiting_for) == ("paused", "external_dependency")

        session = await Session.load(session_id=session.id)
        await session.resume(trigger="webhook", data=DATA)
        assert session.state.pause is None

        await session.pause(reason="Waiting for review")
        await session.resume(context="Use the new cluster")
        assert session.state.pause is None

        await session.wait(timeout=60)
        (first,) = (call.call_id for call in session.state.calls if call.phase == "awaiting")
        await session.approve()
        await session.wait(timeout=60)
        # The tour of the demo has begun, and proposes its next call.
        assert [call.call_id for call in session.state.calls if call.phase == "awaiting"] != [first]
        await session.cancel()
        log = [event async for event in session.events()]
    resumed = [event.data for event in log if event.type == "Resumed"]
    assert [(r["trigger"], r["data"], r["context"]) for r in resumed] == [
        ("webhook", DATA, ""),
        ("manual", None, "Use the new cluster"),
    ]


async def test_a_real_webhook_resumes_what_python_paused(flagman: Served, api: Client) -> None:
    """The address is that of the README, and the sender signs."""
    (hook,) = [span for span in examples.spans("POST ") if "/hooks/" in span]
    method, path = hook.split()
    body = json.dumps(DATA).encode()
    async with connect(flagman.url, flagman.key), Client(flagman.url) as sender:
        session = await Agent(persona="backend-architect").start(task="Create auth endpoint")
        await session.wait(timeout=60)
        await session.pause(reason="External dependency", resume_condition="webhook: redis_ready")
        forged = await sender(method, path, data=body, headers=signed(body, secret="whsec_Zm9yZ2VkLWtleQ=="))
        assert forged.status == 401
        taken = await sender(method, path, data=body, headers=signed(body, secret=SECRET))
        assert (taken.status, session.id in taken["resumed"]) == (202, True)
        await session.refresh()
        assert session.state.pause is None
        events = (await api.get(f"/v1/sessions/{session.id}/events"))["events"]
        assert [e["data"]["data"] for e in events if e["type"] == "Resumed"] == [DATA]
        await session.cancel()
