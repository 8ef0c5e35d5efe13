"""Webhooks: signed, in time, each delivery once, never lost, never too large."""

from __future__ import annotations

import asyncio
import gzip
import hashlib
import hmac
import json
import zlib
from datetime import UTC, datetime, timedelta
from typing import Any
from urllib.parse import quote

import pytest
from pydantic import SecretStr
from standardwebhooks import Webhook

from bot.api.rate_limit import HOOK_BYTES
from bot.api.signatures import UNTIMED_SEEN_FOR
from storage import keys
from storage.mailbox import Delivery, Limits
from tests.api.conftest import OLD_SECRET, OWN_SECRET, SECRET, Build, House
from tests.support.api import Client, Reply
from tests.support.scripted import calls, in_turn, says, told
from tests.support.slack import OPS, texts

pytestmark = pytest.mark.usefixtures("partitions")

BODY = json.dumps({"redis_url": "redis://x"}).encode()
READY = "webhook: redis_ready"


def signed(body: bytes, *, secret: str = SECRET, id_: str = "msg_1", late: float = 0) -> dict[str, str]:
    at = datetime.now(UTC) - timedelta(seconds=late)
    return {
        "webhook-id": id_,
        "webhook-timestamp": str(int(at.timestamp())),
        "webhook-signature": Webhook(secret).sign(id_, at, body.decode()),
        "Content-Type": "application/json",
    }


def by_github(body: bytes, *, secret: str = SECRET, id_: str = "72d3162e") -> dict[str, str]:
    signature = hmac.new(secret.encode(), body, hashlib.sha256).hexdigest()
    return {
        "X-Hub-Signature-256": f"sha256={signature}",
        "X-GitHub-Delivery": id_,
        "X-GitHub-Event": "push",
        "Content-Type": "application/json",
    }


async def send(house: House, headers: dict[str, str], body: bytes = BODY, name: str = "redis_ready") -> Reply:
    async with Client(house.url) as sender:
        return await sender.post(f"/hooks/{name}", data=body, headers=headers)


async def status(house: House, session_id: str) -> Any:
    return (await house.api.get(f"/v1/sessions/{session_id}"))["pause"]


async def test_a_signed_webhook_resumes_with_its_data(house: House) -> None:
    session_id, _ = await house.paused(READY)
    reply = await send(house, signed(BODY))
    assert (reply.status, reply.body) == (202, {"resumed": [session_id], "others": 0, "repeated": False})
    await house.api.decide(f"/v1/sessions/{session_id}", {"verdict": "deny"})
    await house.until(session_id, lambda s: s.ended)
    heard = "\n".join(told(house.scene.model.requests[-1]))
    assert "webhook: redis_ready" in heard
    assert "untrusted" in heard
    assert '"redis_url":"redis://x"' in heard


async def test_github_signs_in_its_own_way(house: House) -> None:
    session_id, _ = await house.paused("webhook: github/push")
    forged = {**by_github(BODY), "X-Hub-Signature-256": "sha256=" + "0" * 64}
    (await send(house, forged, name="github/push")).problem(401, "webhook_forged")
    reply = await send(house, by_github(BODY), name="github/push")
    assert (reply.status, reply["resumed"]) == (202, [session_id])
    another = b'{"after":"8f1203b"}'
    again, _ = await house.paused("webhook: github/push")
    assert (await send(house, by_github(another, id_="another"), another, name="github/push"))["resumed"] == [
        again
    ]


async def test_a_body_that_is_sent_again_under_another_id_does_nothing(house: House) -> None:
    """GitHub signs neither its id nor a time, so who has seen one delivery could send it again at any time."""
    session_id, _ = await house.paused("webhook: github/push")
    first = await send(house, by_github(BODY), name="github/push")
    assert first.body == {"resumed": [session_id], "others": 0, "repeated": False}
    again, _ = await house.paused("webhook: github/push")
    replays = [
        by_github(BODY, id_="another"),
        {**by_github(BODY), "X-GitHub-Event": "release"},
        {name: value for name, value in by_github(BODY).items() if name != "X-GitHub-Delivery"},
    ]
    for headers in replays:
        reply = await send(house, headers, name="github/push")
        assert (reply.status, reply.body) == (202, {"resumed": [], "others": 0, "repeated": True})
    assert await status(house, again)
    # For another hook it is another delivery.
    other, _ = await house.paused("webhook: github/release")
    assert (await send(house, by_github(BODY), name="github/release"))["resumed"] == [other]


