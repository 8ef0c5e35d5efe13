"""The stored row about a message: where it is and what it shows."""

from __future__ import annotations

from pydantic import BaseModel


class Row(BaseModel):
    """What is known of one message; without `ts` it is only intended, or was posted and not recorded.

    `thread_ts` is the thread it is a reply in; `gone` says that it was deleted in Slack; `moves` counts the places
    that did not take it; `user` is the other person of a direct conversation; at `look_at` (0: never) Slack is asked
    once more whether it stands there a second time.
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
    user: str = ""

    @property
    def data(self) -> bytes:
        return self.model_dump_json(exclude_defaults=True).encode()
