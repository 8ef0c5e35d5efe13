"""View full call: every character of the arguments, however long, a page at a time."""

from __future__ import annotations

import json

import pytest

from handlers.blocks.text import argument_text
from tests.support.editing import EDIT, save
from tests.support.scenario import APPROVE, DENY, VIEW, Director
from tests.support.scripted import calls, in_turn, says
from tests.support.slack import ADA, GRACE, OPS, Json, Slack, buttons, texts, wait_for

HOSTILE = "rm -rf <!channel> `x` *b* \u202e\x1b[2K <https://evil|ok> 🙂 "


def preformatted(view: Json) -> str:
    blocks = [b for b in view["blocks"] if b["type"] == "rich_text"]
    return "".join(part["text"] for b in blocks for e in b["elements"] for part in e["elements"])


async def every_page(slack: Slack, user: str, view: Json) -> str:
    text = preformatted(view)
    while True:
        following = [name for name, b in buttons(view).items() if b["text"]["text"] == "Next"]
        if not following:
            return text
        assert (await slack.click_in_view(user, view["id"], following[0]))["ok"]
        view = await slack.view(user)
        text += preformatted(view)


@pytest.mark.parametrize("length", [200, 5_000, 60_000])
async def test_every_character_is_within_reach(scenario: Director, length: int) -> None:
    notes = "".join(f"{n} {HOSTILE}" for n in range(length // 10))[:length]
    arguments = {"service": "shop", "notes": notes}
    scene = await scenario(in_turn(calls(("deploy", arguments)), says("Done.")))
    session = await scene.launch()
    (ask,) = await scene.asked(session)
    full = argument_text(arguments)
    shown = preformatted(ask)
    assert full.startswith(shown)
    left = len(full) - len(shown)
    assert (f"{left:,} more characters" in texts(ask)) == (left > 0)
    assert (await scene.slack.click(GRACE, OPS, ask["ts"], VIEW))["ok"]
    assert await every_page(scene.slack, GRACE, await scene.slack.view(GRACE)) == full
    assert (await scene.slack.click(ADA, OPS, ask["ts"], APPROVE))["ok"]
    await scene.ended(session)
    assert scene.runs("deploy")[0][3] == arguments
    assert await scene.refused() == []


async def test_the_last_page_ends_in_the_decision(scenario: Director) -> None:
    script = in_turn(calls(("deploy", {"service": "shop", "notes": "n" * 60_000})), says("Done."))
    scene = await scenario(script)
    session = await scene.launch()
    (ask,) = await scene.asked(session)
    for who in (GRACE, ADA):
        await scene.slack.click(who, OPS, ask["ts"], VIEW)
    view = await scene.slack.view(GRACE)
    assert not view["submit"]
    assert DENY not in buttons(view)
    await every_page(scene.slack, GRACE, view)
    (last,) = await scene.slack.views(GRACE)
    assert last["submit"]["text"] == "Approve"
    await every_page(scene.slack, ADA, await scene.slack.view(ADA))
    (other,) = await scene.slack.views(ADA)
    assert (await scene.slack.click_in_view(ADA, other["id"], DENY))["ok"]
    form = await scene.slack.view(ADA)
    assert (await scene.slack.submit(GRACE, last))["ok"]
    assert await scene.slack.views(GRACE) == []
    await scene.ended(session)
    late = await scene.slack.submit(ADA, form, {"value": "no"})
    assert "was already approved" in late["errors"]["reason"]
    await scene.slack.close_view(ADA, form)
    assert (await scene.slack.submit(ADA, other))["ok"]
    (told,) = await scene.slack.views(ADA)
    assert "was already approved" in texts(told)
    assert not told["submit"]
    assert len(scene.runs("deploy")) == 1


async def test_a_denial_above_the_full_call_closes_both(scenario: Director) -> None:
    scene = await scenario(in_turn(calls(("deploy", {"service": "shop"})), says("Done.")))
    session = await scene.launch()
    (ask,) = await scene.asked(session)
    await scene.slack.click(GRACE, OPS, ask["ts"], VIEW)
    view = await scene.slack.view(GRACE)
    assert (await scene.slack.click_in_view(GRACE, view["id"], DENY))["ok"]
    assert (await scene.slack.submit(GRACE, await scene.slack.view(GRACE), {"value": "not today"}))["ok"]
    assert await scene.slack.views(GRACE) == []
    ended = await scene.ended(session)
    assert [d.reason for d in ended.call("1.1").decisions] == ["not today"]


async def test_an_edit_above_the_full_call_closes_both(scenario: Director) -> None:
    scene = await scenario(in_turn(calls(("deploy", {"service": "shop"})), says("Done.")))
    session = await scene.launch()
    (ask,) = await scene.asked(session)
    await scene.slack.click(ADA, OPS, ask["ts"], VIEW)
    view = await scene.slack.view(ADA)
    assert (await scene.slack.click_in_view(ADA, view["id"], EDIT))["ok"]
    assert (await save(scene, await scene.slack.view(ADA), service="mail"))["ok"]
    assert await scene.slack.views(ADA) == []
    await scene.ended(session)
    assert scene.runs("deploy")[0][3]["service"] == "mail"


async def test_the_full_call_stays_within_reach_after_the_decision(scenario: Director) -> None:
    arguments = {"service": "shop", "notes": "n" * 5_000}
    scene = await scenario(in_turn(calls(("deploy", arguments)), says("Done.")))
    session = await scene.launch()
    (ask,) = await scene.asked(session)
    assert (await scene.slack.click(ADA, OPS, ask["ts"], APPROVE))["ok"]
    rows = await scene.settled(session)
    decided = next(row for row in rows if row["ts"] == ask["ts"])
    assert (await scene.slack.click(GRACE, OPS, decided["ts"], VIEW))["ok"]
    view = await scene.slack.view(GRACE)
    assert await every_page(scene.slack, GRACE, view) == argument_text(arguments)


async def test_next_pressed_twice_turns_one_page_and_nobody_is_alarmed(scenario: Director) -> None:
    arguments = {"service": "shop", "notes": "n" * 60_000}
    scene = await scenario(in_turn(calls(("deploy", arguments)), says("Done.")))
    session = await scene.launch()
    (ask,) = await scene.asked(session)
    await scene.slack.click(GRACE, OPS, ask["ts"], VIEW)
    view = await scene.slack.view(GRACE)
    payload = {
        "type": "block_actions",
        "user": {"id": GRACE, "username": "grace", "name": "grace"},
        "team": {"id": "T0PLAYGRD1"},
        "trigger_id": "1.2.3",
        "container": {"type": "view", "view_id": view["id"]},
        "view": view,
        "actions": [{**buttons(view)["call_page:1"], "block_id": "pager", "action_ts": "1.0"}],
    }
    for _ in range(2):
        answer = await scene.slack.send("deliver", {"type": "interactive", "payload": payload})
        assert answer["ok"], answer
    (view,) = await scene.slack.views(GRACE)
    assert "page 2 of" in json.dumps(view["blocks"])
    await wait_for(lambda: True)
    assert [call["error"] for call in await scene.refused()] in ([], ["hash_conflict"])
    assert not [c for c in await scene.slack.calls("chat.postMessage") if c["args"].get("channel") == GRACE]


async def test_the_form_that_denies_keeps_the_lines(scenario: Director) -> None:
    scene = await scenario(
        in_turn(calls(("deploy", {"service": "shop", "notes": "one\ntwo"})), says("Done."))
    )
    (ask,) = await scene.asked(await scene.launch())
    assert (await scene.slack.click(GRACE, OPS, ask["ts"], DENY))["ok"]
    assert "\n    one\n    two" in preformatted(await scene.slack.view(GRACE))