async def test_a_ping_cannot_be_sent_again_as_another_event(house: House) -> None:
    session_id, _ = await house.paused("webhook: github")
    ping = {**by_github(BODY), "X-GitHub-Event": "ping"}
    assert (await send(house, ping, name="github")).body == {"resumed": [], "others": 0, "repeated": False}
    assert (await send(house, by_github(BODY), name="github")).body == {
        "resumed": [],
        "others": 0,
        "repeated": True,
    }
    assert await status(house, session_id)


async def test_a_body_is_remembered_for_its_time(house: House) -> None:
    delivery = Delivery("webhook:github", "webhook:github", by_github(BODY)["X-Hub-Signature-256"])
    await send(house, by_github(BODY), name="github")
    left = await house.scene.flagman.core.redis.ttl(keys.mailbox_seen(delivery.mark))
    assert timedelta(days=29) < timedelta(seconds=left) <= UNTIMED_SEEN_FOR


FORMS = {
    "as GitHub sends it": ("payload=" + quote(BODY.decode()), '"redis_url":"redis://x"'),
    "fields": ("status=ready&host=a&host=b", '"host":["a","b"]'),
}


@pytest.mark.parametrize("form", FORMS)
async def test_a_form_is_read(house: House, form: str) -> None:
    body, heard = FORMS[form]
    session_id, _ = await house.paused(READY)
    headers = {**by_github(body.encode()), "Content-Type": "application/x-www-form-urlencoded"}
    assert (await send(house, headers, body.encode()))["resumed"] == [session_id]
    await house.api.decide(f"/v1/sessions/{session_id}", {"verdict": "deny"})
    await house.until(session_id, lambda s: s.ended)
    assert heard in "\n".join(told(house.scene.model.requests[-1]))


async def test_a_ping_of_github_wakes_nobody_and_is_not_kept(house: House) -> None:
    session_id, _ = await house.paused("webhook: github")
    ping = {**by_github(BODY), "X-GitHub-Event": "ping"}
    assert (await send(house, ping, name="github")).status == 202
    assert await status(house, session_id)
    (await send(house, {**ping, "X-Hub-Signature-256": "sha256=00"}, name="github")).problem(
        401, "webhook_forged"
    )


@pytest.mark.parametrize("encoding", ["gzip", "deflate"])
async def test_a_compressed_body_is_verified_as_it_came(house: House, encoding: str) -> None:
    packed = gzip.compress(BODY) if encoding == "gzip" else zlib.compress(BODY)
    session_id, _ = await house.paused(READY)
    over_plain = {**by_github(BODY), "Content-Encoding": encoding}
    (await send(house, over_plain, packed)).problem(401, "webhook_forged")
    broken = {**by_github(packed[:-4]), "Content-Encoding": encoding}
    (await send(house, broken, packed[:-4])).problem(400, "bad_request")
    unknown = {**by_github(packed), "Content-Encoding": "br"}
    (await send(house, unknown, packed)).problem(415, "unsupported_media_type")
    bomb = (
        gzip.compress(b" " * (2 * HOOK_BYTES))
        if encoding == "gzip"
        else zlib.compress(b" " * (2 * HOOK_BYTES))
    )
    (await send(house, {**by_github(bomb), "Content-Encoding": encoding}, bomb)).problem(413, "too_large")
    genuine = {**by_github(packed), "Content-Encoding": encoding}
    assert (await send(house, genuine, packed))["resumed"] == [session_id]


async def test_the_api_takes_compressed_bodies(house: House) -> None:
    body = gzip.compress(json.dumps({"persona": "ops", "task": "look"}).encode())
    headers = {"Content-Type": "application/json", "Content-Encoding": "gzip"}
    assert (await house.api.post("/v1/sessions", data=body, headers=headers)).status == 201


async def test_what_is_not_genuine_wakes_nobody(house: House) -> None:
    session_id, _ = await house.paused(READY)
    good = signed(BODY)
    unsigned = {"Content-Type": "application/json"}
    (await send(house, unsigned)).problem(401, "webhook_unsigned")
    (await send(house, signed(BODY, secret="whsec_c29tZWJvZHktZWxzZS1lbnRpcmVseQ=="))).problem(
        401, "webhook_forged"
    )
    (await send(house, good, BODY + b" ")).problem(401, "webhook_forged")
    (await send(house, {**good, "webhook-id": "msg_2"})).problem(401, "webhook_forged")
    for name, value in {
        "webhook-signature": "v1",
        "webhook-timestamp": "soon",
        "webhook-id": "",
    }.items():
        (await send(house, {**good, name: value})).problem(401, "webhook_forged")
    (await send(house, {**good, "webhook-signature": "v1,%%%"})).problem(401, "webhook_forged")
    (await send(house, {**good, "webhook-signature": "v1a," + good["webhook-signature"][3:]})).problem(
        401, "webhook_forged"
    )
    (await send(house, good, b"\xff\xfe")).problem(401, "webhook_forged")
    assert await status(house, session_id)


