"""Verifies the signatures of webhooks, by Standard Webhooks or as GitHub makes them."""

from __future__ import annotations

import base64
import binascii
import hashlib
import hmac
from collections.abc import Mapping, Sequence

from standardwebhooks import Webhook, WebhookVerificationError

from bot.api.errors import ApiError

_PREFIX = "whsec_"


def verify_delivery(secrets: Sequence[str], headers: Mapping[str, str], body: bytes) -> str:
    """Verify a delivery and return its id. Raises ApiError: 401 unsigned or forged, 400 too late or too early."""
    if "webhook-signature" in headers:
        return _standard(secrets, headers, body)
    if "X-Hub-Signature-256" in headers:
        return _github(secrets, headers, body)
    raise ApiError(
        401,
        "webhook_unsigned",
        "This webhook is not signed: send webhook-id, webhook-timestamp and webhook-signature "
        "(Standard Webhooks), or X-Hub-Signature-256 as GitHub does.",
    )


def _standard(secrets: Sequence[str], headers: Mapping[str, str], body: bytes) -> str:
    names = ("webhook-id", "webhook-timestamp", "webhook-signature")
    given = {name: headers.get(name, "") for name in names}
    for secret in secrets:
        try:
            Webhook(_key(secret)).verify(body, given, json_parse=False)
        except WebhookVerificationError as error:
            # The library checks the time before the signature, so the error is the same with all secrets.
            if "timestamp too" in str(error):
                raise ApiError(
                    400,
                    "webhook_late",
                    "The webhook-timestamp is more than 5 minutes away from now; sign it anew and send it again.",
                ) from None
        except ValueError:
            # A header that cannot be parsed has no valid signature.
            continue
        else:
            return _bound(given["webhook-id"])
    raise _forgery("webhook-signature")


def _github(secrets: Sequence[str], headers: Mapping[str, str], body: bytes) -> str:
    signature = headers["X-Hub-Signature-256"].encode("utf-8", "replace")
    for secret in secrets:
        expected = "sha256=" + hmac.new(secret.encode(), body, hashlib.sha256).hexdigest()
        if hmac.compare_digest(expected.encode(), signature):
            return _bound(headers.get("X-GitHub-Delivery") or expected)
    raise _forgery("X-Hub-Signature-256")


def _forgery(header: str) -> ApiError:
    return ApiError(401, "webhook_forged", f"The {header} does not fit this body and any secret known here.")


def _bound(delivery: str) -> str:
    return delivery if len(delivery) <= 200 else hashlib.sha256(delivery.encode()).hexdigest()


def _key(secret: str) -> bytes:
    """The bytes of a secret: Standard Webhooks has base64 after `whsec_`; any other text is used as UTF-8."""
    text = secret.removeprefix(_PREFIX)
    try:
        return base64.b64decode(text + "=" * (-len(text) % 4), validate=True)
    except binascii.Error:
        return text.encode()
