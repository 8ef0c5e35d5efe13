"""A reaction decides only where the persona allows it, from an approver, on the message of exactly one call."""

from __future__ import annotations

import time

from supervisor.core.persona import Persona
from tests.support.editing import asked, save, window
from tests.support.scenario import APPROVE, Director, Scene
from tests.support.scripted import calls, in_turn, says
from tests.support.slack import ADA, GRACE, KEN, LINUS, OPS, Json, buttons, texts

ONE = in_turn(calls(("deploy", {"service": "shop"})), says("Done."))
GRACES = [{"tool": "deploy", "mode": "ask", "approvers": {"users": [GRACE]}}]
YES, NO = "white_check_mark", "x"


async def react(scene: Scene, user: str, message: Json, name: str) -> None:
    assert (await scene.slack.react(user, OPS, message["ts"], name))["ok"]


def added(user: str, message: Json, event_ts: str) -> Json:
    """The event of a reaction of which the playground does not tell by itself."""
    item = {"type": "message", "channel": OPS, "ts": message["ts"]}
    event = {"type": "reaction_added", "user": user, "reaction": YES, "item": item}
    return {**event, "item_user": message["user"], "event_ts": event_ts}


async def heard(scene: Scene, count: int) -> None:
    """So many reactions have been read, each of which takes a look at its message."""

    async def read() -> bool:
        looked = [c for c in await scene.slack.calls("conversations.replies") if c["args"].get("inclusive")]
        return len(looked) >= count

    await scene.slack.wait_for(read)


async def test_an_approver_approves_and_it_is_recorded_how(scenario: Director) -> None:
    scene = await scenario(ONE, persona={"reactions": True, "approvals": GRACES})
    session = await scene.launch()
    (ask,) = await scene.asked(session)
    assert "A reaction decides, too" in texts(ask)
    await react(scene, GRACE, ask, "eyes")
    await react(scene, GRACE, ask, YES)
    ended = await scene.ended(session)
    (decision,) = ended.call("1.1").decisions
    assert (decision.by, decision.verdict, decision.how) == (f"slack:{GRACE}", "approve", "reaction")
    assert len(scene.runs("deploy")) == 1
    rows = await scene.settled(session)
    assert any("with a reaction" in texts(row) for row in rows)
    document = await scene.flagman.core.documents().text(session.id)
    assert ", by a reaction" in document


async def test_a_cross_on_the_card_denies(scenario: Director) -> None:
    scene = await scenario(ONE, persona={"reactions": True})
    session = await scene.waiting(await scene.launch())
    card = await scene.slack.message(OPS, lambda m: session.id in texts(m) and APPROVE in buttons(m))
    assert "A reaction decides, too" in texts(card)
    await react(scene, KEN, card, NO)
    ended = await scene.ended(session)
    assert ended.call("1.1").phase == "denied"
    assert not scene.runs("deploy")


async def test_who_may_not_decide_is_told_once_and_nothing_happens(scenario: Director) -> None:
    scene = await scenario(ONE, persona={"reactions": True, "approvals": GRACES})
    session = await scene.launch()
    (ask,) = await scene.asked(session)
    await react(scene, KEN, ask, YES)
    (told,) = await scene.whispers(KEN, thread_ts=ask["thread_ts"])
    assert f"Ask <@{GRACE}>" in texts(told)
    await react(scene, KEN, ask, NO)
    await heard(scene, 2)
    await react(scene, GRACE, ask, YES)
    ended = await scene.ended(session)
    assert [d.by for d in ended.call("1.1").decisions] == [f"slack:{GRACE}"]
    assert len(await scene.whispers(KEN, thread_ts=ask["thread_ts"])) == 1


async def test_a_reaction_to_an_earlier_form_of_the_message_does_not_count(scenario: Director) -> None:
    """It was made before the message showed the change, and is delivered after it did."""
    four_eyes = asked({"users": [KEN, LINUS], "exclude_requester": True})
    scene = await scenario(ONE, persona={"reactions": True, **four_eyes})
    session = await scene.waiting(await scene.launch())
    (ask,) = await scene.asked(session)
    await save(scene, await window(scene, ask, LINUS), LINUS, service="bank")
    shown = await scene.slack.message(
        OPS, lambda m: m["ts"] == ask["ts"] and "bank" in texts(m), ask["thread_ts"]
    )
    changed = (await scene.flagman.core.supervisor.get(session.id)).call("1.1").asked_at
    assert changed
    between = (changed.timestamp() + float(shown["edited"]["ts"])) / 2
    standing = {**shown, "reactions": [{"name": YES, "users": [KEN], "count": 1}]}
    playground = scene.slack.playground
    playground.timeline.change(playground.workspace.channels[OPS], standing, told=False)
    playground.events._send("reaction_added", added(KEN, shown, f"{between:.6f}"))
    (told,) = await scene.whispers(KEN, thread_ts=ask["thread_ts"])
    assert "changed since your reaction" in texts(told)
    assert (await scene.flagman.core.supervisor.get(session.id)).call("1.1").phase == "awaiting"


async def test_a_reaction_that_was_removed_does_not_count_when_its_event_comes_late(
    scenario: Director,
) -> None:
    scene = await scenario(ONE, persona={"reactions": True})
    session = await scene.waiting(await scene.launch())
    (ask,) = await scene.asked(session)
    event = added(KEN, ask, f"{time.time():.6f}")
    scene.slack.playground.events._send("reaction_added", event)
    await heard(scene, 1)
    await react(scene, KEN, ask, NO)
    ended = await scene.ended(session)
    assert [d.verdict for d in ended.call("1.1").decisions] == ["deny"]


async def test_it_counts_nowhere_else(scenario: Director) -> None:
    """Not where the persona says nothing of it, and not on a message with several calls."""
    scene = await scenario(ONE)
    session = await scene.launch()
    (ask,) = await scene.asked(session)
    await react(scene, ADA, ask, YES)
    await heard(scene, 1)
    assert (await scene.slack.click(GRACE, OPS, ask["ts"], APPROVE))["ok"]
    ended = await scene.ended(session)
    assert [d.by for d in ended.call("1.1").decisions] == [f"slack:{GRACE}"]


async def test_several_calls_in_one_message_take_their_buttons(scenario: Director) -> None:
    two = calls(("deploy", {"service": "a"}), ("deploy", {"service": "b"}))
    scene = await scenario(in_turn(two, says("Done.")), persona={"reactions": True})
    session = await scene.launch()
    (ask,) = await scene.asked(session)
    await react(scene, ADA, ask, YES)
    await heard(scene, 1)
    assert not (await scene.flagman.core.supervisor.get(session.id)).call("1.1").decisions


def test_a_pinned_persona_keeps_its_digest() -> None:
    plain = Persona(name="ops", description="x", instructions="y")
    assert "reactions" not in plain.model_dump(mode="json")
    allowing = plain.model_copy(update={"reactions": True})
    assert allowing.digest != plain.digest
    assert allowing.takes_reactions
    assert not allowing.model_copy(update={"under": plain}).takes_reactions
