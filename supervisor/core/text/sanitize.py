"""Makes values from outside storable: what a log could not return unchanged is replaced or refused."""

from __future__ import annotations

import math
from typing import Any

from supervisor.core.errors import InvalidInput

# The JSON parser fails above 200 levels and above integers of 4,300 digits; an event adds a few levels of its own.
DEEPEST = 100
LONGEST_INTEGER_BITS = 8_192


def clean_text(text: str) -> str:
    """Return the text with each lone surrogate replaced by `?`."""
    return text.encode("utf-8", "replace").decode("utf-8")


def clean(value: Any, depth: int = 0) -> Any:
    """Return the JSON value with all strings in it made storable. Raises InvalidInput where the value is not JSON."""
    if isinstance(value, str):
        return clean_text(value)
    if depth > DEEPEST:
        raise InvalidInput(f"That is nested more than {DEEPEST} levels deep; please send it flatter.")
    if isinstance(value, dict):
        return {clean_text(str(key)): clean(item, depth + 1) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [clean(item, depth + 1) for item in value]
    if value is None or isinstance(value, bool):
        return value
    if isinstance(value, float) and math.isfinite(value):
        return value
    if isinstance(value, int) and value.bit_length() <= LONGEST_INTEGER_BITS:
        return value
    raise InvalidInput("JSON has only text, finite numbers, true, false, null, lists and objects.")
