"""Slack's markup in what people write, as the person saw it in the message."""

from __future__ import annotations

import re
from collections.abc import Mapping

_MARK = re.compile(r"<(?P<what>[@#!][^<>|]+|(?:https?|mailto|tel|ftp):[^<>|]+)(?:\|(?P<label>[^<>]*))?>")
_IDS = re.compile(r"[@#][A-Z0-9]+|!subteam\^[A-Z0-9]+")


def readable(text: str, names: Mapping[str, str] | None = None) -> str:
    """Return the text with Slack's markup and escapes undone; `names` has labels for the marks in `unnamed`."""
    known = names or {}
    shown = _MARK.sub(lambda mark: _shown(mark["what"], mark["label"] or known.get(mark["what"], "")), text)
    return shown.replace("&lt;", "<").replace("&gt;", ">").replace("&amp;", "&")


def unnamed(text: str) -> list[str]:
    """Return the people, channels and groups named by id only (`@U1`, `#C1`, `!subteam^S1`), each once."""
    bare = [mark["what"] for mark in _MARK.finditer(text) if not mark["label"]]
    return list(dict.fromkeys(what for what in bare if _IDS.fullmatch(what)))


def _shown(what: str, label: str) -> str:
    if what.startswith(("@", "#")):
        return f"{what[0]}{label.lstrip('@#') or what[1:]}"
    if what.startswith("!"):
        return label or f"@{what[1:].partition('^')[0]}"
    address = what.removeprefix("mailto:").removeprefix("tel:")
    # The label of a link may differ from its address, so the agent is told both.
    return address if label in ("", address, address.partition("://")[2]) else f"{label} ({address})"
