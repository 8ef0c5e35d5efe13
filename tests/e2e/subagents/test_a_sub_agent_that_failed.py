"""A sub-agent that fails waits for a person where the plan says so: retry, go on without it, or stop the rest."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from pathlib import Path

import pytest

from supervisor.core.messages import ModelReply, ModelRequest
from supervisor.core.state import Session
from tests.support.scenario import APPROVE, Director, Scene, live_markup
from tests.support.scripted import Behaviour, calls, results, says
from tests.support.slack import ADA, GRACE, OPS, Json, buttons, texts, wait_for
from tests.support.subagents import (
    CHILD_RETRY,
    CHILD_SKIP,
    CHILD_STOP,
    board,
    child,
    coordinated,
    deploys,
    failure,
    plan,
    row_of,
    subtask,
)

pytestmark = pytest.mark.usefixtures("partitions")

GIVES_UP = ("give_up", {"reason": "The host <!channel> is *down*."})
ASKS = plan(subtask("look"), subtask("tell", "look"), subtask("shop"), on_failure="ask")
LIVE = {APPROVE, CHILD_RETRY, CHILD_SKIP, CHILD_STOP}


def fails(times: int) -> Behaviour:
    """Gives up as often, and is well in the sessions after that."""
    seen: list[str] = []

    def behave(request: ModelRequest) -> ModelReply:
        if request.session_id not in seen:
            seen.append(request.session_id)
        return calls(GIVES_UP) if seen.index(request.session_id) < times else says("It is up again.")

    return behave


def says_it(_: ModelRequest) -> ModelReply:
    return says("Told.")


def parts(times: int) -> dict[str, Behaviour]:
    return {"look": fails(times), "tell": says_it, "shop": deploys("shop")}


async def everything(scene: Scene) -> list[Json]:
    """All messages of the channel and of its threads."""
    cards = await scene.slack.messages(OPS)
    return [row for card in cards for row in await scene.slack.messages(OPS, card["ts"])]


async def quiet(scene: Scene, words: str) -> Json:
    """The message with these words, once it is there and none has a button that decides anything."""

    async def look() -> Json | None:
        rows = await everything(scene)
        if any(LIVE & set(buttons(row)) for row in rows):
            return None
        return next((row for row in rows if words in texts(row)), None)

    return await wait_for(look)


async def approve(scene: Scene, session: Session, name: str) -> None:
    part = await child(scene, session, name)
    (shown,) = await scene.asked(part)
    assert (await scene.slack.click(ADA, OPS, shown["ts"], APPROVE, block_id=row_of(shown, part)))["ok"]


async def test_retry(scenario: Director, tmp_path: Path) -> None:
    scene = await coordinated(scenario, tmp_path, ASKS, parts(times=1))
    session = await scene.launch()
    await board(scene, session, "2 decisions wait", "failed: The host")
    shown = await failure(scene, session, "look", "failed. What next?", "is *down*")
    assert live_markup([b for b in shown["blocks"] if "down" in str(b)]) == set()
    assert (await scene.slack.click(ADA, OPS, shown["ts"], CHILD_RETRY))["ok"]
    await approve(scene, session, "shop")
    ended = await scene.ended(session)
    assert [(c.name, c.state, c.verdict) for c in ended.children] == [
        ("look", "failed", "retry"),
        ("shop", "completed", ""),
        ("look", "completed", ""),
        ("tell", "completed", ""),
    ]
    await failure(scene, session, f"Retried by <@{ADA}>")
    await quiet(scene, "3/3 done")


async def test_go_on_without(scenario: Director, tmp_path: Path) -> None:
    scene = await coordinated(scenario, tmp_path, ASKS, parts(times=9))
    session = await scene.launch()
    shown = await failure(scene, session, "failed. What next?")
    assert (await scene.slack.click(ADA, OPS, shown["ts"], CHILD_SKIP))["ok"]
    await approve(scene, session, "shop")
    await scene.ended(session)
    assert "1 of 3 subtasks completed" in str([results(request) for request in scene.model.requests])
    await failure(scene, session, f"Left out by <@{ADA}>")
    card = await quiet(scene, "1/3 done, 1 failed, 1 skipped")
    assert "skipped: it needs look" in texts(card)


async def test_stop_the_rest(scenario: Director, tmp_path: Path) -> None:
    scene = await coordinated(scenario, tmp_path, ASKS, parts(times=9))
    session = await scene.launch()
    shown = await failure(scene, session, "failed. What next?")
    shop = await child(scene, session, "shop")
    await scene.asked(shop)
    assert (await scene.slack.click(ADA, OPS, shown["ts"], CHILD_STOP))["ok"]
    assert (await scene.ended(shop)).lifecycle == "cancelled"
    assert (await scene.ended(session)).lifecycle == "completed"
    await failure(scene, session, f"The rest was stopped by <@{ADA}>")
    assert scene.runs() == []
    await quiet(scene, "No longer needed")


async def test_the_card_says_what_to_do_and_who_failed(scenario: Director, tmp_path: Path) -> None:
    scene = await coordinated(scenario, tmp_path, plan(subtask("look"), on_failure="ask"), parts(times=9))
    session = await scene.launch()
    await board(scene, session, "1 decision waits")
    words = "look failed: retry, continue without, or stop the rest"
    card = await scene.slack.message(OPS, lambda m: session.id in texts(m) and words in texts(m))
    assert "needs a decision · failed: The host <!channel> is *down*." in texts(card)
    assert "channel" not in {markup.strip("<!>") for markup in live_markup(card["blocks"])}


async def test_a_double_click_and_a_stale_one_are_told_who_decided(
    scenario: Director, tmp_path: Path
) -> None:
    scene = await coordinated(scenario, tmp_path, ASKS, parts(times=1), webs=2)
    session = await scene.launch()
    shown = await failure(scene, session, "failed. What next?")
    clicks = [scene.slack.click_stale(user, OPS, shown, CHILD_RETRY) for user in (ADA, GRACE)]
    assert all(answer["ok"] for answer in await asyncio.gather(*clicks))
    again = await scene.flagman.session(lambda s: len(s.children) >= 3, session.id)
    (winner,) = [c.decided_by for c in again.children if c.verdict]
    loser = GRACE if winner == f"slack:{ADA}" else ADA
    sentence = f"That failure was already answered with “Retry” by <@{winner.removeprefix('slack:')}>"
    assert sentence in (await scene.whispers(loser, thread_ts=shown["thread_ts"]))[0]["text"]
    assert (await scene.slack.click_stale(loser, OPS, shown, CHILD_STOP))["ok"]
    assert sentence in (await scene.whispers(loser, 2, shown["thread_ts"]))[1]["text"]
    assert len((await scene.flagman.core.supervisor.get(session.id)).children) <= 4


@pytest.mark.parametrize("cancel", ["on the card", "by command"])
async def test_a_cancelled_coordinator_leaves_no_live_button(
    scenario: Director, tmp_path: Path, cancel: str
) -> None:
    scene = await coordinated(scenario, tmp_path, ASKS, parts(times=9))
    session = await scene.launch()
    shown = await failure(scene, session, "failed. What next?")
    shop = await child(scene, session, "shop")
    await scene.asked(shop)
    card = await scene.card(session)
    ways: dict[str, Callable[[], object]] = {
        "on the card": lambda: scene.slack.cancel(ADA, OPS, card),
        "by command": lambda: scene.slack.command(ADA, OPS, f"cancel {session.id}"),
    }
    answer = await ways[cancel]()  # type: ignore[misc]
    assert answer["ok"]
    assert (await scene.ended(shop)).lifecycle == "cancelled"
    await quiet(scene, "No longer needed")
    await failure(scene, session, "Settled")
    card = await scene.slack.message(
        OPS,
        lambda m: (
            session.id in texts(m)
            and "not begun" in texts(m)
            and "0/3 done, 1 failed, 1 cancelled" in texts(m)
        ),
    )
    assert "Cancelled" in texts(card)
    late = await scene.slack.click_stale(GRACE, OPS, shown, CHILD_RETRY)
    assert late["ok"]
    (told,) = await scene.whispers(GRACE, thread_ts=shown["thread_ts"])
    assert "already cancelled" in told["text"]
    assert scene.runs() == []
