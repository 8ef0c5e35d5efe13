"""The page shows what runs as Slack does: the plan, the last lines, that the agent works, and Stop."""

from __future__ import annotations

import pytest
from playwright.async_api import Page, expect

from handlers.blocks.running import Running, running_blocks
from supervisor.core.records import RunningCall
from supervisor.core.text.masking import Masker
from tests.core.build import AT
from tests.support.slack import OPS, Slack

pytestmark = pytest.mark.browser


async def test_what_runs_and_stop(page: Page, slack: Slack) -> None:
    call = RunningCall(call_id="1.1", tool="shell", since=AT, lines="[1/2] compiling\n[2/2] linking")
    posted = await slack.api(
        "chat.postMessage", channel=OPS, text="card", blocks=running_blocks([Running(call)], AT, Masker())
    )
    await slack.api("chat.postMessage", channel=OPS, text="reply", thread_ts=posted["ts"])
    await expect(page.get_by_text("[2/2] linking")).to_be_visible()
    await page.get_by_test_id("open-thread").first.click()
    place = {"channel_id": OPS, "thread_ts": posted["ts"]}
    await slack.api("agents.sessions.setStatus", **place, status="processing")
    await expect(page.get_by_text("is working…")).to_be_visible()
    await page.get_by_test_id("stop").click()
    await slack.api("agents.sessions.setStatus", **place, status="closed")
    await expect(page.get_by_test_id("stop")).to_have_count(0)
