"""An agent that cannot do its task says so, and the session has failed, for everybody to see."""

from __future__ import annotations

import pytest

from tests.support.scenario import APPROVE, Director, live_markup
from tests.support.scripted import calls, in_turn, results, says
from tests.support.slack import ADA, OPS, texts

GIVES_UP = ("give_up", {"reason": "The backup <!channel> is *empty*."})


@pytest.mark.parametrize("mode", ["allow", "ask", "deny"])
async def test_it_ends_as_failed_with_the_reason_whatever_the_policy_says(
    scenario: Director, mode: str
) -> None:
    rules = [{"tool": "*", "mode": mode}]
    scene = await scenario(in_turn(calls(GIVES_UP)), persona={"approvals": rules})
    session = await scene.ended(await scene.launch("restore the backup"))
    assert session.lifecycle == "failed"
    assert session.ending == "The backup <!channel> is *empty*."
    told = [row for row in await scene.settled(session) if "The backup" in texts(row)]
    assert told
    assert live_markup([row["blocks"] for row in told]) <= {f"<@{ADA}>"}
    assert "Failed" in texts(await scene.card(session))


async def test_what_it_proposed_beside_comes_first(scenario: Director) -> None:
    scene = await scenario(in_turn(calls(("deploy", {"service": "shop"}), GIVES_UP)))
    session = await scene.waiting(await scene.launch())
    assert not session.ended
    (ask,) = await scene.asked(session)
    assert (await scene.slack.click(ADA, OPS, ask["ts"], APPROVE))["ok"]
    session = await scene.ended(session)
    assert session.lifecycle == "failed"
    assert session.call("1.1").content == "deployed shop"


async def test_a_reason_is_needed(scenario: Director) -> None:
    scene = await scenario(lambda request: says("Well then.") if results(request) else calls(("give_up", {})))
    session = await scene.ended(await scene.launch())
    assert session.lifecycle == "completed"
    assert "`reason`: is missing" in results(scene.model.requests[-1])[0]
