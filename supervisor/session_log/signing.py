"""Signs the chain of a SESSION_LOG with FLAGMAN_SECRET_KEY, and checks signatures."""

from __future__ import annotations

import hashlib
import hmac
from collections.abc import Sequence
from typing import Literal

UNSIGNED = "none"
_KIND = "hmac-sha256"
Checked = Literal["good", "wrong", "unsigned", "another key", "not checked"]


def sign(chain: str, keys: Sequence[str]) -> str:
    """Return the signature by the first key, with the key's fingerprint; `none` where there is no key."""
    if not keys:
        return UNSIGNED
    return f"{_KIND}:{_fingerprint(keys[0])}:{_mac(chain, keys[0])}"


def check(signature: str, chain: str, keys: Sequence[str]) -> Checked:
    """Return whether one of `keys` made the signature of `chain`; `not checked` without keys."""
    if signature == UNSIGNED:
        return "unsigned"
    if not keys:
        return "not checked"
    kind, _, rest = signature.partition(":")
    name, _, mac = rest.partition(":")
    for key in keys:
        if name == _fingerprint(key):
            good = kind == _KIND and hmac.compare_digest(mac.encode(), _mac(chain, key).encode())
            return "good" if good else "wrong"
    return "another key"


def _mac(chain: str, key: str) -> str:
    return hmac.new(key.encode(), chain.encode(), hashlib.sha256).hexdigest()


def _fingerprint(key: str) -> str:
    """Return eight hexadecimal digits that distinguish keys and do not reveal them."""
    return hmac.new(key.encode(), b"which key", hashlib.sha256).hexdigest()[:8]
