"""Each person chooses: in the thread, by one direct message that lists what waits, or both; and quiet hours."""

from __future__ import annotations

import time
from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from redis.asyncio import Redis

from handlers.projection.people import mentions
from handlers.projection.people.waiting import Told
from storage.keys import waiting_messages
from storage.rows import RowStore
from supervisor.core.errors import InvalidInput
from supervisor.notifications import parse_quiet
from tests.support.scenario import Director, Scene
from tests.support.scripted import calls, in_turn, says
from tests.support.slack import ADA, ADA_DM, GRACE, OPS, SRE, Json, buttons, texts, wait_for

DEPLOYS = in_turn(calls(("deploy", {"service": "shop"})), says("Deployed."))
GRACE_DM = "D0GRACE01"


def asks(*users: str, groups: tuple[str, ...] = (), **more: object) -> Json:
    rule = {"users": list(users), "groups": list(groups), **more}
    return {"approvals": [{"tool": "deploy", "mode": "ask", "approvers": rule}]}


async def told(scene: Scene, user: str, place: str, *words: str) -> Json:
    return await scene.slack.message(place, lambda m: all(w in texts(m) for w in words), user=user)


async def posts_to(scene: Scene, place: str) -> int:
    found = await scene.slack.calls("chat.postMessage")
    return sum(call["ok"] and call["args"].get("channel") == place for call in found)


async def choose(scene: Scene, user: str, words: str) -> str:
    answer = await scene.slack.command(user, OPS, f"notify {words}")
    assert answer["ok"], answer
    return str(answer["response"]["text"])


async def test_one_direct_message_lists_what_waits_and_decides(scenario: Director) -> None:
    scene = await scenario(DEPLOYS, persona=asks(ADA, GRACE), webs=2)
    assert "by direct messages alone" in await choose(scene, ADA, "dm")
    first = await scene.launch("ship the shop", user=GRACE)
    message = await told(scene, ADA, ADA_DM, "1 approval waits for you", "ship the shop", "deploy")
    (ask,) = await scene.asked(first)
    assert f"<@{ADA}>" not in texts(ask)
    assert f"<@{GRACE}>" in texts(ask)
    second = await scene.launch("ship the bank", user=GRACE)
    message = await told(scene, ADA, ADA_DM, "2 approvals wait for you", "ship the bank")
    # Within a minute of the first it is the same message, changed.
    assert await posts_to(scene, ADA_DM) == 1
    value = buttons({"blocks": [b for b in message["blocks"] if first.id in b.get("block_id", "")]})
    clicked = await scene.slack.click(
        ADA, ADA_DM, message["ts"], "call_approve", value["call_approve"]["value"],
        block_id=f"need:approval:{first.id}:1.1",
    )  # fmt: skip
    assert clicked["ok"], clicked
    assert (await scene.ended(first)).lifecycle == "completed"
    await told(scene, ADA, ADA_DM, "1 approval waits for you", "ship the bank")
    ask_of_second = (await scene.asked(second))[0]
    assert (await scene.slack.click(GRACE, OPS, ask_of_second["ts"], "call_approve"))["ok"]
    await told(scene, ADA, ADA_DM, "Nothing waits for you")
    assert await scene.refused() == []


async def test_what_another_process_posts_during_an_update_stays_the_message(
    scenario: Director, redis: Redis
) -> None:
    """Otherwise nobody would keep the newer one current, whose buttons would stay."""
    scene = await scenario(DEPLOYS, persona=asks(ADA, GRACE))
    await choose(scene, ADA, "dm")
    await scene.launch("ship the shop", user=GRACE)
    await told(scene, ADA, ADA_DM, "1 approval waits for you")
    rows, person = RowStore(redis, waiting_messages()), f"slack:{ADA}"

    async def posted() -> Told | None:
        found = Told.model_validate_json(await rows.get(person) or b"{}")
        return found if found.ts and not found.posting else None

    ours = await wait_for(posted)
    await scene.slack.fault("chat.update", delay_s=2, match={"channel": ADA_DM})
    await scene.launch("ship the bank", user=GRACE)

    async def begun() -> bool:
        return not [fault for fault in (await scene.slack.get("faults"))["faults"] if fault["left"]]

    await wait_for(begun)
    theirs = ours.model_copy(update={"ts": "9999999999.000001", "posted_at": time.time()})
    await rows.put(person, theirs.data)
    await told(scene, ADA, ADA_DM, "2 approvals wait for you")
    # The next look, here after a choice, is at the newer message, which Slack does not know.
    await choose(scene, ADA, "both")
    await wait_for(lambda: _asked_for(scene, theirs.ts))


