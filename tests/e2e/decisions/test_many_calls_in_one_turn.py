"""As many calls as a model likes in one turn: all are shown, all can be decided, and the session goes on."""

from __future__ import annotations

import asyncio

import pytest

from tests.support.scenario import ALL, APPROVE, DENY, DENY_ALL, Director, Scene
from tests.support.scripted import calls, in_turn, results, says
from tests.support.slack import ADA, ADA_DM, GRACE, OPS, Json, buttons, texts, wait_for

REVIEW_ALL = "call_review_all"


def rows_of(ask: Json) -> list[str]:
    """The blocks in which a call can be decided."""
    return [b["block_id"] for b in ask["blocks"] if b.get("block_id", "").startswith("act:")]


async def all_asked(scene: Scene, thread_ts: str, count: int) -> list[Json]:
    async def look() -> list[Json] | None:
        rows = [row for row in await scene.slack.messages(OPS, thread_ts) if APPROVE in buttons(row)]
        return rows if sum(len(rows_of(row)) for row in rows) == count else None

    return await wait_for(look)


@pytest.mark.parametrize("count", [18, 50])
async def test_every_call_is_shown_and_decided_alone(scenario: Director, count: int) -> None:
    proposed = [("deploy", {"service": f"s{n:02}", "notes": "n" * 300}) for n in range(count)]
    scene = await scenario(in_turn(calls(*proposed), says("Done.")), webs=2)
    session = await scene.launch()
    card = await scene.card(session)
    asks = await all_asked(scene, card["ts"], count)
    everything = "".join(map(texts, asks))
    assert all(f"service: s{n:02}" in everything for n in range(count))

    async def decide(ask: Json, block_id: str) -> None:
        assert (await scene.slack.click(ADA, OPS, ask["ts"], APPROVE, block_id=block_id))["ok"]

    first, *others = [(ask, block_id) for ask in asks for block_id in rows_of(ask)]
    assert (await scene.slack.click(GRACE, OPS, first[0]["ts"], DENY, block_id=first[1]))["ok"]
    assert (await scene.slack.submit(GRACE, await scene.slack.view(GRACE), {"value": "not s00"}))["ok"]
    for some in (others[i : i + 6] for i in range(0, len(others), 6)):
        await asyncio.gather(*(decide(*one) for one in some))
    await scene.ended(session)
    assert sorted(row[3]["service"] for row in scene.runs("deploy")) == [f"s{n:02}" for n in range(1, count)]
    assert len(results(scene.model.requests[1])) == count
    await scene.settled(session)
    assert await scene.refused() == []


async def test_one_button_approves_all_calls_of_all_messages_as_its_window_lists_them(
    scenario: Director,
) -> None:
    proposed = [("deploy", {"service": f"service-{n:02}"}) for n in range(20)]
    scene = await scenario(in_turn(calls(*proposed), says("Done.")))
    session = await scene.launch()
    asks = await all_asked(scene, (await scene.card(session))["ts"], 20)
    assert len(asks) > 1
    first, *others = asks
    assert buttons(first)[REVIEW_ALL]["text"]["text"] == "Approve all 20…"
    assert buttons(first)[DENY_ALL]["text"]["text"] == "Deny all 20…"
    assert not [ask for ask in others if {REVIEW_ALL, ALL, DENY_ALL} & set(buttons(ask))]
    assert (await scene.slack.click(ADA, OPS, first["ts"], REVIEW_ALL))["ok"]
    window = await scene.slack.view(ADA)
    assert all(f"• deploy: service-{n:02}" in texts(window) for n in range(20))
    denied = rows_of(others[0])[0]
    assert (await scene.slack.click(GRACE, OPS, others[0]["ts"], DENY, block_id=denied))["ok"]
    assert (await scene.slack.submit(GRACE, await scene.slack.view(GRACE), {"value": "not it"}))["ok"]
    assert (await scene.slack.submit(ADA, window))["ok"]
    await scene.ended(session)
    assert len(scene.runs("deploy")) == 19
    whisper = await scene.slack.message(ADA_DM, lambda m: "calls approved" in texts(m))
    assert "19 of 20 calls approved" in texts(whisper)


async def test_all_calls_of_a_message_are_denied_with_one_reason(scenario: Director) -> None:
    scene = await scenario(
        in_turn(calls(*[("deploy", {"service": f"s{n}"}) for n in range(3)]), says("Done."))
    )
    session = await scene.launch()
    (ask,) = await scene.asked(session)
    sure = buttons(ask)[ALL]["confirm"]["text"]["text"]
    assert sure == "• deploy: s0\n• deploy: s1\n• deploy: s2"
    assert "2 of 3" in texts(ask)
    assert (await scene.slack.click(GRACE, OPS, ask["ts"], DENY_ALL))["ok"]
    form = await scene.slack.view(GRACE)
    assert "deploy: s2" in texts(form)
    first = rows_of(ask)[0]
    assert (await scene.slack.click(ADA, OPS, ask["ts"], APPROVE, block_id=first))["ok"]
    assert (await scene.slack.submit(GRACE, form, {"value": "not today"}))["ok"]
    ended = await scene.ended(session)
    decided = [(d.verdict, d.reason) for c in ended.steps[0].calls for d in c.decisions]
    assert decided == [("approve", ""), ("deny", "not today"), ("deny", "not today")]
    assert len(scene.runs("deploy")) == 1


async def test_more_calls_than_are_sensible_are_refused_to_the_model(scenario: Director) -> None:
    proposed = [("note", {"words": str(n)}) for n in range(60)]
    scene = await scenario(
        in_turn(calls(*proposed), says("Done.")), persona={"budgets": {"error_threshold": 99}}
    )
    session = await scene.launch()
    await scene.ended(session)
    told = results(scene.model.requests[1])
    assert sum("At most 50 calls in one turn" in text for text in told) == 10
    assert len(scene.runs("note")) == 50


async def test_allowed_calls_run_while_others_wait(scenario: Director) -> None:
    three = calls(("note", {"words": "a"}), ("deploy", {"service": "shop"}), ("nonsense", {}))
    scene = await scenario(in_turn(three, says("Done.")))
    session = await scene.launch()
    await scene.waiting(session)
    assert [row[0] for row in scene.runs()] == ["note"]
    (ask,) = await scene.asked(session)
    assert (await scene.slack.click(ADA, OPS, ask["ts"], APPROVE))["ok"]
    await scene.ended(session)
    noted, deployed, unknown = results(scene.model.requests[1])
    assert (noted, deployed) == ("noted a", "deployed shop")
    assert "There is no such tool" in unknown
