"""A call that was denied and is proposed again says so; the third time the session pauses first."""

from __future__ import annotations

from supervisor.core.state import Session
from tests.support.scenario import APPROVE, DENY, Director, Scene
from tests.support.scripted import calls, in_turn, says
from tests.support.slack import ADA, OPS, Json, texts

SHOP, BANK = (calls(("deploy", {"service": name})) for name in ("shop", "bank"))


async def asked(scene: Scene, session: Session, step: int) -> Json:
    """The message with the call of this step."""
    await scene.flagman.session(lambda s: s.calls_in("awaiting") and len(s.steps) == step, session.id)
    card = await scene.card(session)
    call = f":{step}.1"
    return await scene.slack.message(
        OPS, lambda m: call in str(m["blocks"]) and DENY in str(m["blocks"]), card["ts"]
    )


async def denied(scene: Scene, ask: Json) -> None:
    await scene.slack.click(ADA, OPS, ask["ts"], DENY)
    assert (await scene.slack.submit(ADA, await scene.slack.view(ADA), {"value": "not today"}))["ok"]


async def test_it_says_so_and_then_pauses(scenario: Director) -> None:
    scene = await scenario(in_turn(SHOP, BANK, SHOP, SHOP, says("Well then.")))
    session = await scene.launch()
    first = await asked(scene, session, 1)
    assert "denied" not in texts(first)
    await denied(scene, first)
    other = await asked(scene, session, 2)
    assert "denied" not in texts(other)
    await scene.slack.click(ADA, OPS, other["ts"], APPROVE)
    second = await asked(scene, session, 3)
    assert "The same call was denied once before" in texts(second)
    assert "“not today”" in texts(second)
    await denied(scene, second)

    paused = await scene.flagman.session(lambda s: s.pause is not None, session.id)
    assert paused.pause
    assert (paused.pause.reason, paused.pause.detail) == (
        "error_threshold_exceeded",
        'The agent proposes again what was denied before: deploy {"notes":"","service":"shop"} (2 times).',
    )
    assert not paused.calls_in("awaiting")
    await scene.slack.command(ADA, OPS, f"resume {session.id}")
    third = await asked(scene, session, 4)
    assert "The same call was denied 2 times before" in texts(third)
    await scene.slack.click(ADA, OPS, third["ts"], APPROVE)
    assert (await scene.ended(session)).lifecycle == "completed"
    assert [run[3]["service"] for run in scene.runs("deploy")] == ["bank", "shop"]
