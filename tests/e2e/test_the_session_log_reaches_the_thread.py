"""When a session has ended its SESSION_LOG is in the thread, once, whatever Slack and the worker go through."""

from __future__ import annotations

import logging
from datetime import timedelta

import pytest

import handlers.projection.log_upload
import handlers.projection.refusals
from bot.resume_hints import hints_of
from handlers.projection.log_upload import KEY
from handlers.projection.message_rows import Row
from storage.projections import ProjectionStore
from supervisor.core.state import Session
from supervisor.session_log.verify import verify
from tests.support.scenario import APPROVE, Director, Scene
from tests.support.scripted import calls, in_turn, says
from tests.support.slack import ADA, ADA_DM, OPS, Json, wait_for

ONE = in_turn(calls(("deploy", {"service": "shop"})), says("All done."))
SIGNING = "a-key-for-tests-only-0123456789abcdef"
COMPLETE, BEGIN = "files.completeUploadExternal", "files.getUploadURLExternal"


@pytest.fixture(autouse=True)
def _soon(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(handlers.projection.refusals, "RETRY_SECONDS", 0.05)
    monkeypatch.setattr(handlers.projection.log_upload, "SHARED", timedelta(seconds=0.1))


async def ended(scene: Scene) -> Session:
    session = await scene.launch()
    (ask,) = await scene.asked(session)
    assert (await scene.slack.click(ADA, OPS, ask["ts"], APPROVE))["ok"]
    return await scene.ended(session)


async def files(scene: Scene, session: Session) -> list[Json]:
    """Messages of the thread with its SESSION_LOG."""
    card = await scene.card(session)
    rows = await scene.slack.messages(OPS, card["ts"])
    name = f"SESSION_LOG-{session.id}.md"
    return [row for row in rows if any(file["name"] == name for file in row.get("files") or ())]


async def row_of(scene: Scene, session: Session) -> Row | None:
    found = (await scene.flagman.core.rows.rows(session.id)).get(KEY)
    return Row.model_validate_json(found) if found else None


async def settled(scene: Scene, session: Session) -> None:
    """Flagman knows that it is there."""

    async def known() -> bool:
        row = await row_of(scene, session)
        return bool(row and row.shows)

    await wait_for(known)


async def test_it_is_there_and_verifies(scenario: Director) -> None:
    scene = await scenario(ONE)
    session = await ended(scene)
    await settled(scene, session)
    (message,) = await files(scene, session)
    async with scene.slack.session.get(message["files"][0]["url_private"]) as answer:
        found = verify(await answer.read(), [SIGNING], hints_of)
    assert found.session == session
    assert found.signed
    assert await scene.refused() == []


BROKEN: dict[str, Json] = {
    "429": {"status": 429, "retry_after": 1},
    "503": {"status": 503},
    "503 after the effect": {"status": 503, "when": "after"},
    "a dropped connection": {"status": 0},
    "a dropped connection after the effect": {"status": 0, "when": "after"},
}


@pytest.mark.parametrize("method", [BEGIN, COMPLETE])
@pytest.mark.parametrize("how", BROKEN)
async def test_slack_in_trouble_delays_it_and_never_doubles_it(
    scenario: Director, how: str, method: str
) -> None:
    scene = await scenario(ONE)
    await scene.slack.fault(method, **BROKEN[how])
    session = await ended(scene)
    await settled(scene, session)
    assert len(await files(scene, session)) == 1
    card = await scene.card(session)
    await scene.slack.message(OPS, lambda m: "All done." in str(m), card["ts"])


async def test_a_worker_that_dies_after_it_was_shared_does_not_share_it_again(scenario: Director) -> None:
    scene = await scenario(ONE)
    session = await ended(scene)
    await settled(scene, session)
    row = await row_of(scene, session)
    assert row
    # As the one who died left it: intended, shared, and not recorded.
    rows: ProjectionStore = scene.flagman.core.rows
    intent = Row(channel=row.channel, thread_ts=row.thread_ts, intended_at=session.changed_at.timestamp())
    await rows.record(session.id, KEY, intent.data)
    _, outbox = scene.flagman.core.queues()
    await outbox.enqueue(session.id)
    await settled(scene, session)
    assert len(await files(scene, session)) == 1
    assert len(await scene.slack.calls(COMPLETE)) == 1


async def test_without_the_scope_there_is_one_line_in_the_log_and_nothing_else_breaks(
    scenario: Director, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.WARNING, "flagman")
    scene = await scenario(ONE)
    await scene.slack.fault(BEGIN, error="missing_scope", times=9)
    for _ in range(3):
        session = await ended(scene)
        await settled(scene, session)
        assert await files(scene, session) == []
        card = await scene.card(session)
        await scene.slack.message(OPS, lambda m: "All done." in str(m), card["ts"])
    lines = [record.getMessage() for record in caplog.records if "SESSION_LOG" in record.getMessage()]
    assert len(lines) == 1
    assert "files:write" in lines[0]


async def test_a_session_that_still_runs_has_none(scenario: Director) -> None:
    scene = await scenario(ONE)
    session = await scene.launch()
    await scene.asked(session)
    assert await scene.slack.calls(BEGIN) == []
    await scene.slack.command(ADA, OPS, f"cancel {session.id}")
    await settled(scene, session)
    assert len(await files(scene, session)) == 1


@pytest.mark.parametrize("error", ["is_archived", "not_in_channel", "channel_not_found"])
async def test_where_the_channel_takes_it_no_more_the_requester_has_it(
    scenario: Director, error: str
) -> None:
    scene = await scenario(ONE)
    await scene.slack.fault(COMPLETE, error=error)
    session = await ended(scene)
    await settled(scene, session)
    assert await files(scene, session) == []
    name = f"SESSION_LOG-{session.id}.md"
    shared = [f for row in await scene.slack.messages(ADA_DM) for f in row.get("files") or ()]
    assert [f["name"] for f in shared] == [name]
