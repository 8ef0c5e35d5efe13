"""One canonical text for arguments, and the digest that binds an approval to them."""

from __future__ import annotations

import hashlib
import json
from typing import Any


def canonical_json(value: Any) -> str:
    """Return JSON with sorted keys, no spaces and no NaN: equal values give equal text. Raises ValueError on NaN."""
    return json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=False, allow_nan=False)


def digest(value: Any) -> str:
    """Return the SHA-256 of the canonical JSON, as 64 hexadecimal digits."""
    return hashlib.sha256(canonical_json(value).encode("utf-8", "surrogatepass")).hexdigest()


def call_digest(tool: str, arguments: Any, definition: str = "") -> str:
    """Return the digest of a call, over its tool and its arguments; an approval is valid for this digest only.

    `definition` is the digest of what a server says of the tool, where it is one of a server.
    """
    return digest([tool, arguments, definition] if definition else [tool, arguments])
