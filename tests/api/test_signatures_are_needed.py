"""What carries no genuine signature of its very body, by a secret that is known, is no webhook."""

from __future__ import annotations

import base64
import hashlib
import hmac
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta

import pytest
from multidict import CIMultiDict
from standardwebhooks import Webhook

from bot.api.errors import ApiError
from bot.api.signatures import SignatureCheck
from tests.api.conftest import OWN_SECRET, SECRET, Build, House
from tests.api.test_webhooks_wake_sessions import BODY, READY, by_github, send, signed

BOTH = [SECRET, OWN_SECRET]
OTHER = b'{"redis_url":"redis://evil"}'
STANDARD, GITHUB = "webhook-signature", "X-Hub-Signature-256"


def verify_delivery(secrets: Sequence[str], headers: Mapping[str, str], body: bytes) -> str:
    check = SignatureCheck(secrets, headers)
    for start in range(0, len(body), 7):
        check.update(body[start : start + 7])
    return check.delivery()


def refused(secrets: Sequence[str], headers: Mapping[str, str], body: bytes = BODY) -> tuple[int, str]:
    with pytest.raises(ApiError) as error:
        verify_delivery(secrets, CIMultiDict(headers), body)
    return error.value.status, error.value.code


def hashed(secret: bytes, content: bytes) -> str:
    return base64.b64encode(hmac.new(secret, content, hashlib.sha256).digest()).decode()


def test_the_genuine_ones_are_taken_by_their_id() -> None:
    for secret in BOTH:
        assert verify_delivery(BOTH, CIMultiDict(signed(BODY, secret=secret)), BODY) == "msg_1"
        assert verify_delivery(BOTH, CIMultiDict(by_github(BODY, secret=secret)), BODY).startswith("sha256=")


@pytest.mark.parametrize("empty", ["", " ", "v1", "v1,", ",", "v1, ", "v1,=", "v1,===="])
def test_an_empty_signature_of_the_standard_is_refused(empty: str) -> None:
    assert refused(BOTH, {**signed(BODY), STANDARD: empty}) == (401, "webhook_forged")


@pytest.mark.parametrize(
    "empty", ["", " ", "sha256", "sha256=", "sha1=", "=", "sha256=é", "SHA256=" + "0" * 64]
)
def test_an_empty_signature_of_github_is_refused(empty: str) -> None:
    assert refused(BOTH, {**by_github(BODY), GITHUB: empty}) == (401, "webhook_forged")


def test_a_part_of_a_signature_is_refused() -> None:
    standard, github = signed(BODY), by_github(BODY)
    for cut in (1, 4, 20):
        assert refused(BOTH, {**standard, STANDARD: standard[STANDARD][:-cut]}) == (401, "webhook_forged")
        assert refused(BOTH, {**github, GITHUB: github[GITHUB][:-cut]}) == (401, "webhook_forged")


@pytest.mark.parametrize("kind", ["standard", "github", "github with an empty secret"])
def test_without_a_secret_nothing_is_genuine(kind: str) -> None:
    # Signed now: what was signed when the tests were collected may be too old.
    headers = {
        "standard": signed(BODY),
        "github": by_github(BODY),
        "github with an empty secret": by_github(BODY, secret=""),
    }
    assert refused([], headers[kind]) == (401, "webhook_forged")


@pytest.mark.parametrize("body", [OTHER, b"", BODY + b"\n", BODY[:-1]])
def test_the_signature_of_another_body_is_refused(body: bytes) -> None:
    assert refused(BOTH, signed(BODY), body) == (401, "webhook_forged")
    assert refused(BOTH, by_github(BODY), body) == (401, "webhook_forged")


