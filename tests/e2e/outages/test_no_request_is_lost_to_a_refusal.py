"""Slack refuses a request by its form, its place, or for another reason: it stands where a person can decide on it."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest

import handlers.projection.message_poster
import handlers.projection.projector
import handlers.projection.refusals
from bot.compose import now
from bot.playground import seed
from handlers.projection.deletions import Deletions
from handlers.projection.marks import mark_of
from storage import keys
from storage.queue import SessionQueue
from supervisor.runtime.sweeper import Sweeper
from tests.support.scenario import ALL, APPROVE, VIEW, Director, Scene, key_of
from tests.support.scripted import Behaviour, calls, in_turn, says
from tests.support.slack import ADA, ADA_DM, DEPLOYS, GRACE, OPS, Json, buttons, texts, wait_for

ONE = in_turn(calls(("deploy", {"service": "shop"})), says("All done."))
POST = "chat.postMessage"
FORMS = [
    "invalid_blocks",
    "invalid_blocks_format",
    "msg_blocks_too_long",
    "msg_too_long",
    "metadata_too_large",
]
PLACES = [
    "restricted_action_read_only_channel",
    "restricted_action_thread_locked",
    "restricted_action_some_day",
    "is_inactive",
    "is_archived",
    "channel_not_found",
    "no_permission",
    "cannot_reply_to_message",
]
OTHERS = ["ekm_access_denied", "missing_scope", "invalid_auth", "team_access_not_granted", "never_heard_of"]


@pytest.fixture(autouse=True)
def _soon(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(handlers.projection.refusals, "RETRY_SECONDS", 0.05)
    monkeypatch.setattr(handlers.projection.message_poster, "MOVE_SECONDS", 0.05)


async def refusing(scenario: Director, code: str, times: int, replies: Behaviour = ONE) -> Scene:
    """A scene in which Slack takes the card, and refuses so many posts after it."""

    async def behave(request: Any) -> Any:
        if len(request.turns) == 1:
            await wait_for(posted)
            await scene.slack.fault(POST, error=code, times=times)
        return replies(request)

    async def posted() -> bool:
        return any(call["ok"] for call in await scene.slack.calls(POST))

    scene = await scenario(behave)
    return scene


async def approved(scene: Scene, channel: str, user: str = ADA) -> Json:
    """The request in the thread of the card in this channel, approved there."""
    card = await scene.slack.message(channel, lambda m: "card:" in texts(m), user=user)
    ask = await scene.slack.message(channel, lambda m: APPROVE in buttons(m), card["ts"], user=user)
    assert (await scene.slack.click(user, channel, ask["ts"], APPROVE))["ok"]
    return ask


@pytest.mark.parametrize("code", FORMS)
async def test_a_form_that_is_refused_becomes_plain_text_with_the_whole_call(
    scenario: Director, code: str
) -> None:
    notes = "\n".join(f"line {n}" for n in range(60))
    proposed = in_turn(calls(("deploy", {"service": "shop", "notes": notes})), says("Done."))
    scene = await refusing(scenario, code, 1, proposed)
    session = await scene.launch()
    (ask,) = await scene.asked(session)
    assert {block["type"] for block in ask["blocks"]} <= {"section", "actions"}
    assert all(f"line {n}" in texts(ask) for n in range(60))
    assert (await scene.slack.click(ADA, OPS, ask["ts"], APPROVE))["ok"]
    await scene.ended(session)


async def test_what_fits_in_no_form_stands_in_a_file_beside_it(scenario: Director) -> None:
    notes = "\n".join(f"line {n}" for n in range(60))
    proposed = in_turn(calls(("deploy", {"service": "shop", "notes": notes})), says("Done."))
    scene = await refusing(scenario, "msg_too_long", 2, proposed)
    session = await scene.launch()
    (ask,) = await scene.asked(session)
    assert "line 59" not in texts(ask)
    [message] = [row for row in await scene.slack.messages(OPS, ask["thread_ts"]) if row.get("files")]
    async with scene.slack.session.get(message["files"][0]["url_private"]) as answer:
        whole = await answer.text()
    assert all(f"line {n}\n" in f"{whole}\n" for n in range(60))
    assert (await scene.slack.click(ADA, OPS, ask["ts"], APPROVE))["ok"]
    await scene.ended(session)


async def test_what_fits_in_no_form_and_no_file_cannot_be_approved_unread(scenario: Director) -> None:
    scene = await refusing(scenario, "msg_too_long", 2)
    await scene.slack.fault("files.getUploadURLExternal", error="missing_scope", times=9)
    session = await scene.launch()
    card = await scene.card(session)
    ask = await scene.slack.message(OPS, lambda m: VIEW in buttons(m) and key_of(m) != "card", card["ts"])
    assert not {APPROVE, ALL} & set(buttons(ask))
    assert (await scene.waiting(session)).waiting_for == "human_approval_required"


@pytest.mark.parametrize("code", PLACES)
async def test_a_place_that_is_refused_is_left_for_the_requester(scenario: Director, code: str) -> None:
    scene = await scenario(ONE)
    await scene.slack.fault(POST, error=code, times=1000, match={"channel": OPS})
    session = await scene.flagman.core.supervisor.launch("ops", "ship it", **_in_ops())
    await approved(scene, ADA_DM)
    await scene.ended(session)
    assert len(scene.runs("deploy")) == 1


async def test_a_request_that_moved_says_where_it_belongs_and_hears_replies(scenario: Director) -> None:
    scene = await refusing(scenario, "restricted_action_read_only_channel", 1)
    session = await scene.launch()
    ask = await scene.slack.message(ADA_DM, lambda m: APPROVE in buttons(m))
    card = await scene.card(session)
    link = (await scene.slack.api("chat.getPermalink", channel=OPS, message_ts=card["ts"]))["permalink"]
    assert f"<{link}|session {session.id}>" in texts(ask)
    assert f"Not a member of <#{OPS}>" in texts(ask)
    await scene.slack.post(ADA, ADA_DM, "only the canary, please", ask["ts"])
    told = await scene.flagman.session(lambda s: "only the canary" in str(s.inbox), session.id)
    assert not told.ended
    assert (await scene.slack.click(ADA, ADA_DM, ask["ts"], APPROVE))["ok"]
    await scene.ended(session)


async def test_a_card_that_slack_shows_outside_of_its_thread_hears_replies(scenario: Director) -> None:
    scene = await scenario(ONE)
    parent = await scene.slack.post(ADA, OPS, "the shop is slow")
    await scene.slack.send("delete", {"user": ADA, "channel": OPS, "ts": parent["ts"]})
    start = _in_ops(thread_ts=parent["ts"])
    session = await scene.flagman.core.supervisor.launch("ops", "ship it", **start)
    card = await scene.card(session)
    assert not card.get("thread_ts") or card["thread_ts"] == card["ts"]
    ask = await scene.slack.message(OPS, lambda m: APPROVE in buttons(m), card["ts"])
    await scene.slack.post(ADA, OPS, "only the canary, please", card["ts"])
    await scene.flagman.session(lambda s: "only the canary" in str(s.inbox), session.id)
    assert (await scene.slack.click(ADA, OPS, ask["ts"], APPROVE))["ok"]
    await scene.ended(session)


async def test_a_deleted_request_comes_back_at_once(scenario: Director) -> None:
    scene = await scenario(ONE)
    session = await scene.launch()
    (ask,) = await scene.asked(session)
    assert (await scene.slack.api("chat.delete", channel=OPS, ts=ask["ts"]))["ok"]
    again = await scene.slack.message(
        OPS, lambda m: APPROVE in buttons(m) and m["ts"] != ask["ts"], ask["thread_ts"]
    )
    assert (await scene.slack.click(ADA, OPS, again["ts"], APPROVE))["ok"]
    await scene.ended(session)


async def test_a_sweep_finds_a_request_that_is_gone_unseen(
    scenario: Director, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(handlers.projection.message_poster, "VERIFY_SECONDS", 0.0)
    monkeypatch.setattr(Deletions, "receive", _ignored)
    scene = await scenario(ONE)
    session = await scene.launch()
    (ask,) = await scene.asked(session)
    assert (await scene.slack.api("chat.delete", channel=OPS, ts=ask["ts"]))["ok"]
    parts = scene.flagman.core
    await Sweeper(parts.sessions, parts.log, *parts.queues()).sweep(now())
    again = await scene.slack.message(
        OPS, lambda m: APPROVE in buttons(m) and m["ts"] != ask["ts"], ask["thread_ts"]
    )
    assert (await scene.slack.click(ADA, OPS, again["ts"], APPROVE))["ok"]
    await scene.ended(session)


@pytest.mark.parametrize("how", ["the channel is archived", "the bot is removed"])
async def test_a_sweep_finds_a_request_where_the_bot_is_heard_no_longer(
    scenario: Director, monkeypatch: pytest.MonkeyPatch, how: str
) -> None:
    monkeypatch.setattr(handlers.projection.message_poster, "VERIFY_SECONDS", 0.0)
    scene = await scenario(ONE)
    session = await scene.launch()
    (ask,) = await scene.asked(session)
    # With the scope it may write in a public channel that it is not in, where its buttons are heard all the same.
    scene.slack.playground.workspace.manifest = seed.Manifest(scopes=seed.SCOPES - {"chat:write.public"})
    if how == "the bot is removed":
        scene.slack.playground.workspace.store.leave(OPS, seed.BOT_USER)
    else:
        await scene.slack.channel(id=OPS, is_archived=True)
    # As for a real one, a link to the message is still given.
    assert (await scene.slack.api("chat.getPermalink", channel=OPS, message_ts=ask["ts"]))["ok"]
    parts = scene.flagman.core
    await Sweeper(parts.sessions, parts.log, *parts.queues()).sweep(now())
    moved = await scene.slack.message(ADA_DM, lambda m: APPROVE in buttons(m))
    assert (await scene.slack.click(ADA, ADA_DM, moved["ts"], APPROVE))["ok"]
    await scene.ended(session)


@pytest.mark.parametrize("code", ["never_heard_of", "missing_scope", "fatal_error"])
async def test_a_look_that_slack_refuses_changes_nothing(
    scenario: Director, monkeypatch: pytest.MonkeyPatch, code: str
) -> None:
    monkeypatch.setattr(handlers.projection.message_poster, "VERIFY_SECONDS", 0.0)
    scene = await scenario(ONE)
    session = await scene.launch()
    (ask,) = await scene.asked(session)
    await scene.slack.fault("chat.getPermalink", error=code, times=1000)
    parts = scene.flagman.core
    _, outbox = parts.queues()
    await Sweeper(parts.sessions, parts.log, *parts.queues()).sweep(now())
    await wait_for(lambda: scene.slack.calls("chat.getPermalink"))

    await wait_for(lambda: idle(outbox, session.id))
    assert await outbox.troubles() == {}
    assert len(await scene.asked(session)) == 1
    assert (await scene.slack.click(ADA, OPS, ask["ts"], APPROVE))["ok"]
    await scene.ended(session)


async def test_a_message_that_was_updated_is_found_by_its_mark(scenario: Director) -> None:
    scene = await scenario(ONE)
    session = await scene.launch()
    (ask,) = await scene.asked(session)
    assert mark_of(await scene.card(session)) == (session.id, "card")
    assert (await scene.slack.click(ADA, OPS, ask["ts"], APPROVE))["ok"]
    await scene.ended(session)
    await scene.settled(session)
    row = await scene.slack.message(OPS, lambda m: m["ts"] == ask["ts"], ask["thread_ts"])
    assert mark_of(row) == mark_of(ask)
    assert mark_of({"blocks": row["blocks"]}) == mark_of(ask)


async def _ignored(*_: object) -> None:
    """As when Slack tells nothing of a deletion."""


async def test_where_the_requester_cannot_be_reached_an_approver_is_asked(scenario: Director) -> None:
    approvers = {"users": [GRACE]}
    scene = await scenario(
        ONE, persona={"approvals": [{"tool": "deploy", "mode": "ask", "approvers": approvers}]}
    )
    await scene.slack.fault(POST, error="is_archived", times=1000, match={"channel": OPS})
    await scene.slack.fault("conversations.open", error="user_disabled", times=1000, match={"users": ADA})
    session = await scene.flagman.core.supervisor.launch("ops", "ship it", **_in_ops())
    opened = (await scene.slack.api("conversations.open", users=GRACE))["channel"]["id"]
    await approved(scene, opened, GRACE)
    await scene.ended(session)


async def test_where_nobody_can_be_reached_the_configured_channel_is_asked(scenario: Director) -> None:
    scene = await scenario(ONE, fallback_channel=DEPLOYS)
    await scene.slack.fault(POST, error="is_archived", times=1000, match={"channel": OPS})
    await scene.slack.fault("conversations.open", error="user_disabled", times=1000)
    session = await scene.flagman.core.supervisor.launch("ops", "ship it", **_in_ops())
    await approved(scene, DEPLOYS)
    await scene.ended(session)


async def test_where_no_place_takes_it_all_are_tried_again(scenario: Director) -> None:
    scene = await scenario(ONE)
    await scene.slack.fault(POST, error="is_archived", times=3, match={"channel": OPS})
    await scene.slack.fault("conversations.open", error="user_disabled", times=3)
    session = await scene.flagman.core.supervisor.launch("ops", "ship it", **_in_ops())
    await approved(scene, OPS)
    await scene.ended(session)


@pytest.mark.parametrize("code", OTHERS)
async def test_any_other_refusal_is_tried_again_until_it_is_mended(scenario: Director, code: str) -> None:
    scene = await refusing(scenario, code, 4)
    session = await scene.launch()
    _, outbox = scene.flagman.core.queues()
    troubles = await scene.slack.wait_for(outbox.troubles)
    assert f"Slack refuses {POST}: {code}" in troubles[session.id]
    (ask,) = await scene.asked(session)
    assert (await scene.slack.click(ADA, OPS, ask["ts"], APPROVE))["ok"]
    await scene.ended(session)
    await scene.settled(session)


@pytest.mark.parametrize("code", ["never_heard_of", "external_channel_migrating", "access_denied"])
async def test_a_place_that_goes_on_refusing_is_left_too(
    scenario: Director, monkeypatch: pytest.MonkeyPatch, code: str
) -> None:
    monkeypatch.setattr(handlers.projection.message_poster, "MOST_REFUSALS", 3)
    scene = await scenario(ONE, fallback_channel=DEPLOYS)
    await scene.slack.fault(POST, error=code, times=1000, match={"channel": OPS})
    await scene.slack.fault("conversations.open", error=code, times=1000)
    session = await scene.flagman.core.supervisor.launch("ops", "ship it", **_in_ops())
    await approved(scene, DEPLOYS)
    await scene.ended(session)


async def test_messages_whose_rows_are_lost_are_found(
    scenario: Director, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(handlers.projection.projector, "NEW", timedelta(0))
    scene = await scenario(ONE)
    session = await scene.launch()
    (ask,) = await scene.asked(session)
    card = await scene.card(session)
    _, outbox = scene.flagman.core.queues()
    await wait_for(lambda: idle(outbox, session.id))
    await scene.flagman.core.redis.delete(keys.projection(session.id))
    await outbox.enqueue(session.id)
    await wait_for(lambda: idle(outbox, session.id))
    assert [row["ts"] for row in await scene.asked(session)] == [ask["ts"]]
    assert (await scene.card(session))["ts"] == card["ts"]
    assert (await scene.slack.click(ADA, OPS, ask["ts"], APPROVE))["ok"]
    await scene.ended(session)
    await scene.settled(session)


async def idle(outbox: SessionQueue, session_id: str) -> bool:
    return not await outbox.holds(session_id)


@pytest.mark.parametrize("method", [POST, "chat.update"])
async def test_a_card_that_has_to_wait_holds_no_request_back(scenario: Director, method: str) -> None:
    two = in_turn(calls(("note", {"words": "x"})), calls(("deploy", {"service": "shop"})), says("Done."))
    scene = await scenario(two)
    session = await scene.launch()
    await scene.card(session)
    await scene.slack.fault("chat.update", status=429, retry_after=600, times=1000)
    (ask,) = await scene.asked(session)
    assert APPROVE in buttons(ask)


def _in_ops(thread_ts: str = "") -> dict[str, Any]:
    from handlers.origin import Place
    from supervisor.core.events import Actor

    return {"actor": Actor(id=f"slack:{ADA}", name="ada"), "origin": Place(OPS, ADA, thread_ts).origin()}
