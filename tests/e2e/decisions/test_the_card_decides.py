"""The card has the buttons of the one call that waits, and leads to the message with the rows where there are more."""

from __future__ import annotations

import socket

from supervisor.tools.typed_tool import tool
from tests.support.scenario import ALL, APPROVE, DENY, VIEW, Director, key_of
from tests.support.scripted import calls, in_turn, says
from tests.support.slack import ADA, BOT, GRACE, KEN, LINUS, OPS, buttons, texts

ONE = in_turn(calls(("deploy", {"service": "shop"})), says("Done."))


async def test_one_call_is_decided_on_the_card(scenario: Director) -> None:
    scene = await scenario(ONE)
    session = await scene.waiting(await scene.launch())
    (ask,) = await scene.asked(session)
    card = await scene.slack.message(OPS, lambda m: session.id in texts(m) and APPROVE in buttons(m))
    assert key_of(card) == "card"
    for action in (APPROVE, DENY, VIEW):
        assert buttons(card)[action]["value"] == buttons(ask)[action]["value"]
        assert buttons(card)[action].get("style") != "danger"
    for shown in (card, ask):
        assert "service: shop" in texts(shown)
        assert "*deploy* · :large_orange_circle: changes things, not safe to repeat" in texts(shown)
    assert f"Requested by <@{ADA}> · persona *ops*" in texts(ask)
    assert (await scene.slack.click(ADA, OPS, card["ts"], VIEW))["ok"]
    assert session.call("1.1").call.digest in texts(await scene.slack.view(ADA))
    assert (await scene.slack.click(ADA, OPS, card["ts"], APPROVE))["ok"]
    await scene.ended(session)
    await scene.settled(session)
    assert len(scene.runs("deploy")) == 1
    assert (await scene.slack.click_stale(GRACE, OPS, card, APPROVE))["ok"]
    (told,) = await scene.whispers(GRACE)
    assert "was already approved" in texts(told)


async def test_several_calls_are_reviewed_where_their_rows_are(scenario: Director) -> None:
    scene = await scenario(
        in_turn(calls(*[("deploy", {"service": f"s{n}"}) for n in range(3)]), says("Done."))
    )
    session = await scene.waiting(await scene.launch())
    (ask,) = await scene.asked(session)
    there = f"p{ask['ts'].replace('.', '')}"
    card = await scene.slack.message(
        OPS, lambda m: there in buttons(m).get("session_review", {}).get("url", "")
    )
    review = buttons(card)["session_review"]
    assert (review["text"]["text"], review["style"]) == ("Review 3 calls", "primary")
    assert not {APPROVE, ALL, DENY} & set(buttons(card))
    assert (await scene.slack.click(ADA, OPS, card["ts"], "session_review"))["ok"]
    assert (await scene.slack.click(ADA, OPS, ask["ts"], ALL))["ok"]
    await scene.ended(session)
    rows = await scene.settled(session)
    assert not any("session_review" in buttons(row) for row in rows)


async def test_the_card_has_no_such_buttons_where_nobody_may_press_them(scenario: Director) -> None:
    rules = [{"tool": "deploy", "mode": "ask", "approvers": {"users": [GRACE]}}]
    scene = await scenario(ONE, persona={"approvals": rules})
    private = await scene.slack.channel("private", name="secret-ops", members=[ADA, KEN, BOT])
    session = await scene.waiting(await scene.launch(channel=private))
    card = await scene.slack.message(
        private, lambda m: key_of(m) == "card" and session.id in texts(m) and VIEW in buttons(m)
    )
    assert not {APPROVE, DENY} & set(buttons(card))


async def test_a_call_is_answered_in_place_of_running(scenario: Director) -> None:
    scene = await scenario(ONE)
    session = await scene.waiting(await scene.launch())
    (ask,) = await scene.asked(session)
    assert (await scene.slack.click(GRACE, OPS, ask["ts"], "call_respond"))["ok"]
    form = await scene.slack.view(GRACE)
    assert "service: shop" in texts(form)
    assert (await scene.slack.submit(GRACE, form, {"value": "It is deployed already"}))["ok"]
    ended = await scene.ended(session)
    assert (ended.call("1.1").phase, ended.call("1.1").content) == ("answered", "It is deployed already")
    rows = await scene.settled(session)
    assert any(f"Answered by <@{GRACE}>" in texts(row) for row in rows)
    assert not scene.runs("deploy")


async def test_who_steers_has_the_agent_do_something_else(scenario: Director) -> None:
    rules = [{"tool": "deploy", "mode": "ask", "approvers": {"users": [GRACE]}}]
    scene = await scenario(ONE, persona={"approvals": rules})
    session = await scene.waiting(await scene.launch())
    (ask,) = await scene.asked(session)
    assert (await scene.slack.choose(LINUS, OPS, ask, "call_instead"))["ok"]
    (told,) = await scene.whispers(LINUS, thread_ts=ask["thread_ts"])
    assert "may" in texts(told)
    assert (await scene.slack.choose(ADA, OPS, ask, "call_instead"))["ok"]
    assert (await scene.slack.submit(ADA, await scene.slack.view(ADA), {"value": "Look at the disk"}))["ok"]
    ended = await scene.ended(session)
    assert (ended.call("1.1").phase, ended.call("1.1").closed_by) == ("superseded", f"slack:{ADA}")
    rows = await scene.settled(session)
    assert any("Instead: Look at the disk" in texts(row) for row in rows)
    assert not scene.runs("deploy")


async def test_reasons_of_the_persona_are_offered_for_a_denial(scenario: Director) -> None:
    scene = await scenario(ONE, persona={"denials": ["Use staging first", "Not today"]})
    session = await scene.waiting(await scene.launch())
    (ask,) = await scene.asked(session)
    assert (await scene.slack.click(GRACE, OPS, ask["ts"], DENY))["ok"]
    form = await scene.slack.view(GRACE)
    (offered,) = [block for block in form["blocks"] if block.get("block_id") == "common"]
    assert [option["value"] for option in offered["element"]["options"]] == ["Use staging first", "Not today"]
    chosen = {
        "common": {"value": {"type": "static_select", "selected_option": offered["element"]["options"][0]}}
    }
    words = {"reason": {"value": {"type": "plain_text_input", "value": "It is new"}}}
    assert (await scene.slack.submit(GRACE, form, {**chosen, **words}))["ok"]
    ended = await scene.ended(session)
    assert ended.call("1.1").decisions[0].reason == "Use staging first – It is new"


async def test_a_request_says_how_risky_it_is_and_where_it_runs(scenario: Director) -> None:
    @tool(destructive=True)
    async def wipe(table: str) -> str:
        """Delete a table."""
        return "gone"

    scene = await scenario(in_turn(calls(("wipe", {"table": "users"})), says("Done.")), tools={"wipe": wipe})
    assert wipe.changes
    session = await scene.launch()
    (ask,) = await scene.asked(session)
    folder = scene.flagman.config.workspace_folder.resolve() / session.id
    for shown in (ask, await scene.card(session)):
        assert "*wipe* · :red_circle: destructive, it cannot be undone" in texts(shown)
        assert f"Runs on `{socket.gethostname()}`, in `{folder}`" in texts(shown)
