"""Replaces secrets by `MASK` in text that leaves Flagman."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable

MASK = "[masked]"
_SHORTEST = 8
# Well-known shapes: Slack, OpenAI and Anthropic, GitHub, Flagman's own API keys, AWS, Google, bearer headers,
# private keys, passwords in URLs.
_SHAPES = (
    r"xox[abeoprs]-[A-Za-z0-9-]{10,}",
    r"xapp-[A-Za-z0-9-]{10,}",
    r"sk-[A-Za-z0-9_-]{20,}",
    r"gh[pousr]_[A-Za-z0-9]{30,}",
    r"github_pat_[A-Za-z0-9_]{30,}",
    r"fm_[0-9a-f]{8}_[A-Za-z0-9_-]{43}",
    r"\b(?:AKIA|ASIA)[A-Z0-9]{16}\b",
    r"AIza[A-Za-z0-9_-]{35}",
    r"(?i:(?<=bearer )[A-Za-z0-9._~+/=-]{16,})",
    r"-----BEGIN [A-Z ]*PRIVATE KEY-----[\s\S]*?(?:-----END [A-Z ]*PRIVATE KEY-----|\Z)",
    r"(?<=://)[^/\s:@]{1,100}:[^/\s:@]{3,200}(?=@)",
)


class Masker:
    """Called with a text, returns it with `secrets` and everything of a well-known shape masked."""

    def __init__(self, secrets: Iterable[str] = ()) -> None:
        known = {form for s in secrets if len(s) >= _SHORTEST for form in (s, *_in_json(s))}
        self._pattern = re.compile(
            "|".join([*(re.escape(s) for s in sorted(known, key=len, reverse=True)), *_SHAPES])
        )

    def __call__(self, text: str) -> str:
        return self._pattern.sub(MASK, text)


def _in_json(secret: str) -> tuple[str, str]:
    """The two forms of a secret within a JSON document, such as the output of a tool."""
    return json.dumps(secret)[1:-1], json.dumps(secret, ensure_ascii=False)[1:-1]