async def test_a_late_webhook_is_told_so(house: House) -> None:
    session_id, _ = await house.paused(READY)
    for late in (301, -310):
        problem = (await send(house, signed(BODY, late=late))).problem(400, "webhook_late")
        assert "5 minutes" in problem["detail"]
    assert await status(house, session_id)
    assert (await send(house, signed(BODY, late=280)))["resumed"] == [session_id]


async def test_a_delivery_counts_once(house: House) -> None:
    session_id, _ = await house.paused(READY)
    headers = signed(BODY)
    replies = await asyncio.gather(*(send(house, headers) for _ in range(5)))
    assert {r.status for r in replies} == {202}
    assert [r["resumed"] for r in replies if r["resumed"]] == [[session_id]]
    again, _ = await house.paused(READY)
    assert (await send(house, headers))["resumed"] == []
    assert await status(house, again)
    assert (await send(house, signed(BODY, id_="msg_2")))["resumed"] == [again]


async def test_one_that_comes_early_is_kept_until_somebody_waits(house: House) -> None:
    assert (await send(house, signed(BODY)))["resumed"] == []
    session_id, _ = await house.paused(READY)
    await house.until(session_id, lambda s: s.halts and s.halts[0].resumed_at)
    (resumed,) = await resumptions(house, session_id)
    assert resumed["data"]["data"] == {"redis_url": "redis://x"}
    assert resumed["by"] == "webhook:redis_ready"
    # It was for one session only.
    other, _ = await house.paused(READY)
    await asyncio.sleep(0.3)
    assert await status(house, other)


async def test_when_too_many_are_kept_the_sender_is_told_and_none_is_lost(house: House) -> None:
    most = Limits().signal_items
    bodies = [json.dumps({"n": n}).encode() for n in range(most + 2)]
    for body in bodies[:most]:
        assert (await send(house, by_github(body), body)).status == 202
    refused = await send(house, by_github(bodies[most]), bodies[most])
    assert refused.problem(429, "limit_reached")["detail"].endswith("send it again later.")
    assert int(refused.headers["Retry-After"]) > 0
    # Those that were taken are there, the first of them first, and then there is room for one more.
    session_id, _ = await house.paused(READY)
    await house.until(session_id, lambda s: s.halts and s.halts[0].resumed_at)
    (resumed,) = await resumptions(house, session_id)
    assert resumed["data"]["data"] == {"n": 0}
    assert (await send(house, by_github(bodies[most]), bodies[most])).status == 202
    (await send(house, by_github(bodies[-1]), bodies[-1])).problem(429, "limit_reached")


async def test_a_full_mailbox_keeps_no_session_waiting(house: House) -> None:
    waits = 'event: deploy.finished where env == "prod"'
    session_id, _ = await house.paused(waits)
    event = {"type": "deploy.finished", "data": {"env": "test"}}
    for _ in range(Limits().signal_items):
        assert (await house.api.post("/v1/events", event)).status == 200
    (await house.api.post("/v1/events", event)).problem(429, "limit_reached")
    wanted = {**event, "data": {"env": "prod"}, "id": "e1"}
    assert (await house.api.post("/v1/events", wanted))["resumed"] == [session_id]
    assert (await house.api.post("/v1/events", wanted)).body == {"resumed": [], "others": 0, "repeated": True}


async def resumptions(house: House, session_id: str) -> list[Any]:
    events = (await house.api.get(f"/v1/sessions/{session_id}/events"))["events"]
    return [event for event in events if event["type"] == "Resumed"]