def test_the_signature_with_another_secret_is_refused() -> None:
    for secret in ("whsec_c29tZWJvZHktZWxzZS1lbnRpcmVseQ==", "whsec_", ""):
        at = datetime.now(UTC)
        content = f"msg_1.{int(at.timestamp())}.".encode() + BODY
        key = base64.b64decode(secret.removeprefix("whsec_"))
        headers = {
            "webhook-id": "msg_1",
            "webhook-timestamp": str(int(at.timestamp())),
            STANDARD: f"v1,{hashed(key, content)}",
        }
        assert refused(BOTH, headers) == (401, "webhook_forged")
        assert refused(BOTH, by_github(BODY, secret=secret)) == (401, "webhook_forged")


def test_what_is_not_signed_at_all_is_said_to_be_so() -> None:
    assert refused(BOTH, {}) == (401, "webhook_unsigned")
    assert refused(BOTH, {"X-Hub-Signature": "sha1=" + "0" * 40}) == (401, "webhook_unsigned")


@pytest.mark.parametrize("name", ["webhook-id", "webhook-timestamp"])
def test_id_and_time_are_part_of_what_is_signed(name: str) -> None:
    good = signed(BODY)
    without = {key: value for key, value in good.items() if key != name}
    assert refused(BOTH, without) == (401, "webhook_forged")
    other = {"webhook-id": "msg_2", "webhook-timestamp": str(int(good["webhook-timestamp"]) - 1)}
    assert refused(BOTH, {**good, name: other[name]}) == (401, "webhook_forged")


@pytest.mark.parametrize("empty", ["", "whsec_"])
def test_an_empty_secret_lets_nothing_in(empty: str) -> None:
    at = datetime.now(UTC)
    signature = hashed(b"", f"msg_1.{int(at.timestamp())}.".encode() + BODY)
    headers = {
        "webhook-id": "msg_1",
        "webhook-timestamp": str(int(at.timestamp())),
        STANDARD: f"v1,{signature}",
    }
    assert refused([empty], headers) == (401, "webhook_forged")
    assert refused([""], by_github(BODY, secret="")) == (401, "webhook_forged")


@pytest.mark.parametrize("late", [301, -301, 86_400])
def test_an_old_signature_is_refused(late: float) -> None:
    assert refused(BOTH, signed(BODY, late=late)) == (400, "webhook_late")


def test_a_good_signature_of_github_does_not_help_a_bad_one_of_the_standard() -> None:
    both = {**by_github(BODY), **signed(BODY), STANDARD: "v1,"}
    assert refused(BOTH, both) == (401, "webhook_forged")


def test_the_next_secret_is_tried_after_one_that_does_not_fit() -> None:
    at = datetime.now(UTC) - timedelta(seconds=1)
    foreign = Webhook(SECRET).sign("msg_1", at, "another body")
    good = signed(BODY, secret=OWN_SECRET)
    assert (
        verify_delivery(BOTH, CIMultiDict({**good, STANDARD: f"{foreign} {good[STANDARD]}"}), BODY) == "msg_1"
    )


async def test_an_empty_signature_over_http_wakes_nobody(house: House) -> None:
    session_id, _ = await house.paused(READY)
    for headers in (
        {**signed(BODY), STANDARD: ""},
        {**by_github(BODY), GITHUB: ""},
        {**by_github(BODY), GITHUB: "sha256="},
    ):
        (await send(house, headers)).problem(401, "webhook_forged")
    (await send(house, by_github(BODY), OTHER)).problem(401, "webhook_forged")
    assert (await house.api.get(f"/v1/sessions/{session_id}"))["pause"]
    assert (await send(house, by_github(BODY)))["resumed"] == [session_id]


async def test_an_empty_list_of_secrets_takes_nothing_over_http(build: Build) -> None:
    house = await build(webhook_secret=None)
    session_id, _ = await house.paused(READY)
    for headers in (
        signed(BODY),
        by_github(BODY),
        by_github(BODY, secret=""),
        {"Content-Type": "application/json"},
    ):
        (await send(house, headers)).problem(403, "webhooks_off")
    assert (await house.api.get(f"/v1/sessions/{session_id}"))["pause"]