async def _asked_for(scene: Scene, ts: str) -> bool:
    return any(call["args"].get("ts") == ts for call in await scene.slack.calls("chat.update"))


async def test_quiet_hours_hold_a_message_back_until_they_are_over(scenario: Director) -> None:
    scene = await scenario(DEPLOYS, persona=asks(ADA, GRACE))
    now = datetime.now(ZoneInfo("Europe/Berlin"))
    hours = f"{now - timedelta(hours=1):%H:%M}-{now + timedelta(hours=2):%H:%M}"
    assert hours.replace("-", " to ") in await choose(scene, ADA, f"dm quiet {hours}")
    await choose(scene, GRACE, "both")
    await scene.launch("ship the shop")
    await told(scene, GRACE, GRACE_DM, "1 approval waits for you")
    assert await posts_to(scene, ADA_DM) == 0
    await choose(scene, ADA, "quiet off")
    await told(scene, ADA, ADA_DM, "1 approval waits for you")


async def test_what_ended_is_told_to_who_launched_it_and_thread_takes_it_back(scenario: Director) -> None:
    scene = await scenario(in_turn(says("All is well.")))
    await choose(scene, ADA, "both")
    await scene.launch("look around")
    await told(scene, ADA, ADA_DM, "Nothing waits for you", "look around", "Done")
    await choose(scene, ADA, "thread")

    async def gone() -> bool:
        return not [m for m in await scene.slack.messages(ADA_DM) if "Nothing waits" in texts(m)]

    await wait_for(gone)


async def test_the_form_on_the_home_tab_and_refusals(scenario: Director) -> None:
    scene = await scenario(DEPLOYS)
    await scene.slack.home(ADA)

    async def home() -> Json | None:
        return (await scene.slack.home(ADA)).get("view")

    shown = await wait_for(home)
    assert "You are told in the thread" in texts(shown)
    assert (await scene.slack.click_in_view(ADA, shown["id"], "notify_form"))["ok"]
    form = await scene.slack.view(ADA)

    def filled(way: str, quiet: str) -> Json:
        return {
            "way": {"value": {"type": "radio_buttons", "selected_option": {"value": way}}},
            "quiet": {"value": {"type": "plain_text_input", "value": quiet}},
        }

    refused = await scene.slack.submit(ADA, form, filled("direct", "at night"))
    assert "no quiet hours" in refused["errors"]["quiet"]
    assert (await scene.slack.submit(ADA, form, filled("direct", "22-7")))["ok"]
    assert "but not from 22:00 to 07:00" in await choose(scene, ADA, "")
    assert "notify thread" in await choose(scene, ADA, "by pigeon")


def test_quiet_hours_are_over_on_the_clock_of_the_person() -> None:
    quiet = parse_quiet("22-7:30")
    assert quiet is not None
    assert str(quiet) == "22:00-07:30"
    evening, morning = (datetime(2026, 12, day, hour, tzinfo=UTC) for day, hour in ((1, 22), (2, 3)))
    for at in (evening, morning):
        assert quiet.hold(at, "Europe/Berlin")
        assert quiet.over_at(at, "Europe/Berlin") == datetime(2026, 12, 2, 6, 30, tzinfo=UTC)
    noon = datetime(2026, 12, 1, 12, tzinfo=UTC)
    assert quiet.over_at(noon, "Europe/Berlin") == noon
    assert quiet.hold(noon, "Asia/Tokyo") is False
    assert parse_quiet("off") is None
    for wrong in ("", "22:00", "7-7", "25-26"):
        with pytest.raises(InvalidInput, match="uiet hours"):
            parse_quiet(wrong)


async def test_a_group_by_its_handle_is_a_mention(scenario: Director) -> None:
    scene = await scenario(DEPLOYS, persona=asks(groups=("sre",)))
    (ask,) = await scene.asked(await scene.launch())
    assert f"Approvers: <!subteam^{SRE}>" in texts(ask)


async def test_whoever_takes_no_direct_message_is_mentioned_after_all(
    scenario: Director, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(mentions, "FRESH_SECONDS", 0.0)
    scene = await scenario(DEPLOYS, persona=asks(ADA, GRACE))
    await choose(scene, ADA, "dm")
    await scene.slack.fault("conversations.open", error="user_disabled", times=1000, match={"users": ADA})
    await scene.waiting(await scene.launch("ship the shop", user=GRACE))
    notifications = scene.flagman.core.notifications

    async def unreached() -> bool:
        return (await notifications.get(f"slack:{ADA}")).unreached

    await wait_for(unreached)
    (ask,) = await scene.asked(await scene.launch("ship the bank", user=GRACE))
    assert f"<@{ADA}>" in texts(ask)
