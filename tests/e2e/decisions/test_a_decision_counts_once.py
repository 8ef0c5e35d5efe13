"""Clicks that come twice, together, late, or on two web processes: each call is decided once and runs once."""

from __future__ import annotations

import asyncio

import pytest

from supervisor.core.events import ApprovalDecided
from tests.support.scenario import APPROVE, DENY, Director, Scene, call_row
from tests.support.scripted import calls, in_turn, results, says
from tests.support.slack import ADA, GRACE, KEN, LINUS, MARGARET, OPS, wait_for

EVERYBODY = (ADA, GRACE, LINUS, MARGARET, KEN)
ONE = in_turn(calls(("deploy", {"service": "shop"})), says("Done."))


async def decisions(scene: Scene, session_id: str) -> list[ApprovalDecided]:
    events = await scene.flagman.core.supervisor.sessions.events(session_id)
    return [event for event in events if isinstance(event, ApprovalDecided)]


@pytest.mark.parametrize("webs", [1, 2])
async def test_five_people_click_at_once_and_one_is_recorded(scenario: Director, webs: int) -> None:
    scene = await scenario(ONE, webs=webs)
    session = await scene.launch()
    (ask,) = await scene.asked(session)
    clicks = [scene.slack.click(who, OPS, ask["ts"], APPROVE) for who in EVERYBODY]
    assert all(answer["ok"] for answer in await asyncio.gather(*clicks))
    await scene.ended(session)
    (decided,) = await decisions(scene, session.id)
    assert len(scene.runs("deploy")) == 1
    winner = decided.by.removeprefix("slack:")
    assert winner in EVERYBODY
    for who in set(EVERYBODY) - {winner}:
        (told,) = await scene.whispers(who, thread_ts=ask["thread_ts"])
        assert "already approved by" in told["text"]
        assert winner in told["text"]
    rows = await scene.slack.messages(OPS, ask["thread_ts"], user=winner)
    assert not [row for row in rows if row.get("ephemeral")]


async def test_a_double_click_of_one_person_decides_once(scenario: Director) -> None:
    scene = await scenario(ONE)
    session = await scene.launch()
    (ask,) = await scene.asked(session)
    await asyncio.gather(*(scene.slack.click(ADA, OPS, ask["ts"], APPROVE) for _ in range(4)))
    await scene.ended(session)
    assert len(await decisions(scene, session.id)) == len(scene.runs("deploy")) == 1


async def test_a_click_on_an_old_picture_of_the_message_is_told_who_decided(scenario: Director) -> None:
    scene = await scenario(ONE)
    session = await scene.launch()
    (ask,) = await scene.asked(session)
    assert (await scene.slack.click(ADA, OPS, ask["ts"], APPROVE))["ok"]
    await scene.ended(session)
    await scene.settled(session)
    for button in (APPROVE, DENY):
        assert (await scene.slack.click_stale(GRACE, OPS, ask, button))["ok"]
    told = await scene.whispers(GRACE, 2, ask["thread_ts"])
    assert all("already approved by" in row["text"] and ADA in row["text"] for row in told)
    assert not await scene.slack.views(GRACE)
    assert len(await decisions(scene, session.id)) == len(scene.runs()) == 1


async def test_two_people_deciding_two_rows_at_once_are_both_heard(scenario: Director) -> None:
    """Twenty times over, on two web processes."""
    two = in_turn(calls(("deploy", {"service": "shop"}), ("deploy", {"service": "bank"})), says("Done."))
    scene = await scenario(two, webs=2, hands=2)

    async def once() -> None:
        session = await scene.launch()
        (ask,) = await scene.asked(session)
        first, second = (call_row(ask, call.call_id) for call in (await scene.waiting(session)).open_calls)
        denial, _ = await asyncio.gather(
            scene.slack.click(
                GRACE, OPS, ask["ts"], DENY, second[DENY]["value"], block_id=_block(session.id, 2)
            ),
            scene.slack.click(
                ADA, OPS, ask["ts"], APPROVE, first[APPROVE]["value"], block_id=_block(session.id, 1)
            ),
        )
        assert denial["ok"]
        await scene.slack.submit(GRACE, await scene.slack.view(GRACE), {"value": "not the bank"})
        ended = await scene.ended(session)
        approved, denied = ended.steps[0].calls
        assert [d.by for d in approved.decisions] == [f"slack:{ADA}"]
        assert [(d.by, d.reason) for d in denied.decisions] == [(f"slack:{GRACE}", "not the bank")]

    for _ in range(3):
        await once()
    assert {row[3]["service"] for row in scene.runs()} == {"shop"}


async def test_two_approvals_of_two_rows_at_once_are_both_heard(scenario: Director) -> None:
    two = in_turn(calls(("deploy", {"service": "shop"}), ("deploy", {"service": "bank"})), says("Done."))
    scene = await scenario(two, webs=2, hands=2)
    for round_ in range(1, 21):
        session = await scene.launch(f"round {round_}")
        (ask,) = await scene.asked(session)
        both = [
            scene.slack.click(who, OPS, ask["ts"], APPROVE, block_id=_block(session.id, n))
            for n, who in enumerate((ADA, GRACE), 1)
        ]
        assert all(answer["ok"] for answer in await asyncio.gather(*both))
        ended = await scene.ended(session)
        assert [[d.by for d in c.decisions] for c in ended.steps[0].calls] == [
            [f"slack:{ADA}"],
            [f"slack:{GRACE}"],
        ]
        assert len(scene.runs("deploy")) == 2 * round_
    assert await scene.refused() == []


def _block(session_id: str, position: int) -> str:
    return f"act:{session_id}:1.{position}"


async def test_a_decision_reaches_the_model_in_its_own_words(scenario: Director) -> None:
    scene = await scenario(ONE)
    session = await scene.launch()
    (ask,) = await scene.asked(session)
    assert (await scene.slack.click(ADA, OPS, ask["ts"], DENY))["ok"]
    window = await scene.slack.view(ADA)
    assert "deploy" in str(window["blocks"])
    answer = await scene.slack.submit(ADA, window, {"value": "use *staging* first <!channel>"})
    assert answer["ok"], answer
    await wait_for(lambda: len(scene.model.requests) == 2)
    (result,) = results(scene.model.requests[1])
    assert "Denied by ada" in result
    assert "use *staging* first <!channel>" in result
    assert scene.runs() == []
    rows = await scene.settled(session)
    shown = next(row for row in rows if row["ts"] == ask["ts"])
    assert "Denied" in str(shown["blocks"])
    assert "<!channel>" not in str(shown["blocks"])
    assert f"<@{ADA}>" in str(shown["blocks"])
    ended = await scene.ended(session)
    assert ended.steps[0].calls[0].phase == "denied"
