"""Sub-agents live in the thread of their coordinator: one board, and one message for each open request."""

from __future__ import annotations

import asyncio
from collections import Counter
from pathlib import Path

from supervisor.core.events import ApprovalDecided
from supervisor.core.state import Session
from tests.support.scenario import APPROVE, DENY, VIEW, Director, Scene, key_of, session_of
from tests.support.scripted import calls, in_turn, results, says
from tests.support.slack import ADA, GRACE, KEN, OPS, Json, buttons, texts
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


async def shown_to_all(scene: Scene) -> list[Json]:
    """The messages of the channel that are not in a thread, without those that only one person sees."""
    rows = await scene.slack.messages(OPS)
    top = [row for row in rows if row.get("thread_ts", row["ts"]) == row["ts"]]
    return [row for row in top if session_of(row) and not row.get("ephemeral")]


async def thread_of(scene: Scene, session: Session) -> list[Json]:
    """What Flagman has in the coordinator's thread, below the card."""
    card = await scene.card(session)
    rows = await scene.slack.messages(OPS, card["ts"])
    return [row for row in rows if session_of(row) and row["ts"] != card["ts"]]


async def test_twenty_sub_agents_are_one_message_in_the_channel(scenario: Director, tmp_path: Path) -> None:
    names = [f"part-{n}" for n in range(20)]
    parts = {name: deploys(name) for name in names}
    scene = await coordinated(scenario, tmp_path, plan(*map(subtask, names)), parts)
    session = await scene.launch()
    shown = await board(scene, session, "20 decisions wait", "needs approval: deploy")
    children = [await child(scene, session, name) for name in names]
    for one in children:
        await scene.asked(one)
    keys = [(session_of(row), key_of(row).partition(":")[0]) for row in await thread_of(scene, session)]
    assert Counter(keys) == Counter([(session.id, "board"), *((one.id, "ask") for one in children)])
    assert len(await shown_to_all(scene)) == 1
    assert sum("accessory" in block for block in shown["blocks"]) == 20

    for one in children:
        (ask,) = await scene.asked(one)
        assert (await approve(scene, ADA, ask, one))["ok"]
    await scene.ended(session)
    await board(scene, session, "20/20 done")
    assert len(await shown_to_all(scene)) == 1
    rows = await thread_of(scene, session)
    assert len([row for row in rows if key_of(row) not in ("end", "session_log")]) == 21
    assert await scene.refused() == []


async def test_each_request_has_its_name_and_siblings_go_on(scenario: Director, tmp_path: Path) -> None:
    scene = await coordinated(scenario, tmp_path, THREE, PARTS)
    session = await scene.launch()
    await board(scene, session, "3 decisions wait", *(f"needs approval: deploy {name}" for name in PARTS))
    shop, bank, mail = [await child(scene, session, name) for name in PARTS]
    (ask,) = await scene.asked(shop)
    assert "*shop* · worker" in texts(ask)
    assert ask["thread_ts"] == (await scene.card(session))["ts"]
    assert {APPROVE, DENY, VIEW} <= set(buttons(ask))
    assert (await approve(scene, ADA, ask, shop))["ok"]
    assert (await scene.ended(shop)).lifecycle == "completed"
    await board(scene, session, "2 decisions wait", "1/3 done")
    (ask,) = await scene.asked(bank)
    assert (await approve(scene, GRACE, ask, bank))["ok"]
    (ask,) = await scene.asked(mail)
    assert (await scene.slack.click(KEN, OPS, ask["ts"], DENY, block_id=row_of(ask, mail)))["ok"]
    assert (await scene.slack.submit(KEN, await scene.slack.view(KEN), {"value": "not today"}))["ok"]
    assert any("not today" in texts(row) for row in await scene.settled(mail))
    assert (await scene.ended(session)).lifecycle == "completed"
    assert sorted(run[3]["service"] for run in scene.runs("deploy")) == ["bank", "shop"]
    await board(scene, session, "3/3 done")
    assert await scene.refused() == []


async def test_a_stale_request_says_who_decided(scenario: Director, tmp_path: Path) -> None:
    scene = await coordinated(scenario, tmp_path, plan(subtask("shop")), PARTS, webs=2)
    session = await scene.launch()
    shop = await child(scene, session, "shop")
    (ask,) = await scene.asked(shop)
    clicks = [
        scene.slack.click_stale(user, OPS, ask, APPROVE, block_id=row_of(ask, shop)) for user in (ADA, GRACE)
    ]
    assert all(answer["ok"] for answer in await asyncio.gather(*clicks))
    await scene.ended(session)
    ((winner, verdict),) = await decisions(scene, shop)
    assert verdict == "approve"
    assert len(scene.runs("deploy")) == 1
    loser = GRACE if winner == f"slack:{ADA}" else ADA
    (told,) = await scene.whispers(loser, thread_ts=ask["thread_ts"])
    assert f"already approved by <@{winner.removeprefix('slack:')}>" in told["text"]


ASKS = in_turn(calls(("ask_human", {"question": "Which host?", "options": ["red", "blue"]})), says("Good."))


async def said_to_models(scene: Scene) -> str:
    return str([results(request) for request in scene.model.requests])


