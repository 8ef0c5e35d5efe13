"""Whatever sub-agents ask is decided on one board or where it was asked, and both show the same."""

from __future__ import annotations

import asyncio
from itertools import pairwise
from pathlib import Path

from supervisor.core.events import ApprovalDecided
from supervisor.core.state import Session
from tests.support.scenario import APPROVE, DENY, VIEW, Director, Scene
from tests.support.scripted import calls, in_turn, results, says
from tests.support.slack import ADA, BOT, GRACE, KEN, OPS, Json, buttons, texts
from tests.support.subagents import (
    board,
    child,
    coordinated,
    deploys,
    plan,
    row_of,
    subtask,
)

THREE = plan(subtask("shop"), subtask("bank"), subtask("mail"))
PARTS = {name: deploys(name) for name in ("shop", "bank", "mail")}


async def approve(scene: Scene, user: str, message: Json, session: Session) -> Json:
    return await scene.slack.click(user, OPS, message["ts"], APPROVE, block_id=row_of(message, session))


async def decisions(scene: Scene, session: Session) -> list[tuple[str, str]]:
    events = await scene.flagman.core.supervisor.sessions.events(session.id)
    return [(event.by, event.verdict) for event in events if isinstance(event, ApprovalDecided)]


async def test_on_the_board_in_the_thread_and_denied(scenario: Director, tmp_path: Path) -> None:
    scene = await coordinated(scenario, tmp_path, THREE, PARTS)
    session = await scene.launch()
    shop, bank, mail = [await child(scene, session, name) for name in PARTS]
    shown = await board(scene, session, "3 decisions wait", *(f"service: {name}" for name in PARTS))
    assert all(row_of(shown, part) for part in (shop, bank, mail))
    assert {APPROVE, DENY, VIEW} <= set(buttons(shown))

    assert (await approve(scene, ADA, shown, shop))["ok"]
    await scene.settled(await scene.ended(shop))
    shown = await board(scene, session, "2 decisions wait", f"approved by <@{ADA}>")
    assert not row_of(shown, shop)

    (ask,) = await scene.asked(bank)
    assert (await approve(scene, GRACE, ask, bank))["ok"]
    shown = await board(scene, session, "1 decision waits", f"approved by <@{GRACE}>")
    assert not row_of(shown, bank)

    assert (await scene.slack.click(KEN, OPS, shown["ts"], DENY, block_id=row_of(shown, mail)))["ok"]
    assert (await scene.slack.submit(KEN, await scene.slack.view(KEN), {"value": "not today"}))["ok"]
    assert any("not today" in texts(row) for row in await scene.settled(mail))
    shown = await board(scene, session, "Nothing waits for a decision.", f"denied by <@{KEN}>")
    assert not buttons(shown)

    ended = await scene.ended(session)
    assert ended.lifecycle == "completed"
    assert sorted(run[3]["service"] for run in scene.runs("deploy")) == ["bank", "shop"]
    card = await scene.card(session)
    assert "3/3 done" in texts(card)
    assert await scene.refused() == []


async def test_two_at_once_on_the_same_row(scenario: Director, tmp_path: Path) -> None:
    scene = await coordinated(scenario, tmp_path, plan(subtask("shop")), PARTS, webs=2)
    session = await scene.launch()
    shown = await board(scene, session, "1 decision waits")
    shop = await child(scene, session, "shop")
    clicks = [
        scene.slack.click_stale(user, OPS, shown, APPROVE, block_id=row_of(shown, shop))
        for user in (ADA, GRACE)
    ]
    assert all(answer["ok"] for answer in await asyncio.gather(*clicks))
    await scene.ended(session)
    ((winner, verdict),) = await decisions(scene, shop)
    assert verdict == "approve"
    assert len(scene.runs("deploy")) == 1
    loser = GRACE if winner == f"slack:{ADA}" else ADA
    (told,) = await scene.whispers(loser, thread_ts=shown["thread_ts"])
    assert f"already approved by <@{winner.removeprefix('slack:')}>" in told["text"]


async def test_a_stale_row_says_who_decided(scenario: Director, tmp_path: Path) -> None:
    scene = await coordinated(scenario, tmp_path, plan(subtask("shop")), PARTS)
    session = await scene.launch()
    old = await board(scene, session, "1 decision waits")
    shop = await child(scene, session, "shop")
    (ask,) = await scene.asked(shop)
    assert (await approve(scene, GRACE, ask, shop))["ok"]
    await scene.ended(session)
    stale = await scene.slack.click_stale(ADA, OPS, old, APPROVE, block_id=row_of(old, shop))
    assert stale["ok"]
    (told,) = await scene.whispers(ADA, thread_ts=old["thread_ts"])
    assert f"already approved by <@{GRACE}>" in told["text"]


