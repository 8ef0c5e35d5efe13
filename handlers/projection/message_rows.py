"""The stored row about a message: where it is and what it shows."""

from __future__ import annotations

from pydantic import BaseModel, ValidationError

from handlers.messages.message import Message
from handlers.origin import Place
from supervisor.core.events.base import workspace_of
from supervisor.core.state import Session


class Row(BaseModel):
    """What is known of one message; without `ts` it is only intended, or was posted and not recorded.

    `thread_ts` is the thread it is a reply in; `gone` says that it was deleted in Slack; `moves` counts the places
    that did not take it; `user` is the other person of a direct conversation; at `look_at` (0: never) Slack is asked
    once more whether it stands there a second time. `lasting` is of what it shows apart from what running calls print,
    empty where there is nothing of that. `status` is that of the session in Slack, where Slack shows one.
    """

    channel: str
    intended_at: float = 0
    thread_ts: str = ""
    ts: str = ""
    shows: str = ""
    lasting: str = ""
    changed_at: float = 0
    gone: bool = False
    moves: int = 0
    look_at: float = 0
    user: str = ""
    status: str = ""

    def show(self, message: Message) -> None:
        """Record that it shows this message."""
        self.shows, self.lasting = message.fingerprint, ""
        if message.lasting != self.shows:
            self.lasting = message.lasting

    def differs_in_passing(self, message: Message) -> bool:
        """Return whether the message differs from what it shows only in what running calls print."""
        return self.shows != message.fingerprint and (self.lasting or self.shows) == message.lasting

    @property
    def data(self) -> bytes:
        return self.model_dump_json(exclude_defaults=True).encode()


def place_of(session: Session, data: bytes) -> str:
    """Return the place to which a stored row has bound its session; empty where it is bound to none."""
    try:
        row = Row.model_validate_json(data)
    except ValidationError:
        return ""
    place = Place(row.channel, thread_ts=row.thread_ts or row.ts, team=workspace_of(session.origin))
    return place.key if row.ts else ""