async def test_a_reply_answers_the_only_question(scenario: Director, tmp_path: Path) -> None:
    scene = await coordinated(scenario, tmp_path, plan(subtask("look")), {"look": ASKS})
    session = await scene.launch()
    await board(scene, session, "asks: Which host?")
    card = await scene.card(session)
    await scene.slack.post(ADA, OPS, "green", card["ts"])
    (told,) = await scene.whispers(ADA, thread_ts=card["ts"])
    assert "Passed on as the answer. It is for the sub-agent *look*." in told["text"]
    await scene.ended(session)
    assert "green" in await said_to_models(scene)


async def test_a_reply_is_for_the_one_that_it_names_else_for_the_coordinator(
    scenario: Director, tmp_path: Path
) -> None:
    two = plan(subtask("look"), subtask("peek"), subtask("shop"))
    scene = await coordinated(scenario, tmp_path, two, {"look": ASKS, "peek": ASKS, **PARTS})
    session = await scene.launch()
    await board(scene, session, "3 decisions wait")
    card = await scene.card(session)
    look, peek, shop = [await child(scene, session, name) for name in ("look", "peek", "shop")]
    await scene.slack.post(ADA, OPS, "mind the gap", card["ts"])
    (told,) = await scene.whispers(ADA, thread_ts=card["ts"])
    assert "it reads it when its sub-agents have ended" in told["text"]
    await scene.slack.post(ADA, OPS, "Peek: green", card["ts"])
    await scene.ended(peek)
    await scene.slack.post(ADA, OPS, "@shop, only in Europe", card["ts"])
    noted = await scene.flagman.session(lambda s: s.notes or s.inbox, shop.id)
    assert "only in Europe" in str(noted)
    assert not (await scene.flagman.core.supervisor.get(look.id)).ended
    answered = (await scene.flagman.core.supervisor.get(peek.id)).steps[0].calls[0]
    assert answered.content.endswith("green")


async def test_one_that_was_stopped_goes_on_from_the_thread(scenario: Director, tmp_path: Path) -> None:
    notes = in_turn(calls(("note", {"words": "seen"})), says("Noted."))
    scene = await coordinated(
        scenario, tmp_path, plan(subtask("look")), {"look": notes}, worker={"budgets": {"max_steps": 1}}
    )
    session = await scene.launch()
    await board(scene, session, "look", "paused: budget limit reached")
    card = await scene.card(session)
    # The card says the number of steps, too.
    stop = await scene.slack.message(
        OPS, lambda m: "1 of 1 steps" in texts(m) and "*look*" in texts(m), card["ts"]
    )
    assert (await scene.slack.click(ADA, OPS, stop["ts"], "session_resume"))["ok"]
    assert (await scene.ended(session)).lifecycle == "completed"
    await scene.slack.message(OPS, lambda m: "*look*" in texts(m) and "Resumed by" in texts(m), card["ts"])


async def test_sub_agents_of_sub_agents_are_on_the_same_board(scenario: Director, tmp_path: Path) -> None:
    parts = {
        "team": in_turn(plan(subtask("shop"), subtask("bank")), says("Both are out.")),
        "shop": deploys("shop"),
        "bank": deploys("bank"),
    }
    scene = await coordinated(scenario, tmp_path, plan(subtask("team", persona="lead")), parts)
    session = await scene.launch()
    await board(scene, session, "↳ ", "shop", "bank", "2 decisions wait")
    team = await child(scene, session, "team")
    for part in [await child(scene, team, name) for name in ("shop", "bank")]:
        (ask,) = await scene.asked(part)
        assert f"team › {part.lineage.name if part.lineage else ''}" in texts(ask)
        assert (await approve(scene, ADA, ask, part))["ok"]
    assert (await scene.ended(session)).lifecycle == "completed"
    assert len(await shown_to_all(scene)) == 1


async def test_a_row_opens_what_there_is_of_it(scenario: Director, tmp_path: Path) -> None:
    scene = await coordinated(scenario, tmp_path, plan(subtask("shop")), PARTS)
    session = await scene.launch()
    shown = await board(scene, session, "1 decision waits")
    shop = await child(scene, session, "shop")
    assert (await scene.slack.click(ADA, OPS, shown["ts"], "child_look"))["ok"]
    view = await scene.slack.view(ADA)
    assert "deploy" in texts(view)
    assert "launched worker: shop: do your part" in texts(view)
    assert (await scene.flagman.session(lambda s: not s.ended, shop.id)).id in texts(view)


async def test_it_changes_at_most_once_a_second(scenario: Director, tmp_path: Path) -> None:
    names = [f"part-{n}" for n in range(6)]
    parts = {name: deploys(name) for name in names}
    scene = await coordinated(scenario, tmp_path, plan(*map(subtask, names)), parts)
    session = await scene.launch()
    shown = await board(scene, session, "6 decisions wait")
    for part in [await child(scene, session, name) for name in names]:
        (ask,) = await scene.asked(part)
        assert (await approve(scene, ADA, ask, part))["ok"]
    await scene.ended(session)
    await board(scene, session, "6/6 done")
    updates = [c for c in await scene.slack.calls("chat.update") if c["args"]["ts"] == shown["ts"]]
    moments = [float(call["at"]) for call in updates]
    # Each may come late, which brings the next one closer to it.
    assert len(moments) <= moments[-1] - moments[0] + 2
