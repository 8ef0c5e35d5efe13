"""Launch by slash command, hold before the tool runs, approve in Slack, see it done."""

from __future__ import annotations

import pytest

from tests.support.flagman import Flagman
from tests.support.slack import ADA, OPS, Slack, buttons, texts, wait_for

pytestmark = pytest.mark.usefixtures("partitions")


async def test_a_launched_session_waits_for_approval_and_then_runs(slack: Slack, flagman: Flagman) -> None:
    answer = await slack.command(ADA, OPS, 'launch sre "report on the disk"')
    assert answer["ok"], answer
    card = await slack.message(OPS, lambda m: "Waiting for an approval" in texts(m))
    ask = await slack.message(OPS, lambda m: "Approval needed" in texts(m), card["ts"])
    assert "df -h" in texts(ask)
    session = await flagman.session(lambda s: s.waiting_for == "human_approval_required")
    assert not list((flagman.config.workspace_folder / session.id).glob("report.md"))
    assert (await slack.click(ADA, OPS, ask["ts"], "call_approve_all"))["ok"]
    await slack.message(OPS, lambda m: "Done" in texts(m), card["ts"])
    done = await flagman.session(lambda s: s.lifecycle == "completed")
    assert all(c.ok for step in done.steps for c in step.calls if c.call.tool != "read_file")
    assert (flagman.config.workspace_folder / session.id / "report.md").exists()

    async def settled() -> bool:
        rows = await slack.messages(OPS, card["ts"])
        return not any("call_approve" in buttons(row) for row in rows)

    await wait_for(settled)
