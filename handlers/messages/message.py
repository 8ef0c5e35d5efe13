"""A message as it should stand in Slack, and whether the one that stands there differs."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable
from dataclasses import dataclass

from handlers.blocks.text import Block

Mask = Callable[[str], str]


@dataclass(frozen=True)
class Message:
    """`key` names it within its session; `text` is the notification and what screen readers say.

    `urgent` messages are brought up to date at once; others at most once a second.
    """

    key: str
    text: str
    blocks: tuple[Block, ...]
    urgent: bool = True

    @property
    def fingerprint(self) -> str:
        """Equal for equal content."""
        body = json.dumps([self.text, self.blocks], sort_keys=True).encode()
        return hashlib.blake2b(body, digest_size=12).hexdigest()