async def test_whoever_may_not_is_told_so_and_the_quorum_is_shown(scenario: Director, tmp_path: Path) -> None:
    rule = {"tool": "deploy", "mode": "ask", "approvers": {"users": [GRACE, KEN], "quorum": 2}}
    scene = await coordinated(scenario, tmp_path, plan(subtask("shop")), PARTS, worker={"approvals": [rule]})
    session = await scene.launch()
    shown = await board(scene, session, f"Approvers: <@{GRACE}>, <@{KEN}>", "0 of 2 approvals")
    shop = await child(scene, session, "shop")
    assert (await approve(scene, ADA, shown, shop))["ok"]
    (told,) = await scene.whispers(ADA, thread_ts=shown["thread_ts"])
    assert f"Ask <@{GRACE}> or <@{KEN}>" in told["text"]
    assert (await approve(scene, GRACE, shown, shop))["ok"]
    shown = await board(scene, session, "1 of 2 approvals", f"approved so far by <@{GRACE}>")
    assert scene.runs() == []
    assert (await approve(scene, KEN, shown, shop))["ok"]
    await scene.ended(session)
    assert [by for by, _ in await decisions(scene, shop)] == [f"slack:{GRACE}", f"slack:{KEN}"]


async def test_a_question_is_answered_on_the_board(scenario: Director, tmp_path: Path) -> None:
    asks = in_turn(
        calls(("ask_human", {"question": "Which host?", "options": ["red", "blue"]})), says("Good.")
    )
    scene = await coordinated(scenario, tmp_path, plan(subtask("look")), {"look": asks})
    session = await scene.launch()
    shown = await board(scene, session, "look", "Which host?")
    assert (await scene.slack.click(ADA, OPS, shown["ts"], "question_answer:1"))["ok"]
    await scene.ended(session)
    shown = await board(scene, session, "Nothing waits", f"answered by <@{ADA}>")
    assert not buttons(shown)
    assert "blue" in str([results(request) for request in scene.model.requests])


async def test_one_that_was_stopped_goes_on_from_the_board(scenario: Director, tmp_path: Path) -> None:
    notes = in_turn(calls(("note", {"words": "seen"})), says("Noted."))
    scene = await coordinated(
        scenario, tmp_path, plan(subtask("look")), {"look": notes}, worker={"budgets": {"max_steps": 1}}
    )
    session = await scene.launch()
    shown = await board(scene, session, "look", "paused: budget limit reached", "1 of 1 steps")
    assert (await scene.slack.click(ADA, OPS, shown["ts"], "session_resume"))["ok"]
    assert (await scene.ended(session)).lifecycle == "completed"
    assert not buttons(await board(scene, session, "Settled"))


async def test_a_reply_to_the_coordinator_is_for_when_its_sub_agents_have_ended(
    scenario: Director, tmp_path: Path
) -> None:
    scene = await coordinated(scenario, tmp_path, plan(subtask("shop")), PARTS)
    session = await scene.launch()
    shown = await board(scene, session, "1 decision waits")
    await scene.slack.post(ADA, OPS, "mind the gap", shown["thread_ts"])
    (told,) = await scene.whispers(ADA, thread_ts=shown["thread_ts"])
    assert "it reads it when its sub-agents have ended" in told["text"]


async def test_what_does_not_fit_is_counted_and_moves_up(scenario: Director, tmp_path: Path) -> None:
    names = [f"part-{n}" for n in range(9)]
    parts = {name: deploys(name) for name in names}
    scene = await coordinated(scenario, tmp_path, plan(*map(subtask, names)), parts)
    session = await scene.launch()
    shown = await board(scene, session, "9 decisions wait", "2 more, from <http")
    rows = [b["block_id"] for b in shown["blocks"] if b["block_id"].startswith("act:")]
    assert len(rows) == 7
    assert (await scene.slack.click(ADA, OPS, shown["ts"], APPROVE, block_id=rows[0]))["ok"]
    shown = await board(scene, session, "8 decisions wait", "1 more, from <http")
    assert [b["block_id"] for b in shown["blocks"] if b["block_id"].startswith("act:")][:6] == rows[1:]


async def test_no_board_where_nobody_asks(scenario: Director, tmp_path: Path) -> None:
    notes = in_turn(calls(("note", {"words": "seen"})), says("Noted."))
    scene = await coordinated(
        scenario, tmp_path, plan(subtask("one"), subtask("two", "one")), {"one": notes, "two": notes}
    )
    session = await scene.ended(await scene.launch())
    card = await scene.slack.message(OPS, lambda m: session.id in texts(m) and "2/2 done" in texts(m))
    await scene.slack.message(OPS, lambda m: "All parts are in." in texts(m), card["ts"])
    thread = await scene.slack.messages(OPS, card["ts"])
    assert "board" not in {row.get("metadata", {}).get("event_payload", {}).get("key") for row in thread}


