"""The stored row about a message: where it is and what it shows."""

from __future__ import annotations

from pydantic import BaseModel


class Row(BaseModel):
    """The row of one message; without `ts` the message was only intended, or posted and not recorded.

    `thread_ts` is the thread that the message replies to; `gone` says that it was deleted in Slack; `moves`
    counts the places that refused it; at `look_at` (0: never) Slack is searched for a second post of it.
    """

    channel: str
    intended_at: float = 0
    thread_ts: str = ""
    ts: str = ""
    shows: str = ""
    changed_at: float = 0
    gone: bool = False
    moves: int = 0
    look_at: float = 0

    @property
    def data(self) -> bytes:
        return self.model_dump_json(exclude_defaults=True).encode()
