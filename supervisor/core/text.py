"""Text from outside, made storable: what UTF-8 cannot hold is replaced, nothing else is changed."""

from __future__ import annotations

from typing import Any


def clean_text(text: str) -> str:
    """Lone surrogates become `?`; every other character stays."""
    return text.encode("utf-8", "replace").decode("utf-8")


def clean(value: Any) -> Any:
    """The same for every string inside a JSON value."""
    if isinstance(value, str):
        return clean_text(value)
    if isinstance(value, dict):
        return {clean_text(str(key)): clean(item) for key, item in value.items()}
    return [clean(item) for item in value] if isinstance(value, list) else value
