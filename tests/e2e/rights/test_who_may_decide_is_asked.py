"""An approval that is asked for where nobody may give it is asked for where somebody may."""

from __future__ import annotations

from typing import Any

import pytest

import handlers.projection.message_poster
import handlers.projection.refusals
from supervisor.core.events import SYSTEM
from supervisor.core.state import Session
from tests.support.editing import save
from tests.support.scenario import APPROVE, Director, Scene
from tests.support.scripted import calls, in_turn, says
from tests.support.slack import (
    ADA,
    ADA_DM,
    BOT,
    DEPLOYS,
    GRACE,
    KEN,
    LINUS,
    OPS,
    Json,
    buttons,
    texts,
    wait_for,
)

ONE = in_turn(calls(("deploy", {"service": "shop"})), says("Done."))
POST = "chat.postMessage"


@pytest.fixture(autouse=True)
def _soon(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(handlers.projection.refusals, "RETRY_SECONDS", 0.05)
    monkeypatch.setattr(handlers.projection.message_poster, "MOVE_SECONDS", 0.05)


def ruled(**approvers: Any) -> dict[str, Any]:
    return {"approvals": [{"tool": "deploy", "mode": "ask", "approvers": approvers}]}


async def direct(scene: Scene, user: str) -> str:
    """The direct conversation of the bot with a person."""
    return str((await scene.slack.api("conversations.open", users=user))["channel"]["id"])


async def asked(scene: Scene, user: str) -> tuple[str, Json]:
    """The request as this person was asked directly."""
    channel = await direct(scene, user)
    return channel, await scene.slack.message(channel, lambda m: APPROVE in buttons(m), user=user)


async def in_dm(scene: Scene, user: str = ADA) -> Session:
    """A session that waits for an approval, launched in the direct conversation of this person."""
    return await scene.waiting(await scene.launch(user=user, channel=await direct(scene, user)))


async def note(scene: Scene, session: Session, user: str = ADA) -> Json:
    """The request in the place of the session, which says where it was asked."""
    channel = await direct(scene, user)
    card = await scene.card(session, channel, user)
    return await scene.slack.message(channel, lambda m: "Asked: " in texts(m), card["ts"], user=user)


@pytest.mark.parametrize(
    "approvers",
    [
        {"users": [GRACE]},
        {"groups": ["sre"], "exclude_requester": True},
        {"users": [ADA, GRACE], "exclude_requester": True},
    ],
)
async def test_an_approver_is_asked_directly(scenario: Director, approvers: dict[str, Any]) -> None:
    scene = await scenario(ONE, persona=ruled(**approvers))
    session = await in_dm(scene)
    channel, message = await asked(scene, GRACE)
    assert f"session {session.id}" in texts(message)
    assert f"launched by <@{ADA}>, in a direct message" in texts(message)
    there = await note(scene, session)
    assert f"<@{GRACE}>" in texts(there)
    assert APPROVE not in buttons(there)
    assert (await scene.slack.click(GRACE, channel, message["ts"], APPROVE))["ok"]
    assert (await scene.ended(session)).call("1.1").decisions[0].by == f"slack:{GRACE}"
    settled = await scene.slack.message(
        channel, lambda m: m["ts"] == message["ts"] and "Approved" in texts(m), user=GRACE
    )
    assert not {APPROVE} & set(buttons(settled))


async def test_as_many_are_asked_as_it_takes(scenario: Director) -> None:
    scene = await scenario(ONE, persona=ruled(users=[ADA, GRACE, LINUS], quorum=2))
    session = await in_dm(scene)
    channel, message = await asked(scene, LINUS)
    await asked(scene, GRACE)
    there = await scene.slack.message(
        ADA_DM, lambda m: "Also asked" in texts(m), (await scene.card(session, ADA_DM))["ts"]
    )
    assert (await scene.slack.click(ADA, ADA_DM, there["ts"], APPROVE))["ok"]
    assert (await scene.slack.click(LINUS, channel, message["ts"], APPROVE))["ok"]
    await scene.ended(session)


async def test_a_private_channel_without_an_approver_is_no_place_for_a_request(scenario: Director) -> None:
    scene = await scenario(ONE, persona=ruled(users=[GRACE]))
    private = await scene.slack.channel("private", name="secret-ops", members=[ADA, KEN, BOT])
    session = await scene.waiting(await scene.launch(channel=private))
    channel, message = await asked(scene, GRACE)
    assert (await scene.slack.click(GRACE, channel, message["ts"], APPROVE))["ok"]
    await scene.ended(session)


async def test_where_somebody_sees_it_who_may_decide_nobody_else_is_asked(scenario: Director) -> None:
    scene = await scenario(ONE, persona=ruled(users=[GRACE, LINUS]))
    private = await scene.slack.channel("private", name="secret-ops", members=[ADA, GRACE, BOT])
    session = await scene.waiting(await scene.launch(channel=private))
    (message,) = await scene.asked(session, channel=private)
    assert (await scene.slack.click(GRACE, private, message["ts"], APPROVE))["ok"]
    await scene.ended(session)
    for person in (GRACE, LINUS):
        assert not [m for m in await scene.slack.messages(await direct(scene, person), user=person)]


async def test_an_admin_is_asked_where_the_rule_names_nobody(scenario: Director) -> None:
    scene = await scenario(ONE, persona=ruled(exclude_requester=True), admins=KEN)
    session = await in_dm(scene)
    channel, message = await asked(scene, KEN)
    assert (await scene.slack.click(KEN, channel, message["ts"], APPROVE))["ok"]
    await scene.ended(session)


async def test_where_no_approver_can_be_reached_the_configured_channel_is_asked(scenario: Director) -> None:
    scene = await scenario(ONE, persona=ruled(users=[GRACE, LINUS]), fallback_channel=DEPLOYS)
    for who in (GRACE, LINUS):
        await scene.slack.fault("conversations.open", error="user_disabled", times=1000, match={"users": who})
    session = await in_dm(scene)
    message = await scene.slack.message(DEPLOYS, lambda m: APPROVE in buttons(m))
    assert f"<#{DEPLOYS}>" in texts(await note(scene, session))
    assert (await scene.slack.click(GRACE, DEPLOYS, message["ts"], APPROVE))["ok"]
    await scene.ended(session)


async def test_where_nobody_can_be_asked_the_requester_is_told(scenario: Director) -> None:
    scene = await scenario(ONE, persona=ruled(exclude_requester=True))
    session = await in_dm(scene)
    card = await scene.card(session, ADA_DM)
    await scene.slack.message(ADA_DM, lambda m: "Nobody who sees this may approve it" in texts(m), card["ts"])


async def test_what_an_approver_says_and_snoozes_there_is_heard(scenario: Director) -> None:
    scene = await scenario(ONE, persona=ruled(users=[GRACE]))
    private = await scene.slack.channel("private", name="secret-ops", members=[ADA, KEN, BOT])
    session = await scene.waiting(await scene.launch(channel=private))
    channel, message = await asked(scene, GRACE)
    await scene.slack.post(GRACE, channel, "only the canary, please", message["ts"])
    await scene.flagman.session(lambda s: "only the canary" in str(s.inbox), session.id)
    assert (await scene.slack.choose(GRACE, channel, message, "snooze_hour"))["ok"]
    await scene.flagman.session(lambda s: s.timers, session.id)
    assert (await scene.slack.click(GRACE, channel, message["ts"], "call_edit"))["ok"]
    form = await scene.slack.view(GRACE)
    await save(scene, form, GRACE, service="canary")
    assert (await scene.ended(session)).call("1.1").call.arguments == {"service": "canary", "notes": ""}
    answer = str(await scene.slack.command(GRACE, OPS, f"cancel {session.id}"))
    assert "There is no session" in answer


async def test_a_snoozed_request_comes_back_to_who_snoozed_it(scenario: Director) -> None:
    scene = await scenario(ONE, persona=ruled(users=[GRACE]))
    session = await in_dm(scene)
    channel, message = await asked(scene, GRACE)
    assert (await scene.slack.choose(GRACE, channel, message, "snooze_hour"))["ok"]
    timer = (await scene.flagman.session(lambda s: s.timers, session.id)).timers[0]
    await scene.flagman.core.supervisor.fire_timer(session.id, timer.id, SYSTEM)
    again = await scene.slack.message(channel, lambda m: "Reminder" in texts(m), user=GRACE)
    assert (await scene.slack.click(GRACE, channel, again["ts"], "reminder_dismiss"))["ok"]
    await scene.flagman.session(lambda s: s.timers[0].state == "dropped", session.id)


async def test_a_place_that_is_refused_is_left_for_an_approver_before_the_requester(
    scenario: Director,
) -> None:
    scene = await scenario(ONE, persona=ruled(groups=["sre"], exclude_requester=True))
    await scene.slack.fault(POST, error="is_archived", times=1000, match={"channel": OPS})
    session = await scene.launch()
    channel, message = await asked(scene, GRACE)
    assert (await scene.slack.click(GRACE, channel, message["ts"], APPROVE))["ok"]
    await scene.ended(session)
    assert not [m for m in await scene.slack.messages(ADA_DM) if APPROVE in buttons(m)]


async def test_the_direct_message_of_a_requester_who_may_not_decide_is_no_place_of_a_request(
    scenario: Director,
) -> None:
    scene = await scenario(ONE, persona=ruled(exclude_requester=True), fallback_channel=DEPLOYS)
    await scene.slack.fault(POST, error="is_archived", times=1000, match={"channel": OPS})
    session = await scene.launch()
    message = await scene.slack.message(DEPLOYS, lambda m: APPROVE in buttons(m))
    assert (await scene.slack.click(KEN, DEPLOYS, message["ts"], APPROVE))["ok"]
    await scene.ended(session)


async def test_a_pause_until_an_approval_is_asked_of_who_may_give_it(scenario: Director) -> None:
    scene = await scenario(ONE, persona=ruled(users=[GRACE]))
    session = await in_dm(scene)
    channel, message = await asked(scene, GRACE)
    await scene.slack.command(ADA, ADA_DM, f"pause {session.id} until approval")
    await scene.slack.click(GRACE, channel, message["ts"], APPROVE)
    paused = await scene.slack.message(
        channel, lambda m: APPROVE in buttons(m) and m["ts"] != message["ts"], user=GRACE
    )
    assert (await scene.slack.click(GRACE, channel, paused["ts"], APPROVE))["ok"]
    await scene.ended(session)


@pytest.mark.parametrize("error", ["user_disabled", "messages_tab_disabled"])
async def test_who_could_not_be_asked_is_asked_again(
    scenario: Director, monkeypatch: pytest.MonkeyPatch, error: str
) -> None:
    monkeypatch.setattr(handlers.projection.message_poster, "AGAIN_SECONDS", 0.0)
    scene = await scenario(ONE, persona=ruled(users=[GRACE]))
    theirs = await direct(scene, GRACE)
    await scene.slack.fault(POST, error=error, match={"channel": theirs})
    session = await in_dm(scene)
    await wait_for(lambda: refused(scene))
    _, outbox = scene.flagman.core.queues()
    await outbox.enqueue(session.id)
    channel, ask = await asked(scene, GRACE)
    assert (await scene.slack.click(GRACE, channel, ask["ts"], APPROVE))["ok"]
    await scene.ended(session)
    posted = [call for call in await scene.slack.calls(POST) if call["ok"] and APPROVE in str(call["args"])]
    assert len([call for call in posted if call["args"]["channel"] in (channel, GRACE)]) == 1


async def refused(scene: Scene) -> bool:
    return any(call["fault"] for call in await scene.slack.calls(POST))
