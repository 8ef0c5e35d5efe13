"""Agent sessions: their status in a thread, the Stop button that it brings, and a workspace that has none of it."""

from __future__ import annotations

import pytest
from slack_sdk.errors import SlackApiError
from slack_sdk.models.blocks import PlanBlock, TaskCardBlock
from slack_sdk.web.async_client import AsyncWebClient

from bot.playground.seed import EVENTS, Manifest
from tests.playground.test_kinds_of_channels import refused
from tests.support.slack import ADA, OPS, Slack

PLAN = PlanBlock(title="1 call", tasks=[TaskCardBlock(task_id="1.1", title="shell", status="in_progress")])


async def test_a_session_that_works_can_be_stopped(client: AsyncWebClient, slack: Slack) -> None:
    root = str((await client.chat_postMessage(channel=OPS, text="card"))["ts"])
    place = {"user": ADA, "channel": OPS, "thread_ts": root}
    assert (await slack.send("stop", place))["http"] == 409
    answer = await client.agents_sessions_setStatus(channel_id=OPS, thread_ts=root, status="processing")
    assert (answer["status"], answer.get("warning")) == ("processing", None)
    assert (await slack.get("status", channel=OPS, thread_ts=root))["agent"] == "processing"
    assert (await slack.send("stop", place))["ok"]
    # The app has to set another status.
    assert (await slack.get("status", channel=OPS, thread_ts=root))["agent"] == "processing"
    assert await refused(client, "agents.sessions.setStatus", channel_id=OPS, status="x", thread_ts=root)


async def test_without_the_event_nothing_can_be_stopped(client: AsyncWebClient, slack: Slack) -> None:
    slack.playground.workspace.manifest = Manifest(events=EVENTS - {"agent_session_stopped"})
    root = str((await client.chat_postMessage(channel=OPS, text="card"))["ts"])
    answer = await client.agents_sessions_setStatus(channel_id=OPS, thread_ts=root, status="processing")
    assert answer["warning"] == "missing_agent_session_stopped_event_subscription"


async def test_a_workspace_without_agents(client: AsyncWebClient, slack: Slack) -> None:
    assert (await client.chat_postMessage(channel=OPS, text="plan", blocks=[PLAN]))["ok"]
    await slack.settings(agents_error="feature_not_enabled")
    assert (
        await refused(client, "agents.sessions.setStatus", channel_id=OPS, status="active", thread_ts="1.1")
        == "feature_not_enabled"
    )
    with pytest.raises(SlackApiError, match="invalid_blocks"):
        await client.chat_postMessage(channel=OPS, text="plan", blocks=[PLAN])
