"""A session that has used up its budget says so, and people let it go on, with more or with less to read."""

from __future__ import annotations

import json
from typing import Any

import pytest

from supervisor.core.events import BudgetRaised
from supervisor.core.messages import ModelReply, ModelRequest, UserTurn
from tests.support.scenario import Director, Scene
from tests.support.scripted import calls, says, told
from tests.support.slack import ADA, GRACE, OPS, Json, buttons, texts, wait_for

LOOK = calls(("note", {"words": "look"}))


def busy(request: ModelRequest) -> ModelReply:
    """Goes on looking; sums up when it is asked to."""
    last = request.turns[-1]
    if isinstance(last, UserTurn) and request.purpose == "summary":
        return says("Everything was looked at.")
    return LOOK


async def stopped(scene: Scene, reason: str, **budgets: Any) -> tuple[Any, Json]:
    """The session, once it has used up its budget, and its card."""
    session = await scene.launch()
    paused = await scene.flagman.session(lambda s: s.waiting_for == reason, session.id)
    return paused, await scene.slack.message(OPS, lambda m: "session_resume" in buttons(m))


async def raised(scene: Scene, session_id: str) -> list[BudgetRaised]:
    events = await scene.flagman.core.supervisor.sessions.events(session_id)
    return [event for event in events if isinstance(event, BudgetRaised)]


def label(message: Json, action: str) -> str:
    found: str = buttons(message)[action]["text"]["text"]
    return found


async def told_late(scene: Scene, card: Json) -> str:
    """What GRACE was told in the channel, or, if it has begun, in the thread."""

    async def look() -> str:
        rows = [row for ts in (None, card["ts"]) for row in await scene.slack.messages(OPS, ts, GRACE)]
        return " ".join(row["text"] for row in rows if row.get("ephemeral"))

    return await wait_for(look)


@pytest.mark.parametrize(
    ("budgets", "used", "offer"),
    [
        ({"max_steps": 3}, "*3 of 3 steps*", "Raise to 6 steps and resume"),
        ({"max_cost_usd": 0.002}, "*$0.002 of $0.002*", "Raise to $0.004 and resume"),
        ({"max_tokens": 300}, "*360 of 300 tokens*", "Raise to 600 tokens and resume"),
        (
            {"max_steps": 2, "max_tokens": 240},
            "*2 of 2 steps* · *240 of 240 tokens*",
            "Raise to 4 steps, 480 tokens and resume",
        ),
    ],
)
async def test_the_card_and_the_thread_say_what_was_spent_and_what_it_may_get(
    scenario: Director, budgets: dict[str, Any], used: str, offer: str
) -> None:
    scene = await scenario(busy, persona={"budgets": budgets})
    session, card = await stopped(scene, "budget_exceeded")
    halt = await scene.slack.message(OPS, lambda m: "halt:" in texts(m), card["ts"])
    for message in (card, halt):
        assert used in texts(message)
        assert label(message, "session_resume") == offer
        assert {"session_resume_with", "session_cancel"} <= set(buttons(message))
    steps = len(session.steps)
    assert (await scene.slack.click(GRACE, OPS, halt["ts"], "session_resume"))["ok"]
    again = await scene.flagman.session(
        lambda s: len(s.steps) > steps and s.waiting_for == "budget_exceeded", session.id
    )
    (more,) = await raised(scene, session.id)
    assert more.by == f"slack:{GRACE}"
    unchanged = set(session.budgets.model_dump()) - set(budgets)
    assert all(getattr(again.budgets, name) == getattr(session.budgets, name) for name in unchanged)
    assert await scene.refused() == []


async def test_two_clicks_raise_once(scenario: Director) -> None:
    scene = await scenario(busy, persona={"budgets": {"max_steps": 1}}, webs=2)
    session, card = await stopped(scene, "budget_exceeded")
    await scene.slack.click(ADA, OPS, card["ts"], "session_resume")
    again = await scene.flagman.session(
        lambda s: len(s.steps) == 2 and s.waiting_for == "budget_exceeded", session.id
    )
    assert (await scene.slack.click_stale(GRACE, OPS, card, "session_resume"))["ok"]
    assert "already over" in await told_late(scene, card)
    assert again.budgets.max_steps == 2
    assert len(await raised(scene, session.id)) == 1


async def test_a_message_goes_along_and_the_form_says_what_it_gets(scenario: Director) -> None:
    scene = await scenario(busy, persona={"budgets": {"max_steps": 1}})
    session, card = await stopped(scene, "budget_exceeded")
    assert (await scene.slack.click(ADA, OPS, card["ts"], "session_resume_with"))["ok"]
    window = await scene.slack.view(ADA)
    assert "It may then use up to 2 steps." in json.dumps(window["blocks"])
    assert (await scene.slack.submit(ADA, window, {"value": "be brief"}))["ok"]
    await wait_for(lambda: len(scene.model.requests) == 2)
    assert told(scene.model.requests[1])[-1].endswith("be brief")
    assert (await raised(scene, session.id))[0].budgets.max_steps == 2


async def test_a_full_context_is_summed_up_without_raising_it(scenario: Director) -> None:
    scene = await scenario(busy, persona={"budgets": {"max_context_tokens": 120}})
    session, card = await stopped(scene, "context_budget_exceeded")
    assert "*120 of 120 tokens of context*" in texts(card)
    assert label(card, "session_resume") == "Raise to 240 tokens of context and resume"
    assert label(card, "session_compact") == "Compact and resume"
    assert (await scene.slack.choose(GRACE, OPS, card, "session_compact"))["ok"]
    after = await scene.flagman.session(lambda s: s.compactions and s.pause, session.id)
    assert after.compactions[0].summary == "Everything was looked at."
    assert await raised(scene, session.id) == []
    assert (await scene.slack.choose(GRACE, OPS, card, "session_compact", stale=True))["ok"]
    assert "already over" in await told_late(scene, card)


async def test_the_words_compact_it_too(scenario: Director) -> None:
    scene = await scenario(busy, persona={"budgets": {"max_context_tokens": 120}})
    session, card = await stopped(scene, "context_budget_exceeded")
    await scene.slack.command(ADA, OPS, f"resume {session.id} compact")
    await scene.flagman.session(lambda s: len(s.compactions) == 1 and s.pause, session.id)
    await scene.slack.post(GRACE, OPS, "<@U0FLAGMAN1> resume compact", card["ts"])
    await scene.flagman.session(lambda s: len(s.compactions) == 2, session.id)
    assert await raised(scene, session.id) == []


async def test_what_cannot_be_summed_up_is_said_so(scenario: Director) -> None:
    scene = await scenario(lambda _: calls(("deploy", {"service": "shop"})))
    session = await scene.launch()
    await scene.waiting(session)
    answer = await scene.slack.command(ADA, OPS, f"resume {session.id} compact")
    assert "waits for an approval" in json.dumps(answer["response"])


async def test_after_errors_there_is_retry_add_context_and_cancel(scenario: Director) -> None:
    scene = await scenario(lambda _: calls(("deploy", {"nonsense": 1})))
    session, card = await stopped(scene, "error_threshold_exceeded")
    assert label(card, "session_resume") == "Retry"
    assert label(card, "session_resume_with") == "Add context"
    assert "session_compact" not in buttons(card)
    assert (await scene.slack.cancel(ADA, OPS, card))["ok"]
    assert (await scene.ended(session)).lifecycle == "cancelled"
