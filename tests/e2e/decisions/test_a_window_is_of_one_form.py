"""A window that is shown anew stays one of the call that it showed: another form of the call is not approved by it."""

from __future__ import annotations

import json

from supervisor.core.state import Session
from tests.e2e.decisions.test_the_full_call_is_shown import preformatted
from tests.support.editing import asked, save, window
from tests.support.scenario import VIEW, Director, Scene
from tests.support.scripted import calls, in_turn, says
from tests.support.slack import KEN, LINUS, OPS, Json, buttons, texts, wait_for

FOUR_EYES = asked({"users": [KEN, LINUS], "exclude_requester": True})
ALLOW = "call_allow"


async def changed(scene: Scene, ask: Json, session: Session, **values: str) -> None:
    """Another person changes the call, and it waits for the approval of somebody else."""
    before = session.call("1.1").call.digest
    await save(scene, await window(scene, ask, LINUS), LINUS, **values)

    async def is_changed() -> bool:
        now = (await scene.flagman.core.supervisor.get(session.id)).call("1.1")
        return now.phase == "awaiting" and now.call.digest != before

    await wait_for(is_changed)


async def test_a_choice_in_the_form_that_allows_calls_does_not_take_a_changed_call(
    scenario: Director,
) -> None:
    scene = await scenario(in_turn(calls(("deploy", {"service": "web-1"})), says("Done.")), persona=FOUR_EYES)
    session = await scene.waiting(await scene.launch())
    (ask,) = await scene.asked(session)
    assert (await scene.slack.click(KEN, OPS, ask["ts"], ALLOW))["ok"]
    form = await scene.slack.view(KEN)
    await changed(scene, ask, session, service="web-2")
    (terms,) = [block for block in form["blocks"] if block["block_id"] == "terms"]
    chosen = terms["element"]["options"][1]
    assert (await scene.slack.click_in_view(KEN, form["id"], "allow_terms", selected_option=chosen))["ok"]
    told = await scene.slack.view(KEN)
    assert "was changed" in texts(told)
    assert not told["submit"]
    now = await scene.flagman.core.supervisor.get(session.id)
    assert (now.call("1.1").phase, now.grants) == ("awaiting", ())


async def test_the_form_of_a_call_that_got_another_argument_says_that_it_was_changed(
    scenario: Director,
) -> None:
    first = calls(("http_request", {"method": "POST", "url": "https://127.0.0.1/x"}))
    front = {"approvals": [{**FOUR_EYES["approvals"][0], "tool": "http_request"}]}
    scene = await scenario(in_turn(first, says("Done.")), persona=front)
    session = await scene.waiting(await scene.launch())
    (ask,) = await scene.asked(session)
    assert (await scene.slack.click(KEN, OPS, ask["ts"], ALLOW))["ok"]
    form = await scene.slack.view(KEN)
    await changed(scene, ask, session, body="more")
    answer = await scene.slack.submit(KEN, form)
    assert "was changed" in json.dumps(answer)
    now = await scene.flagman.core.supervisor.get(session.id)
    assert (now.call("1.1").phase, now.grants) == ("awaiting", ())


async def test_turning_the_page_of_a_changed_call_begins_anew(scenario: Director) -> None:
    long = {"service": "shop", "notes": "n" * 60_000}
    scene = await scenario(in_turn(calls(("deploy", long)), says("Done.")), persona=FOUR_EYES)
    session = await scene.waiting(await scene.launch())
    (ask,) = await scene.asked(session)
    assert (await scene.slack.click(KEN, OPS, ask["ts"], VIEW))["ok"]
    first = await scene.slack.view(KEN)
    await changed(scene, ask, session, service="bank")
    (following,) = [name for name, b in buttons(first).items() if b["text"]["text"] == "Next"]
    assert (await scene.slack.click_in_view(KEN, first["id"], following))["ok"]
    anew = await scene.slack.view(KEN)
    assert "was changed while you read it" in texts(anew)
    assert "bank" in preformatted(anew)
    assert not anew["submit"]