async def test_what_sub_agents_of_sub_agents_ask_is_on_the_same_board(
    scenario: Director, tmp_path: Path
) -> None:
    parts = {
        "team": in_turn(plan(subtask("shop"), subtask("bank")), says("Both are out.")),
        "shop": deploys("shop"),
        "bank": deploys("bank"),
    }
    scene = await coordinated(scenario, tmp_path, plan(subtask("team", persona="lead")), parts)
    session = await scene.launch()
    shown = await board(scene, session, "team › shop", "team › bank")
    team = await child(scene, session, "team")
    card = await scene.slack.message(
        OPS, lambda m: session.id in texts(m) and "2 decisions wait in the thread" in texts(m)
    )
    indents = [e["indent"] for b in card["blocks"] for e in b.get("elements", []) if "indent" in e]
    assert indents == [0, 1]
    words = "Waiting for its sub-agents: shop, bank"
    await scene.slack.message(OPS, lambda m: team.id in texts(m) and words in texts(m))
    for part in [await child(scene, team, name) for name in ("shop", "bank")]:
        assert (await scene.slack.click_stale(ADA, OPS, shown, APPROVE, block_id=row_of(shown, part)))["ok"]
    assert (await scene.ended(session)).lifecycle == "completed"
    rows = await scene.settled(team)
    assert not any("decision" in texts(row) for row in rows[1:])
    await board(scene, session, "Nothing waits for a decision.")


async def test_it_changes_at_most_once_a_second(scenario: Director, tmp_path: Path) -> None:
    names = [f"part-{n}" for n in range(6)]
    parts = {name: deploys(name) for name in names}
    scene = await coordinated(scenario, tmp_path, plan(*map(subtask, names)), parts)
    session = await scene.launch()
    shown = await board(scene, session, "6 decisions wait")
    for part in [await child(scene, session, name) for name in names]:
        assert (await scene.slack.click_stale(ADA, OPS, shown, APPROVE, block_id=row_of(shown, part)))["ok"]
    await scene.ended(session)
    await board(scene, session, "Nothing waits for a decision.")
    updates = [c for c in await scene.slack.calls("chat.update") if c["args"]["ts"] == shown["ts"]]
    moments = [float(call["at"]) for call in updates]
    # Recorded to a tenth of a second.
    assert all(later - sooner > 0.85 for sooner, later in pairwise(moments))


async def test_each_has_a_thread_of_its_own_with_links_both_ways(scenario: Director, tmp_path: Path) -> None:
    scene = await coordinated(scenario, tmp_path, plan(subtask("shop")), PARTS)
    begun = await scene.slack.post(ADA, OPS, "please")
    await scene.slack.post(ADA, OPS, f"<@{BOT}> launch ops ship it", begun["ts"])
    shop = await scene.flagman.session(lambda s: s.lineage)
    session = await scene.flagman.core.supervisor.get(shop.root)
    below = await scene.card(shop)
    assert "thread_ts" not in below or below["thread_ts"] == below["ts"]
    links = f"p{below['ts'].replace('.', '')}"
    above = await scene.slack.message(
        OPS, lambda m: f"card:{session.id}" in texts(m) and links in texts(m), begun["ts"]
    )
    back = f"p{above['ts'].replace('.', '')}"
    await scene.slack.message(
        OPS, lambda m: "Sub-agent *shop* of <http" in texts(m) and back in texts(m) and shop.id in texts(m)
    )


async def test_an_address_is_asked_for_once_and_missed_without_harm(
    scenario: Director, tmp_path: Path
) -> None:
    scene = await coordinated(scenario, tmp_path, THREE, PARTS)
    session = await scene.launch()
    shown = await board(scene, session, "3 decisions wait", "|shop>", "|bank>", "|mail>")
    for name in PARTS:
        part = await child(scene, session, name)
        assert (await scene.slack.click_stale(ADA, OPS, shown, APPROVE, block_id=row_of(shown, part)))["ok"]
    await scene.ended(session)
    await board(scene, session, "Nothing waits")
    asked = [call["args"]["message_ts"] for call in await scene.slack.calls("chat.getPermalink")]
    assert len(asked) == len(set(asked)) == 5  # Each card, and the board.

    await scene.slack.fault("chat.getPermalink", error="fatal_error", times=50)
    session = await scene.launch("once more")
    shown = await board(scene, session, "3 decisions wait", "shop", "bank", "mail")
    assert "<http" not in texts(shown)
    assert {APPROVE, DENY, VIEW} <= set(buttons(shown))