async def test_a_body_may_not_be_too_large_nor_anything_but_json(house: House) -> None:
    session_id, _ = await house.paused(READY)
    edge = json.dumps("x" * (HOOK_BYTES - 2)).encode()
    over = json.dumps("x" * (HOOK_BYTES - 1)).encode()
    (await send(house, signed(over), over)).problem(413, "too_large")

    async def in_pieces() -> Any:
        for start in range(0, len(over), 1000):
            yield over[start : start + 1000]

    async with Client(house.url) as sender:
        chunked = await sender.post("/hooks/redis_ready", data=in_pieces(), headers=signed(over))
    chunked.problem(413, "too_large")
    (await send(house, {**signed(BODY), "Content-Type": "text/xml"})).problem(415, "unsupported_media_type")
    no_form = {**signed(BODY), "Content-Type": "application/x-www-form-urlencoded"}
    (await send(house, no_form)).problem(400, "bad_request")
    for body in (b"", b"{", b"NaN", b"[" * 1000):
        (await send(house, signed(body), body)).problem(400, "bad_request")
    huge = b"1e999"
    assert (await send(house, signed(huge), huge)).status in (400, 422)
    deep = b"[" * 150 + b"]" * 150
    (await send(house, signed(deep), deep)).problem(422, "invalid_input")
    assert await status(house, session_id)
    assert (await send(house, signed(edge, id_="edge"), edge))["resumed"] == [session_id]


async def test_secrets_are_rotated_and_a_hook_may_have_its_own(house: House) -> None:
    session_id, _ = await house.paused(READY)
    assert (await send(house, signed(BODY, secret=OLD_SECRET)))["resumed"] == [session_id]
    own, _ = await house.paused("webhook: own")
    (await send(house, signed(BODY), name="own")).problem(401, "webhook_forged")
    assert (await send(house, signed(BODY, secret=OWN_SECRET), name="own"))["resumed"] == [own]
    waits, _ = await house.paused(READY)
    for headers in (signed(BODY, secret=OWN_SECRET), by_github(BODY, secret=OWN_SECRET)):
        (await send(house, headers)).problem(401, "webhook_forged")
    assert await status(house, waits)
    both = signed(BODY, id_="both")
    both["webhook-signature"] = "v1,AAAA " + signed(BODY, id_="both", secret=OLD_SECRET)["webhook-signature"]
    assert (await send(house, both)).status == 202


async def test_without_a_secret_it_is_said_what_to_set(build: Build) -> None:
    house = await build(webhook_secret=None)
    problem = (await send(house, signed(BODY))).problem(403, "webhooks_off")
    assert "FLAGMAN_WEBHOOK_SECRET" in problem["detail"]


async def test_who_waits_for_what_cannot_come_is_told_at_once(build: Build) -> None:
    house = await build(webhook_secret=SecretStr("ci=a-secret-of-one-hook"))
    _, paused = await house.paused("webhook: redis_ready", "in: 2h")
    assert paused["problems"] == [
        "No webhook `redis_ready` can come: set a secret for it in FLAGMAN_WEBHOOK_SECRET and start again."
    ]
    for conditions in (["webhook: ci"], ["event: deploy.finished"], []):
        _, paused = await house.paused(*conditions)
        assert paused["problems"] == []


async def test_an_agent_that_waits_for_what_cannot_come_says_so(build: Build) -> None:
    waits = calls(("wait_for", {"condition": "webhook: redis_ready", "reason": "the new store"}))
    house = await build(
        in_turn(waits, says("Done.")),
        webhook_secret=SecretStr("ci=a-secret-of-one-hook"),
        persona={"approvals": [{"tool": "wait_for", "mode": "allow"}]},
    )
    session = await house.resting(await house.launch(channel=OPS))
    assert session.pause
    assert session.pause.detail == (
        "the new store. No webhook `redis_ready` can come: "
        "set a secret for it in FLAGMAN_WEBHOOK_SECRET and start again."
    )
    await house.scene.slack.message(
        OPS, lambda m: "set a secret for it in FLAGMAN_WEBHOOK_SECRET" in texts(m)
    )


async def test_a_secret_that_is_plain_text_works_too(build: Build) -> None:
    house = await build(webhook_secret=SecretStr("a plain text & more!"))
    session_id, _ = await house.paused("webhook: github")
    reply = await send(house, by_github(BODY, secret="a plain text & more!"), name="github")
    assert reply["resumed"] == [session_id]


async def test_a_name_that_nobody_could_wait_for_is_refused(house: House) -> None:
    for name in ("%20", "a%20b", "x" * 90, "-x", "%3Cscript%3E"):
        reply = await send(house, signed(BODY), name=name)
        assert reply.status == 422, name
        assert reply["code"] in ("invalid_condition", "invalid_request")
