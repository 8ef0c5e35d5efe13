"""HTTP mode: the same path with signed requests; what is not signed by Slack is refused."""

from __future__ import annotations

import json
import time
from urllib.parse import urlencode

import pytest

from bot.playground.transport.http_mode import signature
from tests.support.scenario import APPROVE, DENY, Director, Scene
from tests.support.scripted import calls, in_turn, says
from tests.support.slack import ADA, GRACE, OPS, SIGNING_SECRET, Slack, buttons, texts

TWO = in_turn(calls(("deploy", {"service": "shop"}), ("deploy", {"service": "bank"})), says("All done."))


@pytest.fixture
async def scene(scenario: Director, slack: Slack) -> Scene:
    found = await scenario(TWO, slack_app_token=None)
    slack.playground.events_url = f"http://127.0.0.1:{found.flagman.config.port}/slack/events"
    return found


async def test_the_main_path(scene: Scene) -> None:
    session = await scene.launch()
    (ask,) = await scene.asked(session)
    await scene.slack.post(GRACE, OPS, "careful", ask["thread_ts"])
    await scene.flagman.session(lambda s: s.inbox, session.id)
    block = f"act:{session.id}:1."
    assert (await scene.slack.click(GRACE, OPS, ask["ts"], DENY, block_id=f"{block}2"))["ok"]
    assert (await scene.slack.submit(GRACE, await scene.slack.view(GRACE), {"value": "not the bank"}))["ok"]
    assert (await scene.slack.click(ADA, OPS, ask["ts"], APPROVE, block_id=f"{block}1"))["ok"]
    await scene.ended(session)
    rows = await scene.settled(session)
    assert not any(APPROVE in buttons(row) for row in rows)
    assert [row[3]["service"] for row in scene.runs()] == ["shop"]
    await scene.slack.message(OPS, lambda m: "All done." in texts(m), ask["thread_ts"])
    assert await scene.refused() == []


@pytest.mark.parametrize("how", ["forged", "unsigned", "old"])
async def test_what_slack_did_not_sign_is_refused(scene: Scene, how: str) -> None:
    session = await scene.launch()
    (ask,) = await scene.asked(session)
    payload = {
        "type": "block_actions",
        "user": {"id": ADA, "name": "ada"},
        "team": {"id": "T0PLAYGRD1"},
        "actions": [{**buttons(ask)[APPROVE], "block_id": "b", "action_ts": "1.0"}],
        "container": {"type": "message", "message_ts": ask["ts"], "channel_id": OPS},
        "trigger_id": "1.2.3",
    }
    body = urlencode({"payload": json.dumps(payload)}).encode()
    at = str(int(time.time()) - (600 if how == "old" else 0))
    secret = "not the secret" if how == "forged" else SIGNING_SECRET
    headers = {"Content-Type": "application/x-www-form-urlencoded", "X-Slack-Request-Timestamp": at}
    if how != "unsigned":
        headers["X-Slack-Signature"] = signature(secret, at, body)
    url = str(scene.slack.playground.events_url)
    async with scene.slack.session.post(url, data=body, headers=headers) as answer:
        assert answer.status == 401
    assert (await scene.waiting(session)).calls_in("awaiting")
    assert scene.runs() == []


GOOD = urlencode({"payload": json.dumps({"type": "block_actions", "actions": []})}).encode()
FORGED = "v0=" + "0" * 64
# What each body is signed with; None stands for what Slack would have signed it with.
ODD: dict[str, tuple[bytes, str | None, str | None, int]] = {
    "a time that is no number": (GOOD, "nan", FORGED, 401),
    "a time in other digits": (GOOD, "\u0661\u0662", FORGED, 401),
    "no time": (GOOD, "", FORGED, 401),
    "a signature that is no ASCII": (GOOD, None, "v0=\u00fc", 401),
    "no signature": (GOOD, None, "", 401),
    "another signature": (GOOD, None, FORGED, 401),
    "12 MB, unsigned": (b"a=" + b"x" * 12_000_000, None, FORGED, 413),
    "no UTF-8": (b"payload=\xff\xfe", None, None, 401),
    "broken JSON": (b"{", None, None, 400),
    "a broken payload": (b"payload=%7B", None, None, 400),
    "a payload that is no object": (b"payload=1", None, None, 400),
    "an array": (b"payload=%5B1%5D", None, None, 400),
    "deep brackets": (b"payload=" + b"%5B" * 100_000, None, None, 400),
    "an event that is none": (b'{"type": "event_callback", "event": null}', None, None, 400),
    "no actions": (
        urlencode({"payload": '{"type": "block_actions", "actions": null}'}).encode(),
        None,
        None,
        400,
    ),
    **{
        f"an answer to {address}": (urlencode({"response_url": address}).encode(), None, None, 400)
        for address in (
            "http://hooks.slack.com/x",
            "https://evilslack.com/x",
            "https://slack.com.example.org/x",
            "https://hooks.slack.com:444/x",
            "https://hooks.slack.com@example.org/x",
            "http://169.254.169.254/latest",
            "nonsense",
            "",
        )
    },
}


@pytest.mark.parametrize("what", ODD)
async def test_what_is_odd_is_refused_before_it_is_read(
    scene: Scene, what: str, caplog: pytest.LogCaptureFixture
) -> None:
    body, at, signed, status = ODD[what]
    at = str(int(time.time())) if at is None else at
    signed = signature(SIGNING_SECRET, at, body.decode("latin-1").encode()) if signed is None else signed
    headers = {
        "Content-Type": "application/x-www-form-urlencoded",
        "X-Slack-Request-Timestamp": at,
        "X-Slack-Signature": signed,
    }
    url = str(scene.slack.playground.events_url)
    before = len(caplog.records)
    async with scene.slack.session.post(url, data=body, headers=headers) as answer:
        assert answer.status == status, await answer.text()
    assert [r for r in caplog.records[before:] if r.levelname == "ERROR"] == []
