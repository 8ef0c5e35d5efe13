"""Whether a webhook is genuine: Standard Webhooks, or GitHub's way; over its bytes as they come, none of them kept."""

from __future__ import annotations

import base64
import binascii
import hashlib
import hmac
import re
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from datetime import timedelta

from bot.api.errors import ApiError

_PREFIX = "whsec_"
_PATIENCE_SECONDS = 5 * 60
# How long a delivery that came is remembered. One without a signed time would be genuine for ever.
TIMED_SEEN_FOR, UNTIMED_SEEN_FOR = timedelta(days=1), timedelta(days=30)


class SignatureCheck:
    """Takes the bytes of one delivery with `update`, and says with `delivery` whether it was genuine.

    `seen_for` is how long the delivery has to be remembered. Raises ApiError: 401 unsigned, 400 signed too early or
    too late.
    """

    def __init__(self, secrets: Sequence[str], headers: Mapping[str, str]) -> None:
        if "webhook-signature" in headers:
            self._header, self._id, begin = _standard(headers)
            self.seen_for = TIMED_SEEN_FOR
            self._given = [part[3:] for part in headers[self._header].split(" ") if part.startswith("v1,")]
            keys = [key for secret in secrets for key in _keys(secret)]
        elif "X-Hub-Signature-256" in headers:
            # X-GitHub-Delivery is not signed, so the body itself is what makes two deliveries the same.
            self._header, self._id, self.seen_for = "X-Hub-Signature-256", "", UNTIMED_SEEN_FOR
            self._given = [headers[self._header]]
            keys, begin = [secret.encode() for secret in secrets], b""
        else:
            raise ApiError(
                401,
                "webhook_unsigned",
                "This webhook is not signed: send webhook-id, webhook-timestamp and webhook-signature "
                "(Standard Webhooks), or X-Hub-Signature-256 as GitHub does.",
            )

        # Anyone could sign with an empty key.
        self._macs = [hmac.new(key, begin, hashlib.sha256) for key in keys if key]

    def update(self, chunk: bytes) -> None:
        for mac in self._macs:
            mac.update(chunk)

    def delivery(self) -> str:
        """The id of a genuine delivery. Raises ApiError (401) for any other."""
        for mac in self._macs:
            expected = self._text(mac.digest())
            if any(
                hmac.compare_digest(expected.encode(), given.encode("utf-8", "replace"))
                for given in self._given
            ):
                return _bound(self._id or expected)
        raise _forgery(self._header)

    def _text(self, digest: bytes) -> str:
        """A signature as the header writes it."""
        if self._header == "webhook-signature":
            return base64.b64encode(digest).decode()
        return f"sha256={digest.hex()}"


def _standard(headers: Mapping[str, str]) -> tuple[str, str, bytes]:
    """The name of the header, the id of the delivery, and what is signed before the body."""
    name = "webhook-signature"
    ident, stamp = headers.get("webhook-id", ""), headers.get("webhook-timestamp", "")
    if not ident or not re.fullmatch("[0-9]{1,12}", stamp):
        raise _forgery(name)
    if abs(time.time() - int(stamp)) > _PATIENCE_SECONDS:
        raise ApiError(
            400,
            "webhook_late",
            "The webhook-timestamp is more than 5 minutes away from now; sign it anew and send it again.",
        )
    return name, ident, f"{ident}.{stamp}.".encode("utf-8", "replace")


def _forgery(header: str) -> ApiError:
    return ApiError(401, "webhook_forged", f"The {header} does not fit this body and any secret known here.")


def _bound(delivery: str) -> str:
    return delivery if len(delivery) <= 200 else hashlib.sha256(delivery.encode()).hexdigest()


def _keys(secret: str) -> Iterator[bytes]:
    """Yield the bytes of a secret: those of the base64 after `whsec_`.

    Without this beginning some senders take the text as base64, others its UTF-8, so both are accepted.
    """
    text = secret.removeprefix(_PREFIX)
    with suppress(binascii.Error):
        yield base64.b64decode(text + "=" * (-len(text) % 4), validate=True)
        if text != secret:
            return
    yield text.encode()
